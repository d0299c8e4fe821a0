#include "backends/answer_writer.hpp"

#include <ctime>

#include "backends/chat_answer.hpp"
#include "backends/json_members.hpp"
#include "backends/sse.hpp"

namespace tollgate {

using json::at;
using json::dumped;
using json::text_at;

namespace {
std::string reasoning_of(const nlohmann::ordered_json& message) {
  const std::string text = text_at(message, "reasoning_content");
  return text.empty() ? text_at(message, "reasoning") : text;   // what vLLM called it, and calls it
}
}  // namespace

void AnswerWriter::event(const Json& json, std::string& out) {
  out.append("event: ").append(json["type"].get_ref<const std::string&>()).append("\ndata: ").append(dumped(json)).append("\n\n");
}

void AnswerWriter::identify(const Json& body) {
  if (id_.empty()) id_ = text_at(body, "id");
  if (model_.empty()) model_ = text_at(body, "model");
  if (const std::string tier = text_at(body, "service_tier"); !tier.empty()) service_tier_ = tier;
  if (created_ != 0) return;
  const Json& created = at(body, "created");
  created_ = created.is_number_integer() && created != 0 ? created.get<std::int64_t>() : static_cast<std::int64_t>(std::time(nullptr));
}

Result<std::string> AnswerWriter::whole(std::string_view chat_completion, const Usage& usage) {
  const Json body = Json::parse(chat_completion, nullptr, false);
  const Json& choices = at(body, "choices");
  if (!choices.is_array() || choices.empty() || !at(choices[0], "message").is_object()) {
    return tollgate::fail(Fault::upstream_garbage, "the upstream's answer has no choices");
  }
  identify(body);
  const Json& choice = choices[0];
  const Json& message = choice["message"];
  Said said;
  if (const Json& content = at(message, "content"); content.is_array()) {
    for (const Json& part : content) said.text += text_at(part, "text");
  } else {
    said.text = text_at(message, "content");
  }
  said.reasoning = reasoning_of(message);
  said.refusal = text_at(message, "refusal");
  said.finish = text_at(choice, "finish_reason");
  said.stop_text = text_at(choice, "stop_reason");
  if (at(message, "thinking_blocks").is_array()) said.thinking_blocks = message["thinking_blocks"];
  if (at(message, "tool_calls").is_array()) said.calls = message["tool_calls"];
  if (at(at(choice, "logprobs"), "content").is_array()) said.logprobs = choice["logprobs"]["content"];
  for (Json& call : said.calls) {
    if (call.is_object() && text_at(call, "id").empty()) call["id"] = new_call_id();
  }
  return dumped(write(said, usage));
}

Result<void> AnswerWriter::feed(const Pieces& events, std::string& out) {
  std::string bytes;
  for (const std::string_view piece : events) bytes.append(piece);
  Result<void> outcome = success();
  SseSplitter splitter;
  TOLLGATE_TRY(splitter.feed(bytes, [&](std::string_view raw) {
    std::string joined;
    const std::string_view data = event_data(raw, joined);
    if (!outcome || data.empty() || data.starts_with("[DONE]")) return;
    const Json json = Json::parse(data, nullptr, false);
    if (json.is_object()) {
      outcome = chunk(json, out);
    } else {
      outcome = tollgate::fail(Fault::upstream_garbage, "the upstream's stream holds an event that is not a JSON object");
    }
  }));
  return outcome;
}

Result<void> AnswerWriter::chunk(const Json& json, std::string& out) {
  if (const Json& error = at(json, "error"); error.is_object()) {
    Error told = tollgate::fail(Fault::upstream_status, text_at(error, "message"));
    told.code = text_at(error, "code");
    fail(told, out);
    return success();
  }
  identify(json);
  const Json& choices = at(json, "choices");
  if (!choices.is_array() || choices.empty()) return success();   // usage alone
  const Json& choice = choices[0];
  if (at(choice, "delta").is_object()) {
    TOLLGATE_TRY(delta(choice["delta"], choice, out));
  }
  if (const std::string finish = text_at(choice, "finish_reason"); !finish.empty()) {
    finish_ = finish;
    stop_text_ = text_at(choice, "stop_reason");
  }
  return success();
}

Result<void> AnswerWriter::delta(const Json& delta, const Json& choice, std::string& out) {
  if (const std::string piece = reasoning_of(delta); !piece.empty()) reasoning(piece, out);
  for (const Json& block : at(delta, "thinking_blocks")) {
    if (block.is_object()) thinking_block(block, out);
  }
  if (const std::string piece = text_at(delta, "content"); !piece.empty()) {
    open_call_ = -1;
    text(piece, at(at(choice, "logprobs"), "content"), out);
  }
  if (const std::string piece = text_at(delta, "refusal"); !piece.empty()) refusal(piece, out);
  for (const Json& each : at(delta, "tool_calls")) {
    TOLLGATE_TRY(call_delta(each, out));
  }
  return success();
}

Result<void> AnswerWriter::call_delta(const Json& each, std::string& out) {
  const Json& function = at(each, "function");
  const std::int64_t index = at(each, "index").is_number_integer() ? each["index"].get<std::int64_t>() : std::max<std::int64_t>(last_call_, 0);
  if (const std::string name = text_at(function, "name"); !name.empty() && index > last_call_) {
    const std::string id = text_at(each, "id");
    call(id.empty() ? new_call_id() : id, name, out);
    open_call_ = last_call_ = index;
  }
  const std::string piece = text_at(function, "arguments");
  if (piece.empty()) return success();
  // Both protocols tell one call after the other.
  if (index != open_call_) return tollgate::fail(Fault::upstream_garbage, "the upstream's stream goes back to a tool call that it had left");
  arguments(piece, out);
  return success();
}

std::unique_ptr<AnswerWriter> make_answer_writer(const InboundRequest& request) {
  switch (request.form()) {
    case ClientForm::messages:
      return make_messages_writer(request.json());
    case ClientForm::responses:
      return make_responses_writer(request.json());
    case ClientForm::openai:
      break;
  }
  return nullptr;
}

void make_error_event(ClientForm form, const Error& error, std::string& out) {
  if (form == ClientForm::messages) {
    out.append("event: error\ndata: ").append(messages_error_body(error, {})).append("\n\n");
    return;
  }
  const std::string_view code = code_of(error).empty() ? std::string_view("server_error") : code_of(error);
  const nlohmann::ordered_json event{{"type", "error"}, {"sequence_number", 0}, {"code", code}, {"message", error.message}, {"param", nullptr}};
  out.append("event: error\ndata: ").append(dumped(event)).append("\n\n");
}

std::string_view keep_alive_of(ClientForm form) noexcept {
  return form == ClientForm::messages ? "event: ping\ndata: {\"type\": \"ping\"}\n\n" : ": keep-alive\n\n";
}

}  // namespace tollgate
