#pragma once
// What an upstream says when it refuses, whatever its dialect: which fault it is, and the words that may be passed on.

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "config/result.hpp"

namespace tollgate {

/// A status that is not 2xx, and its body. Reads OpenAI's {"error":{"message",…}}, the older vLLM form {"object":"error",…}, FastAPI's
/// {"detail":…}, Anthropic's {"type":"error","error":{…}}, Google's {"error":{"status",…}} (also in an array), Bedrock's {"message":…},
/// else the text itself, shortened. What is said about the gateway's own key is never passed on.
[[nodiscard]] Error read_upstream_error(int status, std::string_view body);

/// The error object of a body in OpenAI's form: message, type, param, code (a string or null).
[[nodiscard]] nlohmann::json normal_error(const nlohmann::json& body);

}  // namespace tollgate
