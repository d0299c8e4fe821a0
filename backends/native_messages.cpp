#include <array>

#include "backends/json_members.hpp"
#include "backends/native_readers.hpp"
#include "backends/upstream_error.hpp"
#include "config/dialects.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::dumped;
using json::text_at;

constexpr std::int64_t default_output_tokens = 4096;   // as for chat completions

/// Thinking that this gateway passed on for models of others, unsigned: Anthropic would refuse it.
void drop_unsigned_thinking(Json& body) {
  for (Json& message : body["messages"]) {
    if (!message.is_object() || !at(message, "content").is_array()) continue;
    Json kept = Json::array();
    for (Json& block : message["content"]) {
      if (text_at(block, "signature") != unsigned_thinking) kept.push_back(std::move(block));
    }
    message["content"] = std::move(kept);
  }
}

/// Names of tiers outlive the answer that holds them.
std::string_view known_tier(const std::string& tier) noexcept {
  static constexpr std::array<std::string_view, 3> tiers{"standard", "priority", "batch"};
  for (const std::string_view known : tiers) {
    if (tier == known) return known;
  }
  return {};
}

}  // namespace

Result<void> NativeReader::feed(std::string_view bytes, Pieces& out) {
  given_.clear();
  Result<void> outcome = success();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](std::string_view raw) {
    if (!outcome || complete()) return;   // nothing belongs behind the end
    Told told = Told::preamble;
    outcome = take(raw, told);
    if (!outcome && told != Told::error_passed) return;
    begun_ = begun_ || told != Told::preamble;
    if (!begun_) {
      held_.append(raw);
      return;
    }
    if (!held_.empty()) {
      given_ = std::move(held_);
      held_ = std::string();
      out.push_back(given_);
    }
    out.push_back(raw);
  }));
  return outcome;
}

Result<void> MessagesDialect::write(const ClientBody& client, const Backend&, const Target& target, WireBody& out) const {
  Json body = Json::parse(client.text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "the body must be a JSON object");
  body["model"] = target.upstream;
  if (!body.contains("max_tokens")) body["max_tokens"] = target.output_tokens_max > 0 ? target.output_tokens_max : default_output_tokens;
  if (client.text.find(unsigned_thinking) != std::string_view::npos) drop_unsigned_thinking(body);
  out.set(dumped(body), {});
  return success();
}

std::unique_ptr<StreamReader> MessagesDialect::stream_reader(const ClientBody& client) const { return std::make_unique<NativeMessagesReader>(client); }

Result<Answer> MessagesDialect::read_answer(Surface surface, std::string_view body) const {
  TOLLGATE_TRY(const Answer read, dialect_of(DialectName::anthropic).read_answer(surface, body));
  Answer answer;
  answer.usage = read.usage;
  answer.usage_source = read.usage_source;
  answer.content_bytes = read.content_bytes;
  answer.service_tier = known_tier(std::string(read.service_tier));
  return answer;
}

Error MessagesDialect::read_error(int status, std::string_view body) const { return read_upstream_error(status, body); }

Result<void> NativeMessagesReader::take(std::string_view raw, Told& told) {
  Pieces dropped;
  const Result<void> read = reader_.feed(raw, dropped);
  if (!read) {
    // Told in the middle of an answer: the client reads it as it is.
    if (begun() && read.error().fault == Fault::upstream_status) told = Told::error_passed;
    return read;
  }
  const bool preamble = raw.find("\"message_start\"") != std::string_view::npos || raw.find("\"ping\"") != std::string_view::npos;
  if (!preamble) told = Told::content;
  return success();
}

Result<void> NativeMessagesReader::finish(Pieces&) {
  Pieces dropped;
  return reader_.finish(dropped);
}

const Dialect* native_dialect(ClientForm form, const Backend& backend) noexcept {
  static const MessagesDialect messages;
  static const ResponsesDialect responses;
  if (form == ClientForm::messages && facts_of(backend.dialect).form == WireForm::anthropic) return &messages;
  if (form == ClientForm::responses && backend.responses) return &responses;
  return nullptr;
}

}  // namespace tollgate
