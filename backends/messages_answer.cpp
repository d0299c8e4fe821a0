// A chat completion said as Anthropic's message, and its stream as Anthropic's events.

#include <algorithm>

#include "backends/answer_writer.hpp"
#include "backends/json_members.hpp"

namespace tollgate {
namespace {

using json::at;
using json::dumped;
using json::text_at;
using Json = nlohmann::ordered_json;

Json usage_json(const Usage& usage) {
  const std::int64_t written = usage.cache_write.count() + usage.of(RareClass::cache_write_1h).count();
  const std::int64_t uncached = usage.total_input().count() - usage.cached_input.count() - written;
  Json json{{"input_tokens", uncached},
            {"cache_creation_input_tokens", written},
            {"cache_read_input_tokens", usage.cached_input.count()},
            {"output_tokens", usage.total_output().count()}};
  if (usage.reasoning.count() > 0) json["output_tokens_details"] = {{"thinking_tokens", usage.reasoning.count()}};
  return json;
}

Json input_json(const std::string& arguments) {
  Json input = Json::parse(arguments, nullptr, false);
  return input.is_object() ? input : Json::object();   // cut off by the limit on tokens: what is left is no input
}

class MessagesWriter final : public AnswerWriter {
 public:
  explicit MessagesWriter(const Json& request) {
    const std::string thinking = text_at(at(request, "thinking"), "type");
    wants_thinking_ = thinking == "enabled" || thinking == "adaptive";
    for (const Json& stop : at(request, "stop_sequences")) {
      if (stop.is_string()) stops_.push_back(stop.get<std::string>());
    }
  }

  void finish(const Usage& usage, std::string& out) override {
    begin(out);
    close(out);
    Json last{{"type", "message_delta"}, {"delta", stop_json(finish_, stop_text_)}};
    last["usage"] = usage_json(usage);
    event(last, out);
    event({{"type", "message_stop"}}, out);
  }

  void fail(const Error& error, std::string& out) override { out.append("event: error\ndata: ").append(messages_error_body(error, {})).append("\n\n"); }

 private:
  enum class Open : std::uint8_t { nothing, text, thinking, call };

  Json write(const Said& said, const Usage& usage) override {
    Json content = Json::array();
    if (wants_thinking_) {
      for (const Json& block : said.thinking_blocks) content.push_back(block);
      if (said.thinking_blocks.empty() && !said.reasoning.empty()) {
        content.push_back({{"type", "thinking"}, {"thinking", said.reasoning}, {"signature", unsigned_thinking}});
      }
    }
    if (const std::string text = said.text + said.refusal; !text.empty()) content.push_back({{"type", "text"}, {"text", text}});
    for (const Json& call : said.calls) {
      const Json& function = at(call, "function");
      content.push_back({{"type", "tool_use"}, {"id", text_at(call, "id")}, {"name", text_at(function, "name")}, {"input", input_json(text_at(function, "arguments"))}});
    }
    called_ = !said.calls.empty();
    refused_ = !said.refusal.empty();
    Json body{{"id", message_id()}, {"type", "message"}, {"role", "assistant"}, {"model", model_}, {"content", std::move(content)}};
    body.update(stop_json(said.finish, said.stop_text));
    body["usage"] = usage_json(usage);
    return body;
  }

  void text(std::string_view piece, const Json&, std::string& out) override {
    if (open_ != Open::text) start(Open::text, {{"type", "text"}, {"text", ""}}, out);
    delta({{"type", "text_delta"}, {"text", piece}}, out);
  }
  void refusal(std::string_view piece, std::string& out) override {
    refused_ = true;
    text(piece, {}, out);
  }
  void reasoning(std::string_view piece, std::string& out) override {
    if (!wants_thinking_) return begin(out);
    if (open_ != Open::thinking) {
      start(Open::thinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
      signature_ = unsigned_thinking;
    }
    delta({{"type", "thinking_delta"}, {"thinking", piece}}, out);
  }
  // Comes behind its pieces, with the signature.
  void thinking_block(const Json& block, std::string& out) override {
    if (!wants_thinking_) return;
    if (text_at(block, "type") == "redacted_thinking") {
      start(Open::nothing, block, out);
      stop(out);
      return;
    }
    if (open_ != Open::thinking) {   // thought without telling what
      start(Open::thinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}, out);
    }
    signature_ = text_at(block, "signature");
    close(out);
  }
  void call(const std::string& id, const std::string& name, std::string& out) override {
    called_ = true;
    start(Open::call, {{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", Json::object()}}, out);
  }
  void arguments(std::string_view piece, std::string& out) override { delta({{"type", "input_json_delta"}, {"partial_json", piece}}, out); }

  [[nodiscard]] std::string message_id() const { return id_.starts_with("msg_") ? id_ : "msg_" + id_; }

  [[nodiscard]] Json stop_json(const std::string& finish, const std::string& stop_text) const {
    std::string reason = "end_turn";
    Json sequence = nullptr;
    if (finish == "length") {
      reason = "max_tokens";
    } else if (finish == "tool_calls" || finish == "function_call" || (called_ && finish == "stop")) {
      reason = "tool_use";
    } else if (finish == "content_filter" || refused_) {
      reason = "refusal";
    } else if (std::find(stops_.begin(), stops_.end(), stop_text) != stops_.end()) {
      reason = "stop_sequence";
      sequence = stop_text;
    }
    return {{"stop_reason", reason}, {"stop_sequence", std::move(sequence)}};
  }

  void begin(std::string& out) {
    if (begun_) return;
    begun_ = true;
    Usage usage;
    usage.input = expected_input_;
    Json message{{"id", message_id()}, {"type", "message"}, {"role", "assistant"}, {"model", model_}, {"content", Json::array()},
                 {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
    message["usage"] = usage_json(usage);
    event({{"type", "message_start"}, {"message", std::move(message)}}, out);
  }
  void start(Open what, Json block, std::string& out) {
    begin(out);
    close(out);
    event({{"type", "content_block_start"}, {"index", index_}, {"content_block", std::move(block)}}, out);
    open_ = what;
  }
  void delta(Json delta, std::string& out) { event({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}}, out); }
  void stop(std::string& out) {
    event({{"type", "content_block_stop"}, {"index", index_++}}, out);
    open_ = Open::nothing;
  }
  void close(std::string& out) {
    if (open_ == Open::nothing) return;
    if (open_ == Open::thinking && !signature_.empty()) delta({{"type", "signature_delta"}, {"signature", signature_}}, out);
    signature_.clear();
    stop(out);
  }

  bool wants_thinking_ = false, begun_ = false, called_ = false, refused_ = false;
  Open open_ = Open::nothing;
  std::int64_t index_ = 0;
  std::string signature_;
  std::vector<std::string> stops_;
};

std::string_view type_of_error(const Error& error) noexcept {
  switch (http_status_of(error)) {
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 408:
    case 504:
      return "timeout_error";
    default:
      return http_status_of(error) / 100 == 4 ? "invalid_request_error" : "api_error";
  }
}

}  // namespace

std::unique_ptr<AnswerWriter> make_messages_writer(const Json& request) { return std::make_unique<MessagesWriter>(request); }

std::string messages_error_body(const Error& error, std::string_view request_id) {
  Json body{{"type", "error"}, {"error", {{"type", type_of_error(error)}, {"message", error.message}}}};
  if (!request_id.empty()) body["request_id"] = request_id;
  return dumped(body);
}

}  // namespace tollgate
