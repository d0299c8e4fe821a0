#include "backends/chat_answer.hpp"

#include <ctime>
#include <random>

#include "backends/json_members.hpp"
#include "backends/splice.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::dumped;

Json call_json(const AnsweredCall& call) {
  Json json{{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
  if (!call.signature.empty()) json["extra_content"] = {{"google", {{"thought_signature", call.signature}}}};
  return json;
}

Json choice_json(const AnsweredChoice& choice, std::size_t index) {
  Json message{{"role", "assistant"}, {"content", nullptr}, {"refusal", nullptr}};
  if (!choice.text.empty() || choice.calls.empty()) message["content"] = choice.text;
  if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
  if (!choice.thinking_blocks.empty()) message["thinking_blocks"] = choice.thinking_blocks;
  for (const AnsweredCall& call : choice.calls) message["tool_calls"].push_back(call_json(call));
  return {{"index", index}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", choice.finish_reason}};
}

}  // namespace

std::string openai_usage(const Usage& usage) {
  const std::int64_t input = usage.total_input().count(), output = usage.total_output().count();
  const std::int64_t written = usage.cache_write.count() + usage.of(RareClass::cache_write_1h).count();
  Json details{{"cached_tokens", usage.cached_input.count()}};
  if (written > 0) details["cache_write_tokens"] = written;
  return dumped({{"prompt_tokens", input},
                 {"completion_tokens", output},
                 {"total_tokens", input + output},
                 {"prompt_tokens_details", std::move(details)},
                 {"completion_tokens_details", {{"reasoning_tokens", usage.reasoning.count()}}}});
}

std::string new_call_id() {
  constexpr std::string_view letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::size_t length = 24;
  thread_local std::mt19937_64 random{std::random_device{}()};
  std::uniform_int_distribution<std::size_t> pick(0, letters.size() - 1);
  std::string id = "call_";
  for (std::size_t i = 0; i < length; ++i) id += letters[pick(random)];
  return id;
}

Answer write_answer(const ChatAnswer& answer) {
  Answer out;
  Json body{{"id", answer.id},
            {"object", "chat.completion"},
            {"created", answer.created != 0 ? answer.created : static_cast<std::int64_t>(std::time(nullptr))},
            {"model", answer.model}};
  Json choices = Json::array();
  for (const AnsweredChoice& choice : answer.choices) {
    choices.push_back(choice_json(choice, choices.size()));
    out.content_bytes += choice.text.size() + choice.reasoning.size();
    for (const AnsweredCall& call : choice.calls) out.content_bytes += call.arguments.size();
  }
  std::size_t tier_at = 0;
  if (!answer.service_tier.empty()) {
    body["service_tier"] = answer.service_tier;
    tier_at = dumped(body).size() - 2 - answer.service_tier.size();   // names of tiers are plain words: no escapes
  }
  body["choices"] = std::move(choices);
  out.owned = dumped(body);
  if (answer.usage_source == UsageSource::exact) {
    out.usage = answer.usage;
    out.usage_source = UsageSource::exact;
    out.owned.pop_back();
    out.owned.append(",\"usage\":").append(openai_usage(answer.usage)).append("}");
    out.usage_close = out.owned.size() - 2;
  }
  if (tier_at != 0) out.service_tier = std::string_view(out.owned).substr(tier_at, answer.service_tier.size());
  return out;
}

TranslatingReader::TranslatingReader(const ClientBody& client) : include_usage_(client.include_usage), wants_cost_(client.wants_cost) {}

Result<void> TranslatingReader::feed(std::string_view bytes, Pieces& out) {
  own_.clear();
  const Result<void> outcome = complete_ ? success() : read(bytes);
  if (!own_.empty()) out.push_back(own_);
  return outcome;
}

Result<void> TranslatingReader::finish(Pieces& out) {
  own_.clear();
  if (!complete_ && ended_well()) tell_end();
  if (!own_.empty()) out.push_back(own_);
  if (complete_) return success();
  return fail(Fault::upstream_broke_off, "the upstream's stream ended before its answer was complete");
}

void TranslatingReader::release(std::string_view cost_usd, Pieces& out) {
  if (held_usage_close_ != 0 && !cost_usd.empty()) held_.insert(held_usage_close_, ",\"cost\":" + std::string(cost_usd));
  own_ = std::move(held_);
  held_.clear();
  held_usage_close_ = 0;
  out.push_back(own_);
}

std::size_t TranslatingReader::memory_bytes() const noexcept {
  return id_.capacity() + model_.capacity() + prefix_.capacity() + own_.capacity() + held_.capacity();
}

void TranslatingReader::identify(std::string id, std::string model) {
  if (identified_) return;
  identified_ = true;
  id_ = std::move(id);
  model_ = std::move(model);
  prefix_ = "{\"id\":" + json_quoted(id_) + ",\"object\":\"chat.completion.chunk\",\"created\":" + std::to_string(std::time(nullptr)) +
            ",\"model\":" + json_quoted(model_);
  if (!service_tier_.empty()) prefix_ += ",\"service_tier\":" + json_quoted(service_tier_);
  prefix_ += ",\"choices\":[";
}

void TranslatingReader::open_chunk(std::int64_t choice) {
  if (!identified_) identify("", "");
  written_ = true;
  own_.append("data: ").append(prefix_).append("{\"index\":").append(std::to_string(choice)).append(",\"delta\":{");
}

void TranslatingReader::close_chunk(std::string_view finish_reason) {
  own_ += "},\"logprobs\":null,\"finish_reason\":";
  own_ += finish_reason.empty() ? "null" : json_quoted(finish_reason);
  own_ += "}]";
  if (include_usage_) own_ += ",\"usage\":null";
  own_ += "}\n\n";
}

// The role goes with the choice's first chunk, and that waits for content: until then another target may be asked.
void TranslatingReader::begin(std::int64_t choice) {
  const std::uint64_t bit = std::uint64_t{1} << (choice & 63);
  if ((begun_ & bit) != 0) return;
  begun_ |= bit;
  open_chunk(choice);
  own_ += "\"role\":\"assistant\",\"content\":\"\"";
  close_chunk({});
}

void TranslatingReader::tell_text(std::int64_t choice, std::string_view piece) {
  if (piece.empty()) return;
  begin(choice);
  content_seen_ = true;
  content_bytes_ += piece.size();
  open_chunk(choice);
  own_.append("\"content\":").append(json_quoted(piece));
  close_chunk({});
}

void TranslatingReader::tell_reasoning(std::int64_t choice, std::string_view piece) {
  if (piece.empty()) return;
  begin(choice);
  content_seen_ = true;
  content_bytes_ += piece.size();
  open_chunk(choice);
  own_.append("\"reasoning_content\":").append(json_quoted(piece));
  close_chunk({});
}

void TranslatingReader::tell_thinking_block(std::int64_t choice, const Json& block) {
  begin(choice);
  open_chunk(choice);
  own_.append("\"thinking_blocks\":[").append(dumped(block)).append("]");
  close_chunk({});
}

void TranslatingReader::tell_call(std::int64_t choice, std::int64_t index, const AnsweredCall& call) {
  begin(choice);
  content_seen_ = true;
  content_bytes_ += call.arguments.size();
  Json json = call_json(call);
  json["index"] = index;
  open_chunk(choice);
  own_.append("\"tool_calls\":[").append(dumped(json)).append("]");
  close_chunk({});
}

void TranslatingReader::tell_arguments(std::int64_t choice, std::int64_t index, std::string_view piece) {
  if (piece.empty()) return;
  content_bytes_ += piece.size();
  open_chunk(choice);
  own_.append("\"tool_calls\":[{\"index\":").append(std::to_string(index)).append(",\"function\":{\"arguments\":").append(json_quoted(piece)).append("}}]");
  close_chunk({});
}

void TranslatingReader::tell_finish(std::int64_t choice, std::string_view reason) {
  begin(choice);
  open_chunk(choice);
  close_chunk(reason);
}

void TranslatingReader::tell_usage(const Usage& usage, UsageSource source) {
  usage_ = usage;
  usage_source_ = source;
}

void TranslatingReader::tell_end() {
  constexpr std::string_view end_mark = "data: [DONE]\n\n";
  complete_ = true;
  const bool known = usage_source_ == UsageSource::exact;
  std::string last;
  std::size_t usage_close = 0;
  if (known && (include_usage_ || wants_cost_)) {
    last = "data: " + prefix_ + "],\"usage\":" + openai_usage(usage_);
    usage_close = last.size() - 1;
    last += "}\n\n";
  }
  last += end_mark;
  if (wants_cost_) {
    held_ = std::move(last);
    held_usage_close_ = usage_close;
  } else {
    own_ += last;
  }
}

Result<void> TranslatingReader::tell_error(Fault fault, std::string message) {
  if (!written_) return fail(fault, std::move(message));
  own_ += "data: " + dumped({{"error", {{"message", message}, {"type", "server_error"}, {"param", nullptr}, {"code", nullptr}}}}) + "\n\n";
  return fail(Fault::upstream_status, std::move(message));
}

}  // namespace tollgate
