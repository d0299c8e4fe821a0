#pragma once
// What a provider answered in its own words, and how OpenAI's API says it: whole, and chunk by chunk. Used by the dialects that do
// not speak OpenAI's. `created` is the time of writing where the provider gives none.
//
// Beside OpenAI's own members: `reasoning_content` (what vLLM and DeepSeek call it), `thinking_blocks` (LiteLLM's, so that a client can give
// signed thinking back) and `extra_content.google.thought_signature` on tool calls (Google's); see chat_request.hpp for the way back.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backends/dialect.hpp"

namespace tollgate {

struct AnsweredCall {
  std::string id, name;
  std::string arguments;   ///< JSON text
  std::string signature;   ///< Gemini's thoughtSignature; "" if there is none
};

struct AnsweredChoice {
  std::string text, reasoning;
  nlohmann::ordered_json thinking_blocks = nlohmann::ordered_json::array();
  std::vector<AnsweredCall> calls;
  std::string finish_reason;   ///< OpenAI's word
};

struct ChatAnswer {
  std::string id, model;
  std::int64_t created = 0;    ///< 0: the provider does not say
  std::vector<AnsweredChoice> choices;
  Usage usage;
  UsageSource usage_source = UsageSource::none;
  std::string service_tier;    ///< "": it does not say
};

/// `answer` as a body of OpenAI's, in `owned`, with everything that Answer tells of it. service_tier views into `owned`.
[[nodiscard]] Answer write_answer(const ChatAnswer& answer);

/// A normal form usage as OpenAI's usage object: totals with their subsets.
[[nodiscard]] std::string openai_usage(const Usage& usage);

/// What names a provider's call where it gives no id of its own: "call_" and 24 letters that a new call does not repeat.
[[nodiscard]] std::string new_call_id();

/// Base of the stream readers that translate. A dialect reads its events and calls what stands under "tell"; this class writes chunks,
/// knows what the client asked for, and ends the stream.
class TranslatingReader : public StreamReader {
 public:
  explicit TranslatingReader(const ClientBody& client);
  Result<void> feed(std::string_view bytes, Pieces& out) final;
  Result<void> finish(Pieces& out) final;
  [[nodiscard]] bool complete() const noexcept final { return complete_; }
  [[nodiscard]] bool content_seen() const noexcept final { return content_seen_; }
  [[nodiscard]] std::pair<Usage, UsageSource> usage() final { return {usage_, usage_source_}; }
  [[nodiscard]] std::string_view service_tier() const noexcept final { return service_tier_; }
  [[nodiscard]] std::uint64_t content_bytes() const noexcept final { return content_bytes_; }
  [[nodiscard]] bool holding() const noexcept final { return !held_.empty(); }
  void release(std::string_view cost_usd, Pieces& out) final;
  [[nodiscard]] const EngineTimings& timings() const noexcept final {   // an engine's, and engines speak OpenAI's protocol
    static const EngineTimings none;
    return none;
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

 protected:
  /// Takes bytes of the upstream apart and tells what is in them.
  virtual Result<void> read(std::string_view bytes) = 0;
  /// The body ended: true if the answer was complete, although no end mark came.
  virtual bool ended_well() = 0;

  // tell
  void identify(std::string id, std::string model);
  void tell_text(std::int64_t choice, std::string_view piece);
  void tell_reasoning(std::int64_t choice, std::string_view piece);
  void tell_thinking_block(std::int64_t choice, const nlohmann::ordered_json& block);
  /// `index` counts the choice's calls from 0.
  void tell_call(std::int64_t choice, std::int64_t index, const AnsweredCall& call);
  void tell_arguments(std::int64_t choice, std::int64_t index, std::string_view piece);
  /// Once per choice, behind its content.
  void tell_finish(std::int64_t choice, std::string_view reason);
  /// Usage so far. `estimated` as source: the input is known, the output is not.
  void tell_usage(const Usage& usage, UsageSource source);
  void tell_service_tier(std::string tier) { service_tier_ = std::move(tier); }
  /// The end: the usage chunk, if the client wants it, and the end mark.
  void tell_end();
  /// An error in the middle. If nothing has gone to the client, nothing does: another target may still answer.
  [[nodiscard]] Result<void> tell_error(Fault fault, std::string message);

 private:
  void open_chunk(std::int64_t choice);
  void close_chunk(std::string_view finish_reason);
  void begin(std::int64_t choice);

  const bool include_usage_, wants_cost_;
  bool complete_ = false, content_seen_ = false, identified_ = false, written_ = false;
  UsageSource usage_source_ = UsageSource::none;
  std::uint64_t content_bytes_ = 0, begun_ = 0;   // begun_: bit per choice whose role was told
  Usage usage_;
  std::string id_, model_, service_tier_;
  std::string prefix_;    // {"id":…,"choices":[
  std::string own_;       // events of this feed
  std::string held_;
  std::size_t held_usage_close_ = 0;
};

}  // namespace tollgate
