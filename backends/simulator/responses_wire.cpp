// Answers as OpenAI's Responses. See wire.hpp for what the calls mean.

#include "backends/json_members.hpp"
#include "backends/simulator/foreign_wire.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;
using json::dumped;

class ResponsesWire final : public Wire {
 public:
  explicit ResponsesWire(Identity identity) : Wire(std::move(identity)) {
    constexpr std::string_view chat_prefix = "chatcmpl-";
    id_ = Wire::identity().id;
    if (id_.starts_with(chat_prefix)) id_.erase(0, chat_prefix.size());
  }

  [[nodiscard]] std::string framed(std::string_view text, bool garbage) const override {
    return garbage ? "data: " + std::string(text) + "\n\n" : std::string(text);
  }
  [[nodiscard]] bool has_end_mark() const noexcept override { return false; }
  void append_usage(std::string&, const UsageCounts&, std::string_view) override {}

  void append_role(std::string& out, std::uint32_t, const UsageCounts*) override {
    const Json response = response_of("in_progress", Json::array());
    event(out, "response.created", {{"response", response}});
    event(out, "response.in_progress", {{"response", response}});
  }
  void append_text(std::string& out, std::uint32_t, std::string_view piece, const UsageCounts*) override {
    if (!in_text_) {
      in_text_ = true;
      event(out, "response.output_item.added", {{"output_index", output_.size()}, {"item", message("", "in_progress")}});
      event(out, "response.content_part.added", at_part({{"part", part("")}}));
    }
    text_ += piece;
    event(out, "response.output_text.delta", at_part({{"delta", piece}, {"logprobs", Json::array()}}));
  }
  void append_call(std::string& out, std::uint32_t, std::size_t, const Call& call, const UsageCounts*) override {
    close(out, "completed");
    call_ = call;
    in_call_ = true;
    event(out, "response.output_item.added", {{"output_index", output_.size()}, {"item", call_item(call, "", "in_progress")}});
  }
  void append_arguments(std::string& out, std::uint32_t, std::size_t, std::string_view piece, const UsageCounts*) override {
    text_ += piece;
    event(out, "response.function_call_arguments.delta", {{"item_id", "fc_" + call_.id}, {"output_index", output_.size()}, {"delta", piece}});
  }
  void append_finish(std::string& out, std::uint32_t, std::string_view reason, const UsageCounts*) override {
    cut_off_ = reason == "length";
    close(out, cut_off_ ? "incomplete" : "completed");
  }
  void append_end(std::string& out, const UsageCounts& usage) override {
    const char* const type = cut_off_ ? "response.incomplete" : "response.completed";
    event(out, type, {{"response", ended(cut_off_, output_, usage)}});
  }
  [[nodiscard]] std::string whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view) const override {
    const Answer& answer = answers.front();
    const bool cut_off = answer.finish_reason == "length";
    const char* const status = cut_off ? "incomplete" : "completed";
    Json output = Json::array();
    if (!answer.text.empty()) output.push_back(message(answer.text, status));
    for (const Call& call : answer.calls) output.push_back(call_item(call, call.arguments, status));
    return dumped(ended(cut_off, std::move(output), usage));
  }

 private:
  void event(std::string& out, std::string_view type, const Json& members) {
    Json json{{"type", type}, {"sequence_number", sequence_++}};
    json.update(members);
    out.append("event: ").append(type).append("\ndata: ").append(dumped(json)).append("\n\n");
  }
  [[nodiscard]] Json at_part(const Json& members) const {
    Json json{{"item_id", "msg_" + id_}, {"output_index", output_.size()}, {"content_index", 0}};
    json.update(members);
    return json;
  }
  [[nodiscard]] static Json part(const std::string& text) {
    return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
  }
  [[nodiscard]] Json message(const std::string& text, std::string_view status) const {
    Json content = Json::array();
    if (!text.empty()) content.push_back(part(text));
    return {{"id", "msg_" + id_}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}};
  }
  [[nodiscard]] static Json call_item(const Call& call, const std::string& arguments, std::string_view status) {
    return {{"id", "fc_" + call.id}, {"type", "function_call"}, {"status", status}, {"call_id", call.id}, {"name", call.name}, {"arguments", arguments}};
  }
  [[nodiscard]] Json response_of(std::string_view status, Json output) const {
    const Identity& self = identity();
    return {{"id", "resp_" + id_}, {"object", "response"}, {"created_at", self.created}, {"status", status}, {"background", false}, {"error", nullptr},
            {"incomplete_details", nullptr}, {"instructions", nullptr}, {"max_output_tokens", nullptr}, {"metadata", Json::object()}, {"model", self.model},
            {"output", std::move(output)}, {"parallel_tool_calls", true}, {"previous_response_id", nullptr},
            {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}}, {"service_tier", "default"}, {"store", false}, {"temperature", 1.0},
            {"text", {{"format", {{"type", "text"}}}}}, {"tool_choice", "auto"}, {"tools", Json::array()}, {"top_p", 1.0}, {"truncation", "disabled"},
            {"usage", nullptr}, {"user", nullptr}};
  }
  [[nodiscard]] Json ended(bool cut_off, Json output, const UsageCounts& usage) const {
    Json response = response_of(cut_off ? "incomplete" : "completed", std::move(output));
    if (cut_off) response["incomplete_details"] = {{"reason", "max_output_tokens"}};
    if (const auto told = told_of(usage)) {
      response["usage"] = {{"input_tokens", told->prompt}, {"input_tokens_details", {{"cached_tokens", told->cached}}}, {"output_tokens", told->completion},
                           {"output_tokens_details", {{"reasoning_tokens", 0}}}, {"total_tokens", told->prompt + told->completion}};
    }
    return response;
  }
  void close(std::string& out, std::string_view status) {
    if (!in_text_ && !in_call_) return;
    if (in_text_) {
      event(out, "response.output_text.done", at_part({{"text", text_}, {"logprobs", Json::array()}}));
      event(out, "response.content_part.done", at_part({{"part", part(text_)}}));
    } else {
      event(out, "response.function_call_arguments.done", {{"item_id", "fc_" + call_.id}, {"output_index", output_.size()}, {"name", call_.name}, {"arguments", text_}});
    }
    Json item = in_text_ ? message(text_, status) : call_item(call_, text_, status);
    event(out, "response.output_item.done", {{"output_index", output_.size()}, {"item", item}});
    output_.push_back(std::move(item));
    in_text_ = in_call_ = false;
    text_.clear();
  }

  std::string id_, text_;       // of the open item, as far as it was told
  Call call_;
  Json output_ = Json::array();
  std::int64_t sequence_ = 0;
  bool in_text_ = false, in_call_ = false, cut_off_ = false;
};

}  // namespace

std::unique_ptr<Wire> make_responses_wire(Identity identity) { return std::make_unique<ResponsesWire>(std::move(identity)); }

std::string responses_error_event(const ErrorText& error) {
  const Json json{{"type", "error"}, {"code", error.code.empty() ? "server_error" : error.code}, {"message", error.message}, {"param", nullptr}};
  return "event: error\ndata: " + dumped(json) + "\n\n";
}

}  // namespace tollgate::simulator
