#pragma once
// What an upstream says when it refuses, whatever its dialect: which fault it is, and the words that may be passed on.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "config/result.hpp"

namespace tollgate {

/// A status that is not 2xx, and its body. Reads OpenAI's {"error":{"message",…}}, the older vLLM form {"object":"error",…}, FastAPI's
/// {"detail":…}, Anthropic's {"type":"error","error":{…}}, Google's {"error":{"status",…}} (also in an array), Bedrock's {"message":…},
/// else the text itself, shortened; of a 5xx no text but such a message, for it is some proxy's page. What is said about the gateway's own
/// key is never passed on.
[[nodiscard]] Error read_upstream_error(int status, std::string_view body);

/// The error object of a body in OpenAI's form: message, type, param, code (a string or null).
[[nodiscard]] nlohmann::json normal_error(const nlohmann::json& body);

/// Takes the credentials that `headers` carry out of what an upstream says: some repeat what they were sent.
void hide_credentials(std::string& message, const std::vector<std::pair<std::string, std::string>>& headers);

/// Puts `word` in the place of `secret` everywhere. Nothing where `secret` is empty.
void hide(std::string& text, std::string_view secret, std::string_view word);

}  // namespace tollgate
