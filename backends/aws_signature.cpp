#include "backends/aws_signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <ctime>
#include <map>
#include <memory>
#include <stdexcept>

#include "config/sha256.hpp"

namespace tollgate {
namespace {

Sha256 hmac(std::string_view key, std::string_view text) {
  Sha256 out{};
  unsigned length = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(), out.data(), &length) == nullptr) {
    throw std::runtime_error("OpenSSL offers no HMAC with SHA-256");
  }
  return out;
}

std::string_view view(const Sha256& hash) noexcept { return {reinterpret_cast<const char*>(hash.data()), hash.size()}; }

std::string hash_of(std::span<const std::string_view> pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Sha256 out{};
  unsigned length = 0;
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const std::string_view piece : pieces) good = good && EVP_DigestUpdate(context.get(), piece.data(), piece.size()) == 1;
  if (!good || EVP_DigestFinal_ex(context.get(), out.data(), &length) != 1) throw std::runtime_error("OpenSSL offers no SHA-256");
  return hex(out);
}

// What was encoded once is encoded once more, slashes excepted.
std::string encoded_again(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '%') {
      out += "%25";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> aws_headers(const SignedRequest& request, const AwsKeys& keys,
                                                             std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> buffer{};
  const std::string time(buffer.data(), std::strftime(buffer.data(), buffer.size(), "%Y%m%dT%H%M%SZ", &utc));
  const std::string day = time.substr(0, 8);
  const std::string body_hash = hash_of(request.body);

  std::map<std::string, std::string> headers{{"host", std::string(request.host)}, {"x-amz-content-sha256", body_hash}, {"x-amz-date", time}};
  if (!keys.session_token.empty()) headers.emplace("x-amz-security-token", keys.session_token.reveal());
  std::string canonical = std::string(request.method) + "\n" + encoded_again(request.path) + "\n\n";
  std::string names;
  for (const auto& [name, value] : headers) {
    canonical.append(name).append(":").append(value).append("\n");
    names.append(names.empty() ? "" : ";").append(name);
  }
  canonical.append("\n").append(names).append("\n").append(body_hash);

  const std::string scope = day + "/" + keys.region + "/" + std::string(request.service) + "/aws4_request";
  const std::string to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + sha256_hex(canonical);
  Sha256 key = hmac("AWS4" + keys.secret_access_key.reveal(), day);
  for (const std::string_view part : {std::string_view(keys.region), request.service, std::string_view("aws4_request")}) key = hmac(view(key), part);
  const std::string signature = hex(hmac(view(key), to_sign));

  headers.erase("host");
  std::vector<std::pair<std::string, std::string>> out(headers.begin(), headers.end());
  out.emplace_back("authorization",
                   "AWS4-HMAC-SHA256 Credential=" + keys.access_key_id.reveal() + "/" + scope + ", SignedHeaders=" + names + ", Signature=" + signature);
  return out;
}

}  // namespace tollgate
