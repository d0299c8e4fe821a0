#pragma once
// Requests of APIs that are not OpenAI's, checked as their providers check them and put into OpenAI's words, which the rest of the
// simulator reads (ask.hpp). Written apart from the gateway's own translation on purpose: two readings of one protocol check each other.

#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/result.hpp"

namespace tollgate::simulator {

/// Where a request went.
struct ForeignCall {
  std::string model;     ///< named by the path; "": by the body
  bool stream = false;   ///< said by the path
  bool queued = false;   ///< a job that is fetched later (fal); others are held until they are done
  bool responses = false;  ///< OpenAI's other protocol, of personalities that speak its first
  std::string betas{};     ///< the header anthropic-beta: members that are known only with it
};

/// nullopt: this personality serves nothing at this path, or chat completions and their kin.
[[nodiscard]] std::optional<ForeignCall> foreign_call(DialectName personality, std::string_view target);
/// The body as one of /v1/chat/completions. Errors carry the member at fault.
[[nodiscard]] Result<std::string> openai_body(DialectName personality, const ForeignCall& call, std::string_view body);

/// The body of a request to count tokens (Anthropic's count_tokens) likewise.
[[nodiscard]] Result<std::string> counted_body(const ForeignCall& call, std::string_view body);
/// responses_ask.cpp: a body of /v1/responses likewise.
[[nodiscard]] Result<std::string> responses_body(std::string_view body);

/// Of a path of fal's queue, "/OWNER/APP/requests/ID[/status|/cancel]": the job and what is asked of it. nullopt: it is none.
struct QueueCall {
  std::string id;
  enum class What : std::uint8_t { status, result, cancel } what = What::status;
};
[[nodiscard]] std::optional<QueueCall> queue_call(std::string_view target);

[[nodiscard]] constexpr bool speaks_openai(DialectName personality) noexcept {
  return personality == DialectName::openai || personality == DialectName::vllm;
}

}  // namespace tollgate::simulator
