#include "gateway/authenticate.hpp"

#include <openssl/crypto.h>

#include <boost/beast/core/string.hpp>
#include <cstring>

#include "config/glob.hpp"

namespace tollgate {

namespace {
std::uint64_t prefix_of(const Sha256& hash) {
  std::uint64_t prefix;
  std::memcpy(&prefix, hash.data(), sizeof prefix);
  return prefix;
}
}  // namespace

KeyTable::KeyTable(const Config& config) {
  for (const ApiKey& key : config.keys) by_prefix_.emplace(prefix_of(key.sha256), &key);
}

Result<Caller> KeyTable::authenticate(std::string_view authorization) const {
  if (open_to_all()) return Caller{};
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.empty()) {
    return fail(Fault::unauthenticated, "no API key was given: send 'Authorization: Bearer <key>' or 'x-api-key: <key>' (make one with `tollgate keys new`)");
  }
  if (authorization.size() <= scheme.size() || !boost::beast::iequals(authorization.substr(0, scheme.size()), scheme)) {
    return fail(Fault::unauthenticated, "the Authorization header must have the form 'Bearer <key>'");
  }
  std::string_view key = authorization.substr(scheme.size());
  while (!key.empty() && key.front() == ' ') key.remove_prefix(1);
  const Sha256 hash = sha256(key);
  const auto [first, last] = by_prefix_.equal_range(prefix_of(hash));
  for (auto candidate = first; candidate != last; ++candidate) {
    const ApiKey& known = *candidate->second;
    if (CRYPTO_memcmp(known.sha256.data(), hash.data(), hash.size()) == 0) return Caller{known.name, known.team, &known};
  }
  return fail(Fault::unauthenticated, "the API key is not known here");
}

bool may_use(const Caller& caller, std::string_view model) {
  if (caller.record == nullptr || caller.record->models.empty()) return true;
  for (const std::string& pattern : caller.record->models) {
    if (fits_glob(pattern, model)) return true;
  }
  return false;
}

}  // namespace tollgate
