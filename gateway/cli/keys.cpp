#include <openssl/rand.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/sha256.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {

// The key is shown once and kept nowhere: the configuration needs only its hash.
int new_key(const NewKeyOptions& options) {
  Sha256 random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    print_error("the system's random source failed; no key was made");
    return io_failure;
  }
  const std::string key = "tg-" + hex(random);
  const std::string hash = sha256_hex(key);
  if (options.json) {
    nlohmann::ordered_json made{{"key", key}, {"name", options.name}};
    if (!options.admin) made["team"] = options.team;
    made["sha256"] = hash;
    std::printf("%s\n", made.dump(2).c_str());
    return ok;
  }
  const std::string team = options.admin ? "" : "team: " + options.team + ", ";
  std::printf("key (shown once, keep it): %s\n\nPut this under %s in the configuration:\n\n  - {name: %s, %ssha256: \"%s\"}\n", key.c_str(),
              options.admin ? "admin.keys" : "auth.keys", options.name.c_str(), team.c_str(), hash.c_str());
  return ok;
}

}  // namespace tollgate::cli
