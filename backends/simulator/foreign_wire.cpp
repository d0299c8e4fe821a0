#include "backends/simulator/foreign_wire.hpp"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "backends/event_frames.hpp"
#include "config/dialects.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json arguments_of(const Call& call) {
  Json arguments = Json::parse(call.arguments, nullptr, false);
  return arguments.is_object() ? arguments : Json::object();   // cut short by max_tokens
}

class ForeignWire : public Wire {
 public:
  using Wire::Wire;
  [[nodiscard]] std::string framed(std::string_view text, bool garbage) const override {
    return garbage ? "data: " + std::string(text) + "\n\n" : std::string(text);
  }
  [[nodiscard]] bool has_end_mark() const noexcept override { return false; }
  void append_usage(std::string&, const UsageCounts&, std::string_view) override {}
};

class AnthropicWire final : public ForeignWire {
 public:
  using ForeignWire::ForeignWire;

  void append_role(std::string& out, std::uint32_t, const UsageCounts*) override {
    Json message{{"id", id()}, {"type", "message"}, {"role", "assistant"}, {"model", identity().model}, {"content", Json::array()},
                 {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
    // As theirs: the output's count is a placeholder until the end.
    if (identity().usage_fault != UsageFault::none) {
      message["usage"] = {{"input_tokens", identity().prompt_tokens}, {"cache_creation_input_tokens", 0}, {"cache_read_input_tokens", 0}, {"output_tokens", 1},
                          {"service_tier", "standard"}};
    }
    event(out, {{"type", "message_start"}, {"message", std::move(message)}});
    event(out, {{"type", "ping"}});
  }
  void append_text(std::string& out, std::uint32_t, std::string_view piece, const UsageCounts*) override {
    if (!in_text_) open(out, {{"type", "text"}, {"text", ""}});
    in_text_ = true;
    delta(out, {{"type", "text_delta"}, {"text", piece}});
  }
  void append_call(std::string& out, std::uint32_t, std::size_t, const Call& call, const UsageCounts*) override {
    open(out, {{"type", "tool_use"}, {"id", "toolu_" + call.id}, {"name", call.name}, {"input", Json::object()}});
    delta(out, {{"type", "input_json_delta"}, {"partial_json", ""}});
  }
  void append_arguments(std::string& out, std::uint32_t, std::size_t, std::string_view piece, const UsageCounts*) override {
    delta(out, {{"type", "input_json_delta"}, {"partial_json", piece}});
  }
  void append_finish(std::string& out, std::uint32_t, std::string_view reason, const UsageCounts*) override {
    close(out);
    reason_ = reason;
  }
  void append_end(std::string& out, const UsageCounts& usage) override {
    Json last{{"type", "message_delta"}, {"delta", {{"stop_reason", stop_reason(reason_)}, {"stop_sequence", nullptr}}}};
    if (const auto told = told_of(usage)) last["usage"] = counts(*told);
    event(out, last);
    event(out, {{"type", "message_stop"}});
  }
  [[nodiscard]] std::string whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view) const override {
    const Answer& answer = answers.front();
    Json content = Json::array();
    if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
    for (const Call& call : answer.calls) content.push_back({{"type", "tool_use"}, {"id", "toolu_" + call.id}, {"name", call.name}, {"input", arguments_of(call)}});
    Json body{{"id", id()}, {"type", "message"}, {"role", "assistant"}, {"model", identity().model}, {"content", std::move(content)},
              {"stop_reason", stop_reason(answer.finish_reason)}, {"stop_sequence", nullptr}};
    if (const auto told = told_of(usage)) body["usage"] = counts(*told);
    return dumped(body);
  }

 private:
  [[nodiscard]] std::string id() const { return "msg_" + identity().id; }
  static Json counts(const UsageCounts& usage) {
    return {{"input_tokens", usage.prompt - std::min(usage.cached, usage.prompt)}, {"cache_creation_input_tokens", 0}, {"cache_read_input_tokens", usage.cached},
            {"output_tokens", usage.completion}, {"service_tier", "standard"}};
  }
  static std::string_view stop_reason(std::string_view reason) {
    if (reason == "length") return "max_tokens";
    return reason == "tool_calls" ? "tool_use" : "end_turn";
  }
  static void event(std::string& out, const Json& json) {
    out.append("event: ").append(json["type"].get_ref<const std::string&>()).append("\ndata: ").append(dumped(json)).append("\n\n");
  }
  void open(std::string& out, const Json& block) {
    close(out);
    open_ = true;
    event(out, {{"type", "content_block_start"}, {"index", block_}, {"content_block", block}});
  }
  void delta(std::string& out, const Json& json) { event(out, {{"type", "content_block_delta"}, {"index", block_}, {"delta", json}}); }
  void close(std::string& out) {
    if (!open_) return;
    event(out, {{"type", "content_block_stop"}, {"index", block_++}});
    open_ = in_text_ = false;
  }

  std::uint32_t block_ = 0;
  bool open_ = false, in_text_ = false;
  std::string reason_;
};

class GeminiWire final : public ForeignWire {
 public:
  using ForeignWire::ForeignWire;

