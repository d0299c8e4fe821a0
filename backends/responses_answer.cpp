// A chat completion said as a Response, and its stream as the Responses API's events.

#include <map>

#include "backends/answer_writer.hpp"
#include "backends/chat_writer.hpp"
#include "backends/json_members.hpp"

namespace tollgate {
namespace {

using json::at;
using json::dumped;
using json::text_at;
using Json = nlohmann::ordered_json;

Json usage_json(const Usage& usage) {
  const std::int64_t input = usage.total_input().count(), output = usage.total_output().count();
  const std::int64_t written = usage.cache_write.count() + usage.of(RareClass::cache_write_1h).count();
  return {{"input_tokens", input},
          {"input_tokens_details", {{"cached_tokens", usage.cached_input.count()}, {"cache_write_tokens", written}}},
          {"output_tokens", output},
          {"output_tokens_details", {{"reasoning_tokens", usage.reasoning.count()}}},
          {"total_tokens", input + output}};
}

/// What a Response repeats of its request.
Json echo_of(const Json& request) {
  const auto or_else = [&](const char* name, Json unset) { return at(request, name).is_null() ? std::move(unset) : at(request, name); };
  Json text = at(request, "text").is_object() ? request["text"] : Json::object();
  if (!text.contains("format")) text["format"] = {{"type", "text"}};
  const Json& reasoning = at(request, "reasoning");
  return {{"instructions", or_else("instructions", nullptr)},
          {"max_output_tokens", or_else("max_output_tokens", nullptr)},
          {"metadata", or_else("metadata", Json::object())},
          {"parallel_tool_calls", or_else("parallel_tool_calls", true)},
          {"previous_response_id", nullptr},
          {"reasoning", {{"effort", at(reasoning, "effort")}, {"summary", at(reasoning, "summary")}}},
          {"store", false},   // nothing is kept here, whatever was asked for
          {"temperature", or_else("temperature", nullptr)},
          {"text", std::move(text)},
          {"tool_choice", or_else("tool_choice", "auto")},
          {"tools", or_else("tools", Json::array())},
          {"top_p", or_else("top_p", nullptr)},
          {"truncation", "disabled"},
          {"user", or_else("user", nullptr)}};
}

Json text_part(const std::string& text, const Json& logprobs) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", logprobs}};
}

Json refusal_part(const std::string& text) { return {{"type", "refusal"}, {"refusal", text}}; }

class ResponsesWriter final : public AnswerWriter {
 public:
  explicit ResponsesWriter(const Json& request) : echo_(dumped(echo_of(request))) {
    wants_summary_ = !at(at(request, "reasoning"), "summary").is_null();
    for (const Json& group : at(request, "tools")) {
      if (text_at(group, "type") != "namespace") continue;
      const std::string name_space = text_at(group, "name");
      for (const Json& tool : at(group, "tools")) grouped_[inbound::chat_name_of(name_space, text_at(tool, "name"))] = {name_space, text_at(tool, "name")};
    }
  }

  void finish(const Usage& usage, std::string& out) override {
    begin(out);
    close(out, "completed");
    Json body = response(status_of(finish_), Json::array());
    for (const std::string& item : items_) body["output"].push_back(Json::parse(item));
    set_incomplete(finish_, body);
    body["usage"] = usage_json(usage);
    tell(finish_ == "length" || finish_ == "content_filter" ? "response.incomplete" : "response.completed", {{"response", std::move(body)}}, out);
  }

  void fail(const Error& error, std::string& out) override {
    begin(out);
    close(out, "incomplete");
    const std::string_view code = code_of(error).empty() ? std::string_view("server_error") : code_of(error);
    tell("error", {{"code", code}, {"message", error.message}, {"param", nullptr}}, out);
    Json body = response("failed", Json::array());
    for (const std::string& item : items_) body["output"].push_back(Json::parse(item));
    body["error"] = {{"code", code}, {"message", error.message}};
    tell("response.failed", {{"response", std::move(body)}}, out);
  }

 private:
  enum class Open : std::uint8_t { nothing, text, refusal, reasoning, call };

