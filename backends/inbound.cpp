#include "backends/inbound.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "backends/json_members.hpp"
#include "config/dialects.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::text_at;

/// Calls visit(object) for every object in `value`, at any depth; recursion ends where the gateway's limit on nesting ended the body.
template <class Visit>
void each_object(Json& value, const Visit& visit) {
  if (value.is_object()) visit(value);
  if (!value.is_structured()) return;
  for (Json& inner : value) each_object(inner, visit);
}

/// A picture in Anthropic's form is bare base64, which by itself could as well be a document.
bool is_picture(const Json& object) {
  return text_at(object, "type") == "base64" && text_at(object, "media_type").starts_with("image/") && at(object, "data").is_string();
}

bool any_picture(const Json& value) {
  if (value.is_object() && is_picture(value)) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), [](const Json& inner) { return any_picture(inner); });
}

/// Parts of a message that only Anthropic's clients write.
bool anthropic_part(const Json& part) {
  static constexpr std::array<std::string_view, 7> types{"image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"};
  return part.is_object() && std::find(types.begin(), types.end(), text_at(part, "type")) != types.end();
}

}  // namespace

ChatFlavour flavour_of(DialectName dialect) noexcept {
  ChatFlavour flavour;
  const DialectFacts& facts = facts_of(dialect);
  flavour.metadata = false;
  switch (facts.form) {
    case WireForm::anthropic:
      return flavour;
    case WireForm::bedrock:
      flavour.effort = false;
      return flavour;
    case WireForm::gemini:
      flavour.thinking = false;
      return flavour;
    case WireForm::openai:
    case WireForm::job:   // a worker that takes OpenAI's body, or a prompt: both read chat completions without extras
      break;
  }
  flavour.extras = flavour.thinking = false;
  flavour.plain_texts = true;
  const bool openai_itself = dialect == DialectName::openai || dialect == DialectName::azure_openai;
  flavour.completion_tokens = flavour.openai_own = openai_itself;
  // Those whose own references name it; the others refuse what they do not know.
  const bool engine = facts.url.empty() || dialect == DialectName::ollama || facts.form == WireForm::job;
  flavour.top_k = !openai_itself && (engine || dialect == DialectName::together || dialect == DialectName::fireworks || dialect == DialectName::openrouter);
  return flavour;
}

InboundRequest::InboundRequest(ClientForm form, std::unique_ptr<Json> json) : form_(form), json_(std::move(json)) {}
InboundRequest::InboundRequest(InboundRequest&&) noexcept = default;
InboundRequest& InboundRequest::operator=(InboundRequest&&) noexcept = default;
InboundRequest::~InboundRequest() = default;

std::string InboundRequest::text() const { return json::dumped(*json_); }

bool InboundRequest::has_pictures() const { return any_picture(*json_); }

std::string InboundRequest::screened() const {
  Json copy = *json_;
  each_object(copy, [](Json& object) {
    if (is_picture(object)) object["data"] = "data:" + text_at(object, "media_type") + ";base64," + text_at(object, "data");
  });
  return json::dumped(copy);
}

void InboundRequest::unmark_pictures() {
  each_object(*json_, [](Json& object) {
    if (!is_picture(object)) return;
    const std::string mark = "data:" + text_at(object, "media_type") + ";base64,";
    if (const std::string data = text_at(object, "data"); data.starts_with(mark)) object["data"] = data.substr(mark.size());
  });
}

void InboundRequest::set_model(std::string_view model) { (*json_)["model"] = model; }

Result<InboundChat> InboundRequest::chat(const ChatFlavour& flavour) const {
  return form_ == ClientForm::messages ? inbound::chat_of_messages(*json_, flavour) : inbound::chat_of_responses(*json_, flavour);
}

Result<InboundRequest> read_inbound(ClientForm form, std::string_view body, std::size_t nesting_max) {
  std::set<std::string> seen;
  std::string twice;
  bool too_deep = false;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (static_cast<std::size_t>(depth) >= nesting_max && (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start)) {
      too_deep = true;
      return false;   // not kept, so that nothing that walks the tree goes deeper
    }
    if (depth == 1 && event == Json::parse_event_t::key && !seen.insert(parsed.get<std::string>()).second) twice = parsed.get<std::string>();
    return true;
  };
  auto json = std::make_unique<Json>(Json::parse(body, watch, false));
  if (json->is_discarded() && !too_deep) return fail(Fault::bad_request, body.empty() ? "the body is empty; send a JSON object" : "the body is not valid JSON");
  if (too_deep) return fail(Fault::bad_request, "the body nests deeper than " + std::to_string(nesting_max) + " levels");
  if (!json->is_object()) return fail(Fault::bad_request, "the body must be a JSON object");
  if (!twice.empty()) {
    twice.resize(std::min<std::size_t>(twice.size(), 64));
    return fail(Fault::bad_request, "duplicate key '" + twice + "' in the body: each may stand once", twice);
  }
  return InboundRequest(form, std::move(json));
}

ClientForm guess_form(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return ClientForm::openai;
  if (!json.contains("messages") && json.contains("input")) return ClientForm::responses;
  for (const char* const member : {"system", "stop_sequences", "anthropic_version", "output_config"}) {
    if (json.contains(member)) return ClientForm::messages;
  }
  for (const Json& tool : at(json, "tools")) {
    if (tool.is_object() && tool.contains("input_schema")) return ClientForm::messages;
  }
  for (const Json& message : at(json, "messages")) {
    const Json& content = at(message, "content");
    if (content.is_array() && std::any_of(content.begin(), content.end(), anthropic_part)) return ClientForm::messages;
  }
  return ClientForm::openai;
}

}  // namespace tollgate
