#pragma once
// What the headers of an answer say about the provider's rate limits: how much is left and when the whole of it is back.
// Families read (names without case): x-ratelimit-{limit,remaining,reset}-{requests,tokens} (OpenAI and who speaks its protocol),
// x-ratelimit-{limit,remaining,reset} (OpenRouter, Together), anthropic-ratelimit-{requests,tokens,input-tokens}-{limit,remaining,reset}.

#include <chrono>
#include <cstdint>
#include <string_view>

namespace tollgate {

/// -1: not said.
struct RateHint {
  std::int32_t limit = -1, left = -1;
  std::int32_t reset_ms = -1;             ///< until all of `limit` is back
  [[nodiscard]] bool known() const noexcept { return left >= 0; }
};

struct RateHints {
  RateHint requests, tokens, input_tokens;
  [[nodiscard]] bool any() const noexcept { return requests.known() || tokens.known() || input_tokens.known(); }
};

/// Whether it is worth calling note(): a look at the first letters.
[[nodiscard]] constexpr bool may_be_rate_header(std::string_view name) noexcept {
  const auto is = [&](std::size_t i, char lower) { return (name[i] | 0x20) == lower; };
  return name.size() > 16 && ((is(0, 'x') && is(2, 'r') && is(6, 'l')) || (is(0, 'a') && is(1, 'n') && is(10, 'r')));
}

/// Takes one header in; others, and values that cannot be read, change nothing.
void note(RateHints& hints, std::string_view name, std::string_view value, std::chrono::system_clock::time_point now);

}  // namespace tollgate