  Json write(const Said& said, const Usage& usage) override {
    Json output = Json::array();
    if (!said.reasoning.empty() || !said.thinking_blocks.empty()) {
      output.push_back(reasoning_item(item_id("rs_", output.size()), said.reasoning, said.thinking_blocks));
    }
    Json parts = Json::array();
    if (!said.text.empty() || (said.refusal.empty() && said.calls.empty())) parts.push_back(text_part(said.text, said.logprobs));
    if (!said.refusal.empty()) parts.push_back(refusal_part(said.refusal));
    const std::string status = status_of(said.finish);
    if (!parts.empty()) output.push_back(message_item(item_id("msg_", output.size()), status, std::move(parts)));
    for (const Json& call : said.calls) {
      const Json& function = at(call, "function");
      output.push_back(call_item(item_id("fc_", output.size()), status, text_at(call, "id"), text_at(function, "name"), text_at(function, "arguments")));
    }
    Json body = response(status, std::move(output));
    set_incomplete(said.finish, body);
    body["usage"] = usage_json(usage);
    return body;
  }

  void text(std::string_view piece, const Json& logprobs, std::string& out) override {
    if (open_ != Open::text) open_part(Open::text, text_part("", Json::array()), out);
    Json told = Json::array();
    for (const Json& each : logprobs) {
      told.push_back(each);
      logprobs_.push_back(each);
    }
    text_ += piece;
    tell("response.output_text.delta", {{"item_id", item_}, {"output_index", items_.size()}, {"content_index", parts_.size()}, {"delta", piece}, {"logprobs", std::move(told)}}, out);
  }
  void refusal(std::string_view piece, std::string& out) override {
    if (open_ != Open::refusal) open_part(Open::refusal, refusal_part(""), out);
    text_ += piece;
    tell("response.refusal.delta", {{"item_id", item_}, {"output_index", items_.size()}, {"content_index", parts_.size()}, {"delta", piece}}, out);
  }
  void reasoning(std::string_view piece, std::string& out) override {
    open_reasoning(out);
    if (!wants_summary_) return;
    if (text_.empty()) tell("response.reasoning_summary_part.added", summary({{"part", {{"type", "summary_text"}, {"text", ""}}}}), out);
    text_ += piece;
    tell("response.reasoning_summary_text.delta", summary({{"delta", piece}}), out);
  }
  void thinking_block(const Json& block, std::string& out) override {
    open_reasoning(out);
    blocks_.push_back(block);
  }
  void call(const std::string& id, const std::string& name, std::string& out) override {
    close(out, "completed");
    begin(out);
    open_ = Open::call;
    item_ = item_id("fc_", items_.size());
    call_id_ = id;
    name_ = name;
    tell("response.output_item.added", {{"output_index", items_.size()}, {"item", call_item(item_, "in_progress", id, name, "")}}, out);
  }
  void arguments(std::string_view piece, std::string& out) override {
    text_ += piece;
    tell("response.function_call_arguments.delta", {{"item_id", item_}, {"output_index", items_.size()}, {"delta", piece}}, out);
  }

  void tell(std::string_view type, const Json& members, std::string& out) {
    Json json{{"type", type}, {"sequence_number", sequence_++}};
    json.update(members);
    event(json, out);
  }
  [[nodiscard]] Json summary(const Json& members) const {
    Json json{{"item_id", item_}, {"output_index", items_.size()}, {"summary_index", 0}};
    json.update(members);
    return json;
  }

  [[nodiscard]] std::string item_id(std::string_view prefix, std::size_t index) const { return std::string(prefix) + id_ + "_" + std::to_string(index); }
  static std::string status_of(const std::string& finish) { return finish == "length" || finish == "content_filter" ? "incomplete" : "completed"; }
  static void set_incomplete(const std::string& finish, Json& body) {
    if (finish == "length") body["incomplete_details"] = {{"reason", "max_output_tokens"}};
    if (finish == "content_filter") body["incomplete_details"] = {{"reason", "content_filter"}};
  }
  [[nodiscard]] Json response(std::string_view status, Json output) const {
    Json body{{"id", id_.starts_with("resp_") ? id_ : "resp_" + id_}, {"object", "response"}, {"created_at", created_}, {"status", status},
              {"background", false}, {"error", nullptr}, {"incomplete_details", nullptr}, {"model", model_}};
    body["output"] = std::move(output);
    body.update(Json::parse(echo_));
    if (!service_tier_.empty()) body["service_tier"] = service_tier_;
    body["usage"] = nullptr;
    return body;
  }
  static Json message_item(const std::string& id, std::string_view status, Json parts) {
    return {{"id", id}, {"type", "message"}, {"status", status}, {"role", "assistant"}, {"content", std::move(parts)}};
  }
  [[nodiscard]] Json call_item(const std::string& id, std::string_view status, const std::string& call_id, const std::string& name, const std::string& arguments) const {
    Json item{{"id", id}, {"type", "function_call"}, {"status", status}, {"call_id", call_id}, {"name", name}, {"arguments", arguments}};
    if (const auto grouped = grouped_.find(name); grouped != grouped_.end()) {
      item["namespace"] = grouped->second.first;
      item["name"] = grouped->second.second;
    }
    return item;
  }
  [[nodiscard]] Json reasoning_item(const std::string& id, const std::string& text, const Json& blocks) const {
    Json item{{"id", id}, {"type", "reasoning"}, {"summary", Json::array()}};
    if (wants_summary_ && !text.empty()) item["summary"].push_back({{"type", "summary_text"}, {"text", text}});
    if (!blocks.empty()) item["encrypted_content"] = std::string(sealed_thinking) + dumped(blocks);
    return item;
  }