  void append_role(std::string&, std::uint32_t, const UsageCounts*) override {}
  void append_text(std::string& out, std::uint32_t choice, std::string_view piece, const UsageCounts*) override {
    chunk(out, choice, {{"text", piece}}, {});
  }
  void append_call(std::string& out, std::uint32_t choice, std::size_t, const Call& call, const UsageCounts*) override { chunk(out, choice, part_of(call), {}); }
  void append_arguments(std::string&, std::uint32_t, std::size_t, std::string_view, const UsageCounts*) override {}   // calls come whole
  void append_finish(std::string&, std::uint32_t choice, std::string_view reason, const UsageCounts*) override {
    if (reasons_.size() <= choice) reasons_.resize(choice + 1);
    reasons_[choice] = reason;
  }
  void append_end(std::string& out, const UsageCounts& usage) override {
    Json candidates = Json::array();
    for (std::size_t i = 0; i < reasons_.size(); ++i) {
      candidates.push_back({{"content", {{"parts", Json::array({{{"text", ""}}})}, {"role", "model"}}}, {"finishReason", finish_reason(reasons_[i])}, {"index", i}});
    }
    Json body{{"candidates", std::move(candidates)}};
    if (const auto told = told_of(usage)) body["usageMetadata"] = counts(*told);
    body["modelVersion"] = identity().model;
    body["responseId"] = identity().id;
    event(out, body);
  }
  [[nodiscard]] std::string whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view) const override {
    Json candidates = Json::array();
    for (const Answer& answer : answers) {
      Json parts = Json::array();
      if (!answer.text.empty()) parts.push_back({{"text", answer.text}});
      for (const Call& call : answer.calls) parts.push_back(part_of(call));
      const std::size_t index = candidates.size();
      candidates.push_back({{"content", {{"parts", std::move(parts)}, {"role", "model"}}}, {"finishReason", finish_reason(answer.finish_reason)}, {"index", index}});
    }
    Json body{{"candidates", std::move(candidates)}};
    if (const auto told = told_of(usage)) body["usageMetadata"] = counts(*told);
    body["modelVersion"] = identity().model;
    body["responseId"] = identity().id;
    return dumped(body);
  }

 private:
  static Json part_of(const Call& call) { return {{"functionCall", {{"name", call.name}, {"args", arguments_of(call)}}}, {"thoughtSignature", "c2ltdWxhdGVk"}}; }
  static std::string_view finish_reason(std::string_view reason) { return reason == "length" ? "MAX_TOKENS" : "STOP"; }
  static Json counts(const UsageCounts& usage) {
    Json json{{"promptTokenCount", usage.prompt}, {"candidatesTokenCount", usage.completion}, {"totalTokenCount", usage.prompt + usage.completion}};
    if (usage.cached > 0) json["cachedContentTokenCount"] = usage.cached;
    return json;
  }
  static void event(std::string& out, const Json& json) { out.append("data: ").append(dumped(json)).append("\r\n\r\n"); }   // theirs end in CRLF
  void chunk(std::string& out, std::uint32_t choice, const Json& part, std::string_view) {
    Json body{{"candidates", Json::array({{{"content", {{"parts", Json::array({part})}, {"role", "model"}}}, {"index", choice}}})}};
    // Each event repeats the count so far.
    if (const auto told = told_of({identity().prompt_tokens, ++told_tokens_, 0})) body["usageMetadata"] = counts(*told);
    body["modelVersion"] = identity().model;
    body["responseId"] = identity().id;
    event(out, body);
  }

