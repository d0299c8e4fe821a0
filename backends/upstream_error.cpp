#include "backends/upstream_error.hpp"

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

constexpr std::size_t message_bytes_max = 300;   // of what an upstream says in an error

// What a page or a plain text says, in one short printable line.
std::string shortened(std::string_view text) {
  std::string out;
  bool in_tag = false;
  for (const char c : text) {
    if (out.size() >= message_bytes_max) break;
    if (c == '<') in_tag = true;
    if (!in_tag) {
      const bool blank = static_cast<unsigned char>(c) <= 0x20;
      if (!blank) out += c;
      if (blank && !out.empty() && out.back() != ' ') out += ' ';
    }
    if (c == '>') in_tag = false;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Fault fault_of(int status) {
  switch (status) {
    case 401: case 402: case 403: return Fault::upstream_credentials;   // 402: an empty account of ours
    case 408: case 504: return Fault::upstream_timeout;
    case 429: case 503: case 529: return Fault::upstream_busy;
    default: break;
  }
  if (status >= 500) return Fault::upstream_status;
  // Any other 4xx is about the request: it must not open the target's breaker, or a client could take a target out of service.
  return status >= 400 ? Fault::upstream_refused : Fault::upstream_garbage;
}

}  // namespace

// The object at "error", or the older vLLM form {"object":"error","message":…}, with `code` as a string.
nlohmann::json normal_error(const nlohmann::json& given) {
  const nlohmann::json& body = given.is_array() && !given.empty() ? given.front() : given;   // Google's, where a list was asked for
  const nlohmann::json* error = &body;
  if (body.contains("error")) error = &body["error"];
  if (body.contains("detail")) error = &body["detail"];          // FastAPI, in front of many engines
  if (error->is_array() && !error->empty() && error->front().is_object() && error->front().contains("msg")) error = &error->front()["msg"];
  nlohmann::json out{{"message", ""}, {"type", "server_error"}, {"param", nullptr}, {"code", nullptr}};
  if (error->is_string()) out["message"] = *error;
  if (!error->is_object()) return out;
  for (const char* member : {"message", "type", "param"}) {
    if (error->contains(member) && (*error)[member].is_string()) out[member] = (*error)[member];
  }
  if (error->contains("code") && !(*error)["code"].is_null()) {
    const nlohmann::json& code = (*error)["code"];
    out["code"] = code.is_string() ? code.get<std::string>() : code.dump();
  }
  return out;
}

void hide(std::string& text, std::string_view secret, std::string_view word) {
  if (secret.empty()) return;
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + word.size())) text.replace(at, secret.size(), word);
}

void hide_credentials(std::string& message, const std::vector<std::pair<std::string, std::string>>& headers) {
  constexpr std::size_t secret_bytes_min = 8;      // shorter ones stand in ordinary words
  for (const auto& [name, value] : headers) {
    std::string_view secret = value;
    if (const auto blank = secret.rfind(' '); blank != std::string_view::npos) secret.remove_prefix(blank + 1);   // "Bearer …"
    if (name == "anthropic-version" || secret.size() < secret_bytes_min) continue;
    hide(message, secret, "***");
  }
}

Error read_upstream_error(int status, std::string_view body) {
  const Fault fault = fault_of(status);
  const std::string number = std::to_string(status);
  // What an upstream says about our key may repeat it: never passed on.
  if (fault == Fault::upstream_credentials) return fail(fault, "the upstream refused the gateway's own credentials (status " + number + "); check this backend's api_key");
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  Error error = fail(fault, "");
  if (json.is_object() || json.is_array()) {
    const nlohmann::json normal = normal_error(json);
    error.message = normal["message"].get<std::string>();
    if (normal["param"].is_string()) error.param = normal["param"].get<std::string>();
    if (normal["code"].is_string() && normal["code"] != number) error.code = normal["code"].get<std::string>();
  } else if (status < 500) {
    error.message = shortened(body);
  }
  if (error.message.empty()) error.message = "the upstream answered with status " + number;
  if (fault == Fault::upstream_refused || fault == Fault::upstream_busy) error.http_status = status == 529 ? 503 : status;
  return error;
}

}  // namespace tollgate