  void begin(std::string& out) {
    if (sequence_ != 0) return;
    const Json body = response("in_progress", Json::array());
    tell("response.created", {{"response", body}}, out);
    tell("response.in_progress", {{"response", body}}, out);
  }
  void open_part(Open what, const Json& part, std::string& out) {
    begin(out);
    const bool same_item = open_ == Open::text || open_ == Open::refusal;
    if (same_item) {
      close_part(out);
    } else {
      close(out, "completed");
      item_ = item_id("msg_", items_.size());
      tell("response.output_item.added", {{"output_index", items_.size()}, {"item", message_item(item_, "in_progress", Json::array())}}, out);
    }
    open_ = what;
    tell("response.content_part.added", {{"item_id", item_}, {"output_index", items_.size()}, {"content_index", parts_.size()}, {"part", part}}, out);
  }
  void open_reasoning(std::string& out) {
    if (open_ == Open::reasoning) return;
    begin(out);
    close(out, "completed");
    open_ = Open::reasoning;
    item_ = item_id("rs_", items_.size());
    tell("response.output_item.added", {{"output_index", items_.size()}, {"item", {{"id", item_}, {"type", "reasoning"}, {"summary", Json::array()}}}}, out);
  }
  void close_part(std::string& out) {
    const Json place{{"item_id", item_}, {"output_index", items_.size()}, {"content_index", parts_.size()}};
    Json done = place;
    Json part;
    if (open_ == Open::text) {
      done["text"] = text_;
      done["logprobs"] = logprobs_;
      part = text_part(text_, logprobs_);
      tell("response.output_text.done", done, out);
    } else {
      done["refusal"] = text_;
      part = refusal_part(text_);
      tell("response.refusal.done", done, out);
    }
    Json part_done = place;
    part_done["part"] = part;
    tell("response.content_part.done", part_done, out);
    parts_.push_back(std::move(part));
    text_.clear();
    logprobs_ = Json::array();
  }
  void close(std::string& out, std::string_view status) {
    Json item;
    switch (open_) {
      case Open::nothing:
        return;
      case Open::text:
      case Open::refusal:
        close_part(out);
        item = message_item(item_, finish_.empty() ? status : status_of(finish_), std::move(parts_));
        parts_ = Json::array();
        break;
      case Open::reasoning:
        if (!text_.empty()) {
          tell("response.reasoning_summary_text.done", summary({{"text", text_}}), out);
          tell("response.reasoning_summary_part.done", summary({{"part", {{"type", "summary_text"}, {"text", text_}}}}), out);
        }
        item = reasoning_item(item_, text_, blocks_);
        blocks_ = Json::array();
        break;
      case Open::call:
        item = call_item(item_, finish_.empty() ? status : status_of(finish_), call_id_, name_, text_);
        tell("response.function_call_arguments.done", {{"item_id", item_}, {"output_index", items_.size()}, {"name", item["name"]}, {"arguments", text_}}, out);
        break;
    }
    open_ = Open::nothing;
    text_.clear();
    tell("response.output_item.done", {{"output_index", items_.size()}, {"item", item}}, out);
    items_.push_back(dumped(item));
  }

  std::map<std::string, std::pair<std::string, std::string>> grouped_;   // tools of namespaces, by what they are called in chat completions
  const std::string echo_;           // as text: a tree of it would live as long as the stream
  bool wants_summary_ = false;
  Open open_ = Open::nothing;
  std::int64_t sequence_ = 0;
  std::vector<std::string> items_;   // those that are done
  std::string item_, call_id_, name_, text_;   // of the open one
  Json parts_ = Json::array(), logprobs_ = Json::array(), blocks_ = Json::array();
};

}  // namespace

std::unique_ptr<AnswerWriter> make_responses_writer(const Json& request) { return std::make_unique<ResponsesWriter>(request); }

}  // namespace tollgate