  std::uint32_t told_tokens_ = 0;
  std::vector<std::string> reasons_;
};

class BedrockWire final : public ForeignWire {
 public:
  using ForeignWire::ForeignWire;
  [[nodiscard]] std::string_view stream_type() const noexcept override { return "application/vnd.amazon.eventstream"; }

  void append_role(std::string& out, std::uint32_t, const UsageCounts*) override { event(out, "messageStart", {{"role", "assistant"}}); }
  void append_text(std::string& out, std::uint32_t, std::string_view piece, const UsageCounts*) override {
    open_ = true;
    event(out, "contentBlockDelta", {{"contentBlockIndex", block_}, {"delta", {{"text", piece}}}});
  }
  void append_call(std::string& out, std::uint32_t, std::size_t, const Call& call, const UsageCounts*) override {
    close(out);
    open_ = true;
    event(out, "contentBlockStart", {{"contentBlockIndex", block_}, {"start", {{"toolUse", {{"toolUseId", "tooluse_" + call.id}, {"name", call.name}}}}}});
  }
  void append_arguments(std::string& out, std::uint32_t, std::size_t, std::string_view piece, const UsageCounts*) override {
    event(out, "contentBlockDelta", {{"contentBlockIndex", block_}, {"delta", {{"toolUse", {{"input", piece}}}}}});
  }
  void append_finish(std::string& out, std::uint32_t, std::string_view reason, const UsageCounts*) override {
    close(out);
    event(out, "messageStop", {{"stopReason", stop_reason(reason)}});
  }
  void append_end(std::string& out, const UsageCounts& usage) override {
    Json metadata{{"metrics", {{"latencyMs", 1}}}};
    if (const auto told = told_of(usage)) metadata["usage"] = counts(*told);
    event(out, "metadata", metadata);
  }
  [[nodiscard]] std::string whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view) const override {
    const Answer& answer = answers.front();
    Json content = Json::array();
    if (!answer.text.empty()) content.push_back({{"text", answer.text}});
    for (const Call& call : answer.calls) content.push_back({{"toolUse", {{"toolUseId", "tooluse_" + call.id}, {"name", call.name}, {"input", arguments_of(call)}}}});
    Json body{{"output", {{"message", {{"role", "assistant"}, {"content", std::move(content)}}}}}, {"stopReason", stop_reason(answer.finish_reason)},
              {"metrics", {{"latencyMs", 1}}}};
    if (const auto told = told_of(usage)) body["usage"] = counts(*told);
    return dumped(body);
  }

 private:
  static std::string_view stop_reason(std::string_view reason) {
    if (reason == "length") return "max_tokens";
    return reason == "tool_calls" ? "tool_use" : "end_turn";
  }
  static Json counts(const UsageCounts& usage) {
    return {{"inputTokens", usage.prompt - std::min(usage.cached, usage.prompt)}, {"outputTokens", usage.completion}, {"totalTokens", usage.prompt + usage.completion},
            {"cacheReadInputTokens", usage.cached}, {"cacheWriteInputTokens", 0}};
  }
  static void event(std::string& out, std::string_view type, const Json& json) { out += make_frame("event", type, dumped(json)); }
  void close(std::string& out) {
    if (!open_) return;
    open_ = false;
    event(out, "contentBlockStop", {{"contentBlockIndex", block_++}});
  }

  std::uint32_t block_ = 0;
  bool open_ = false;
};

