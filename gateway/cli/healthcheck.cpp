// `tollgate healthcheck`: asks the gateway on this machine whether it can serve. For containers and service managers, whose slim
// images have no other HTTP client.
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "gateway/cli/admin_client.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {

int healthcheck(const HealthcheckOptions& options) {
  std::string url;
  if (const int code = find_admin_port({options.config, options.url}, url); code != ok) return code;
  url += options.live ? "/healthz" : "/readyz";
  const AdminAnswer reply = ask_admin_port(url, options.timeout_seconds);
  if (!reply.failure.empty()) {
    print_error(fmt::format("{} does not answer: {}", url, reply.failure));
    return io_failure;
  }
  const bool fine = reply.status == 200;
  if (!options.quiet || !fine) std::fprintf(fine ? stdout : stderr, "%s: %ld\n%s", url.c_str(), reply.status, reply.body.c_str());
  return fine ? ok : finding;
}

}  // namespace tollgate::cli
