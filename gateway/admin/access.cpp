#include "gateway/admin/access.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <boost/beast/core/string.hpp>
#include <string>

#include "config/sha256.hpp"
#include "gateway/reply.hpp"

namespace tollgate {
namespace {

constexpr std::size_t credentials_bytes_max = 4096;

bool starts_with_scheme(std::string_view authorization, std::string_view scheme) {
  return authorization.size() > scheme.size() && boost::beast::iequals(authorization.substr(0, scheme.size()), scheme);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// The password of "user:password" in base64; "" if it is none.
std::string password_of(std::string_view base64) {
  if (base64.empty() || base64.size() % 4 != 0 || base64.size() > credentials_bytes_max) return {};
  std::string text(base64.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(base64.data()), static_cast<int>(base64.size()));
  if (size < 0) return {};
  const std::size_t padding = base64.ends_with("==") ? 2 : base64.ends_with('=') ? 1 : 0;
  text.resize(static_cast<std::size_t>(size) - padding);
  const std::size_t colon = text.find(':');
  return colon == std::string::npos ? std::string() : text.substr(colon + 1);
}

std::string key_in(std::string_view authorization) {
  constexpr std::string_view bearer = "Bearer ", basic = "Basic ";
  if (starts_with_scheme(authorization, bearer)) return std::string(trimmed(authorization.substr(bearer.size())));
  if (starts_with_scheme(authorization, basic)) return password_of(trimmed(authorization.substr(basic.size())));
  return {};
}

bool is_known(const std::vector<AdminKey>& keys, std::string_view authorization) {
  const std::string key = key_in(authorization);
  if (key.empty()) return false;
  const Sha256 hash = sha256(key);
  bool known = false;
  for (const AdminKey& candidate : keys) {  // all of them: which one fits is nobody's to measure
    known = CRYPTO_memcmp(candidate.sha256.data(), hash.data(), hash.size()) == 0 || known;
  }
  return known;
}

}  // namespace

AdminAccess admin_access(const std::vector<AdminKey>& keys, std::string_view target, std::string_view authorization) {
  if (keys.empty() || is_known(keys, authorization)) return AdminAccess::all;
  const std::string_view path = target.substr(0, target.find('?'));
  return path == "/healthz" || path == "/readyz" ? AdminAccess::status_only : AdminAccess::refused;
}

AdminReply refusal() {
  const Error why = fail(
      Fault::unauthenticated,
      "the admin port asks for a key of admin.keys: send 'Authorization: Bearer <key>', or give it as the password "
      "with any user name (make one with `tollgate keys new --admin`)");
  return {401, "application/json", error_body(why), {}};
}

AdminReply without_details(AdminReply reply) {
  reply.content_type = "application/json";
  reply.body = reply.status == 200 ? "{\"ready\": true}\n" : "{\"ready\": false}\n";
  return reply;
}

}  // namespace tollgate