// Jobs' results; they are never streamed. `metrics` says how long the job was worked on, in seconds.
class JobWire final : public ForeignWire {
 public:
  using ForeignWire::ForeignWire;
  [[nodiscard]] std::string whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view metrics) const override {
    const double seconds = metrics.empty() ? 0 : std::strtod(std::string(metrics).c_str(), nullptr);
    const auto told = told_of(usage);
    if (identity().personality == DialectName::replicate) return replicate(answers.front(), told, seconds);
    if (identity().personality == DialectName::fal) return dumped({{"output", answers.front().text}, {"partial", false}, {"error", nullptr}});
    Identity inner = identity();
    inner.personality = DialectName::vllm;
    const Json output = Json::parse(Wire(std::move(inner)).whole(answers, usage));
    return dumped({{"id", "sync-" + identity().id}, {"status", "COMPLETED"}, {"delayTime", 12}, {"executionTime", std::llround(seconds * 1000)},
                   {"workerId", "simulated"}, {"output", Json::array({output})}});
  }

 private:
  [[nodiscard]] std::string replicate(const Answer& answer, const std::optional<UsageCounts>& told, double seconds) const {
    Json metrics{{"predict_time", seconds}, {"total_time", seconds + 0.05}};
    if (told) {
      metrics["input_token_count"] = told->prompt;
      metrics["output_token_count"] = told->completion;
    }
    const std::size_t half = answer.text.size() / 2;      // pieces, as their language models give them; one may end anywhere but in a character
    std::size_t cut = half;
    while (cut < answer.text.size() && (static_cast<unsigned char>(answer.text[cut]) & 0xC0U) == 0x80U) ++cut;
    return dumped({{"id", identity().id}, {"model", identity().model}, {"version", "hidden"}, {"input", Json::object()}, {"logs", ""},
                   {"output", Json::array({answer.text.substr(0, cut), answer.text.substr(cut)})}, {"error", nullptr}, {"status", "succeeded"},
                   {"metrics", std::move(metrics)}});
  }
};

}  // namespace

std::unique_ptr<Wire> make_foreign_wire(Identity identity) {
  if (facts_of(identity.personality).form == WireForm::job) return std::make_unique<JobWire>(std::move(identity));
  if (identity.personality == DialectName::anthropic) return std::make_unique<AnthropicWire>(std::move(identity));
  if (identity.personality == DialectName::gemini) return std::make_unique<GeminiWire>(std::move(identity));
  return std::make_unique<BedrockWire>(std::move(identity));
}

std::string foreign_error_body(DialectName personality, const ErrorText& error) {
  const auto word = [&](std::string_view anthropic, std::string_view gemini) { return personality == DialectName::anthropic ? anthropic : gemini; };
  std::string_view type = error.status >= 500 ? word("api_error", "INTERNAL") : word("invalid_request_error", "INVALID_ARGUMENT");
  switch (error.status) {
    case 401: type = word("authentication_error", "UNAUTHENTICATED"); break;
    case 403: type = word("permission_error", "PERMISSION_DENIED"); break;
    case 404: type = word("not_found_error", "NOT_FOUND"); break;
    case 429: type = word("rate_limit_error", "RESOURCE_EXHAUSTED"); break;
    case 503: type = word("overloaded_error", "UNAVAILABLE"); break;
    case 504: type = word("timeout_error", "DEADLINE_EXCEEDED"); break;
    case 529: type = word("overloaded_error", "UNAVAILABLE"); break;
    default: break;
  }
  if (personality == DialectName::anthropic) {
    return dumped({{"type", "error"}, {"error", {{"type", type}, {"message", error.message}}}, {"request_id", "req_simulated"}});
  }
  if (personality == DialectName::gemini) return dumped({{"error", {{"code", error.status}, {"message", error.message}, {"status", type}}}});
  if (personality == DialectName::replicate) return dumped({{"title", "The request was refused"}, {"detail", error.message}, {"status", error.status}});
  if (personality == DialectName::runpod) return dumped({{"error", error.message}});
  if (personality == DialectName::fal) return dumped({{"detail", error.message}});
  return dumped({{"message", error.message}});
}

std::string error_event(DialectName personality, const ErrorText& error) {
  const std::string body = error_body(personality, error);
  if (personality == DialectName::bedrock) return make_frame("exception", "internalServerException", body);
  return (personality == DialectName::anthropic ? "event: error\ndata: " : "data: ") + body + "\n\n";
}

}  // namespace tollgate::simulator
