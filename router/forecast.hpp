#pragma once
// What a request is expected to cost at a target, before it is sent: all money in integers, rounded once.
// Pure, no heap, any thread.

#include <optional>

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
/// `saturated`: the pool is full, so that one more request takes capacity from others. `cached`: as much of the input is
/// expected in the conversation's prompt cache; of managed targets it counts where it is long enough to be cached and
/// the price says so, of pools on the loaded basis it takes no work.
[[nodiscard]] Forecast forecast_of(const ChatView& chat, const Target& target, const Backend& backend,
                                   const TargetState& state, CostBasis basis, bool saturated,
                                   TokenCount cached = {}) noexcept;

/// Shorter prefixes are cached by no provider.
inline constexpr TokenCount cached_prefix_min{1024};

/// How long the client would wait; 0: not known, for nothing was learned of the target yet or it is too long ago.
struct Waits {
  std::chrono::microseconds first_token{0};  ///< with the wait in a queue
  std::chrono::microseconds whole{0};        ///< to the whole answer
  std::chrono::microseconds queue{0};        ///< how much of both is the wait in a queue; 0: none, or not known
  /// Until the client sees something: of a stream the first token, else the whole answer.
  [[nodiscard]] std::chrono::microseconds until_answer(const ChatView& chat) const noexcept { return chat.stream ? first_token : whole; }
};
[[nodiscard]] Waits waits_of(const ChatView& chat, const Target& target, const TargetState& state) noexcept;

/// How much of what the target takes at once is taken: 1 is all of it, more is a queue. The greatest of what is known
/// (requests under way, the engine's queue, its key-value cache); nullopt: nothing is.
[[nodiscard]] std::optional<double> load_of(const Target& target, const TargetState& state,
                                            const SpillOver& limits) noexcept;
/// Load has reached 1, or did and has not fallen to `back_at` since (TargetState::was_saturated). Where the configuration
/// says nothing of spill-over: as many requests of this gateway are under way as concurrency_max.
[[nodiscard]] bool is_saturated(const Target& target, const TargetState& state, const SpillOver& limits) noexcept;

}  // namespace tollgate
