#pragma once
// The most that one attempt may cost, before it is sent: what budgets hold and x-tollgate-max-cost-usd compares. A
// forecast says what to expect; this errs on the other side. Pure, no heap, any thread.
//
//   input    one token per byte of the request, for no tokenizer makes more; with images or audio, whose bytes are no
//            text: one per byte of text and twice the estimate of the rest. At the dearest of the prices that input may
//            come to have (input, cached, written to a cache; the long ones if that many tokens are long)
//   output   what the client allows (max_tokens, max_completion_tokens), at most the target's output_tokens_max; if the
//            client sets none, output_tokens_max; if that is not configured either, four times the learned mean and at
//            least 1024: then, and only then, an answer may cost more. Times n. At the price of output or reasoning
//   passed   pictures, sound and speech: by tokens or by other units, whichever is more; sound is at least 6 kbit/s
//   tiers    the dearer of the service tier that is asked for and the standard one, for a provider may serve either
//   GPU      the whole pool for as long as such an answer takes: twice the learned wait for a first token, twice the
//            learned time per output token, 1000 input tokens a second; at most the target's total timeout
//
// Not in it: fees per web search, for nobody says beforehand how many there will be.

#include "router/router.hpp"

namespace tollgate {

struct WorstCase {
  Usd charge;
  bool known = true;  ///< false: unpriced, or a service tier or an input that the prices do not cover
};
[[nodiscard]] WorstCase worst_case_of(const ChatView& chat, std::size_t body_bytes, const Target& target,
                                      const Backend& backend, const TargetState& state) noexcept;

/// What a request that is passed through asks for in other units than tokens, at the most.
[[nodiscard]] UnitsUsed units_of(const ChatView& chat) noexcept;

/// Input and output tokens to be reserved of a rate limit: an estimate, put right when the request is done.
[[nodiscard]] std::int64_t tokens_to_reserve(const ChatView& chat) noexcept;

/// Takes a step out of the plan and says why. The first of what remains inherits the reason of the first. `by`: the
/// budget's name.
void rule_out_step(Plan& plan, std::size_t step, Why why, NameId by = NameId::none);

}  // namespace tollgate
