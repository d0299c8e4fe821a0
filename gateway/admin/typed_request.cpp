#include "gateway/admin/typed_request.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/reply.hpp"

namespace tollgate {

namespace {

constexpr std::size_t headers_max = 16, header_bytes_max = 1024;

bool is_name(std::string_view name) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-_";
  return name.starts_with("x-") && name.size() > 2 && name.size() < 64 &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_value(std::string_view value) {
  return value.size() <= header_bytes_max &&
         std::none_of(value.begin(), value.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

Result<void> read_headers(const nlohmann::json& headers, TypedRequest& into) {
  if (!headers.is_object() || headers.size() > headers_max)
    return fail(Fault::bad_request, "'headers' must be an object of at most 16 headers", "headers");
  for (const auto& [name, value] : headers.items()) {
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    if (!is_name(lower))
      return fail(Fault::bad_request, "only headers whose name begins with x- can be added here", "headers");
    if (!value.is_string() || !is_value(value.get_ref<const std::string&>())) {
      return fail(Fault::bad_request, "the header '" + lower + "' must be one line of text of at most 1024 bytes",
                  "headers");
    }
    into.headers.emplace_back(std::move(lower), value.get<std::string>());
  }
  return success();
}

}  // namespace

Result<TypedRequest> read_typed_request(const AdminRequest& request) {
  // A form of another site cannot send this type without asking first, and it is not answered.
  if (!request.content_type.starts_with("application/json")) {
    return fail(Fault::bad_request, "send JSON, with 'content-type: application/json'");
  }
  const nlohmann::json body = nlohmann::json::parse(request.body, nullptr, false);
  if (!body.is_object())
    return fail(Fault::bad_request, "the body must be a JSON object: {\"request\": {\"model\": …, \"messages\": […]}}");
  for (const auto& [name, value] : body.items()) {
    if (name != "request" && name != "headers")
      return fail(Fault::bad_request, "the body takes 'request' and 'headers' only", name.substr(0, 64));
  }
  const auto typed = body.find("request");
  if (typed == body.end() || !typed->is_object()) {
    return fail(Fault::bad_request, "'request' must be the body of a request to /v1/chat/completions", "request");
  }
  TypedRequest read;
  read.body = typed->dump();
  if (const auto headers = body.find("headers"); headers != body.end()) {
    TOLLGATE_TRY(read_headers(*headers, read));
  }
  return read;
}

AdminReply refusal_of(const Error& error) {
  AdminReply reply;
  reply.status = http_status_of(error);
  reply.body = error_body(error);
  return reply;
}

}  // namespace tollgate
