#pragma once
// What a request is expected to cost at a target, before it is sent: all money in integers, rounded once.
// Pure, no heap, any thread.

#include "router/router.hpp"

namespace tollgate {

/// Input tokens estimated from the size of the text, without regard to a target: what conditions on input size compare.
[[nodiscard]] TokenCount input_tokens_of(const ChatView& chat) noexcept;
/// The same with what was learned of the target's tokenizer.
[[nodiscard]] TokenCount input_tokens_of(const ChatView& chat, const TargetState& state) noexcept;
/// Expected output of one choice: the learned mean, bounded by what the request allows; 0 for embeddings.
[[nodiscard]] TokenCount output_tokens_of(const ChatView& chat, const TargetState& state) noexcept;

struct Forecast {
  Usd charge;
  bool known = true;  ///< false: unpriced, or a pool whose cost per token is not known yet
  /// Pool on the loaded basis without a known cost per token: it competes as on the marginal basis, since it would
  /// otherwise never serve the tokens that its cost is learned from.
  bool learning = false;
};
[[nodiscard]] Forecast forecast_of(const ChatView& chat, const Target& target, const Backend& backend,
                                   const TargetState& state, CostBasis basis) noexcept;

/// As many requests as the target takes at once are under way.
[[nodiscard]] inline bool is_saturated(const Target& target, const TargetState& state) noexcept {
  return target.concurrency_max > 0 && state.in_flight >= target.concurrency_max;
}

}  // namespace tollgate
