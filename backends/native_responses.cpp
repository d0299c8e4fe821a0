#include "backends/json_members.hpp"
#include "backends/native_readers.hpp"
#include "backends/stream_of.hpp"
#include "backends/upstream_error.hpp"
#include "config/dialects.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::count_at;
using json::dumped;
using json::text_at;

/// Reasoning that this gateway sealed for models of others: nobody else can open it.
void drop_sealed_thinking(Json& body) {
  if (!at(body, "input").is_array()) return;
  Json kept = Json::array();
  for (Json& item : body["input"]) {
    if (!text_at(item, "encrypted_content").starts_with(sealed_thinking)) kept.push_back(std::move(item));
  }
  body["input"] = std::move(kept);
}

std::uint64_t text_bytes(const Json& output) {
  std::uint64_t bytes = 0;
  for (const Json& item : output) {
    bytes += text_at(item, "arguments").size();
    for (const char* const list : {"content", "summary"}) {
      for (const Json& part : at(item, list)) bytes += text_at(part, "text").size() + text_at(part, "refusal").size();
    }
  }
  return bytes;
}

Error told_error(const Json& error) {
  const std::string code = text_at(error, "code");
  const bool busy = code == "rate_limit_exceeded" || code == "server_overloaded" || code == "slow_down";
  Error told = fail(busy ? Fault::upstream_busy : Fault::upstream_status, text_at(error, "message"));
  if (told.message.empty()) told.message = "the upstream sent an error";
  told.code = code;
  return told;
}

}  // namespace

std::optional<Usage> responses_usage(const Json& response) {
  const Json& usage = at(response, "usage");
  if (!at(usage, "input_tokens").is_number_integer() || !at(usage, "output_tokens").is_number_integer()) return std::nullopt;
  Usage out;
  TokenCount input, written;
  const Json& details = at(usage, "input_tokens_details");
  const bool counts = count_at(usage, "input_tokens", input) && count_at(usage, "output_tokens", out.output) && count_at(details, "cached_tokens", out.cached_input) &&
                      count_at(details, "cache_write_tokens", written) && count_at(at(usage, "output_tokens_details"), "reasoning_tokens", out.reasoning);
  if (!counts || out.cached_input.count() + written.count() > input.count() || out.reasoning.count() > out.output.count()) return std::nullopt;
  out.cache_write = written;
  out.input = TokenCount{input.count() - out.cached_input.count() - written.count()};
  for (const Json& item : at(response, "output")) {
    if (text_at(item, "type") == "web_search_call" && text_at(item, "status") == "completed") ++out.web_searches;
  }
  return out;
}

Result<void> ResponsesDialect::write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  Json body = Json::parse(client.text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "the body must be a JSON object");
  body["model"] = target.upstream;
  body["store"] = false;   // kept there it could not be fetched through here
  if (client.text.find(sealed_thinking) != std::string_view::npos) drop_sealed_thinking(body);
  out.set(dumped(body), {});
  if (backend.dialect == DialectName::azure_openai) {
    out.path = backend.api_version.empty() ? "/openai/v1/responses" : "/openai/responses?api-version=" + backend.api_version;
  }
  return success();
}

std::unique_ptr<StreamReader> ResponsesDialect::stream_reader(const ClientBody&) const { return std::make_unique<NativeResponsesReader>(); }

Result<Answer> ResponsesDialect::read_answer(Surface, std::string_view body) const {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !at(json, "output").is_array()) return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a Response");
  if (text_at(json, "status") == "failed") return told_error(at(json, "error"));
  Answer answer;
  answer.content_bytes = text_bytes(json["output"]);
  if (const auto usage = responses_usage(json)) {
    answer.usage = *usage;
    answer.usage_source = UsageSource::exact;
  }
  const std::string tier = text_at(json, "service_tier");
  // A view of the body, which outlives the tree.
  if (const std::size_t where = tier.empty() ? std::string_view::npos : body.find("\"" + tier + "\""); where != std::string_view::npos) {
    answer.service_tier = body.substr(where + 1, tier.size());
  }
  return answer;
}

Error ResponsesDialect::read_error(int status, std::string_view body) const { return read_upstream_error(status, body); }

Result<void> NativeResponsesReader::take(std::string_view raw, Told& told) {
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  if (data.empty() || data.starts_with("[DONE]")) return success();
  const Json event = Json::parse(data, nullptr, false);
  if (!event.is_object()) return fail(Fault::upstream_garbage, "the upstream's stream holds an event that is not a JSON object");
  const std::string type = text_at(event, "type");
  if (type == "response.created" || type == "response.queued" || type == "response.in_progress") return success();
  const Json& response = at(event, "response");
  const bool failed = type == "error" || type == "response.failed";
  if (response.is_object()) {
    if (const auto usage = responses_usage(response)) {
      usage_ = *usage;
      usage_source_ = UsageSource::exact;
    }
    service_tier_ = text_at(response, "service_tier");
  }
  if (failed) {
    Error error = told_error(type == "error" ? (at(event, "error").is_object() ? at(event, "error") : event) : at(response, "error"));
    if (begun()) {   // the client reads it as it is
      told = Told::error_passed;
      error.fault = Fault::upstream_status;
    }
    return error;
  }
  told = Told::content;
  if (type.ends_with(".delta")) content_bytes_ += text_at(event, "delta").size();
  complete_ = type == "response.completed" || type == "response.incomplete";
  return success();
}

Result<void> NativeResponsesReader::finish(Pieces&) {
  if (complete_) return success();
  return fail(Fault::upstream_broke_off, "the upstream's stream ended before its answer was complete");
}

std::string native_answer_as_chat(ClientForm form, std::string_view body) {
  if (form == ClientForm::messages) {
    const Result<Answer> read = dialect_of(DialectName::anthropic).read_answer(Surface::chat, body);
    return read ? read.value().owned : std::string();
  }
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return {};
  std::string text, refusal;
  Json calls = Json::array();
  for (const Json& item : at(json, "output")) {
    if (text_at(item, "type") == "function_call") calls.push_back({{"type", "function"}, {"function", {{"name", text_at(item, "name")}, {"arguments", text_at(item, "arguments")}}}});
    if (text_at(item, "type") != "message") continue;
    for (const Json& part : at(item, "content")) {
      text += text_at(part, "text");
      refusal += text_at(part, "refusal");
    }
  }
  const std::string why = text_at(at(json, "incomplete_details"), "reason");
  Json message{{"role", "assistant"}, {"content", text}, {"refusal", refusal.empty() ? Json() : Json(refusal)}};
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  const std::string finish = why == "max_output_tokens" ? "length" : why == "content_filter" ? "content_filter" : "stop";
  Json choice{{"index", 0}, {"message", std::move(message)}, {"finish_reason", finish}};
  Json chat{{"object", "chat.completion"}};
  chat["choices"] = Json::array({std::move(choice)});
  return dumped(chat);
}

namespace {

/// A Messages stream, by the reader that translates it for clients of chat completions.
std::string messages_stream_as_chat(std::string_view events) {
  const ClientBody client;
  const std::unique_ptr<StreamReader> reader = dialect_of(DialectName::anthropic).stream_reader(client);
  std::string chunks;
  Pieces out;
  const Result<void> fed = reader->feed(events, out);
  for (const std::string_view piece : out) chunks.append(piece);
  out.clear();
  if (fed && reader->finish(out)) {
    for (const std::string_view piece : out) chunks.append(piece);
  }
  return chunks;
}

/// The Response that a stream ended with. Some servers leave its output empty, for each item was told before.
Json last_response(std::string_view events) {
  Json response, items = Json::array();
  SseSplitter splitter;
  const Result<void> read = splitter.feed(events, [&](std::string_view raw) {
    std::string joined;
    const Json event = Json::parse(event_data(raw, joined), nullptr, false);
    if (!event.is_object()) return;
    if (text_at(event, "type") == "response.output_item.done") items.push_back(at(event, "item"));
    if (const Json& told = at(event, "response"); told.is_object()) response = told;
  });
  if (!read || !response.is_object()) return {};
  if (!at(response, "output").is_array() || at(response, "output").empty()) response["output"] = std::move(items);
  return response;
}

}  // namespace

std::string native_stream_as_chat(ClientForm form, std::string_view events) {
  if (form == ClientForm::messages) return messages_stream_as_chat(events);
  const Json response = last_response(events);
  if (!response.is_object()) return {};
  const Result<std::string> chunks = stream_of(native_answer_as_chat(form, dumped(response)), ClientBody{}, {});
  return chunks ? chunks.value() : std::string();
}

}  // namespace tollgate
