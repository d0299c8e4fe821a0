#pragma once
// Compares what a backend's engine counted with what passed through this gateway: do the two agree, and who else uses
// the engine? Pure: samples and counts in, no sockets, no clock.
//
//    account.take(sample, own_before, own_after);     // after every scrape: own counts just before and just after it
//    account.tokens(TokenSide::prompt).foreign;       // tokens that the engine served to others
//
// Own tokens are known when an attempt ends, the engine's as they are made, so the two can only be compared where
// nothing of ours is under way. There are two such moments:
//   - a quiet scrape: nothing of ours was in flight from its start to its end. Then engine − own is exact.
//   - a grace period: what was in flight at an earlier scrape (the mark) has ended since. Then what the engine had
//     counted at the mark beyond all that began before it was not ours, and what it had counted at the mark less than
//     we knew then is missing. This needs no pause in the traffic, but sees no less than what was made of our own
//     requests between the mark and their end: foreign tokens are then counted late, never too many.
// What the engine counted beyond ours is foreign, unless it can be our own doing: an attempt that was cut off, whose
// last tokens nobody counted, while no foreign request was seen. That, and what the engine counted less than we did, is
// drift: unexplained.
//
// An engine that was started anew counts from 0 again; what it counted before stays counted here.
// Law: engine = own + foreign + unexplained at every comparison, for prompt and generation each.

#include <array>
#include <cstdint>
#include <optional>

#include "backends/engine_metrics.hpp"

namespace tollgate {

enum class TokenSide : std::uint8_t { prompt, generation };
inline constexpr std::size_t token_side_count = 2;

/// What passed through the gateway to one backend, since the process began.
struct OwnCounts {
  std::uint64_t begun = 0, ended = 0;        ///< attempts
  std::uint64_t inexact = 0;                 ///< ended without the engine's final count, or not comparable with it
  std::array<std::uint32_t, 2> in_flight{};  ///< by phase (EngineLoad)
  std::uint64_t sequences_begun = 0;         ///< what the engine calls a request
  std::int64_t sequences = 0;                ///< … in flight
  std::uint32_t unsure = 0;                  ///< in flight, with a number of sequences that is not known
  /// Tokens of ended attempts.
  struct Tokens {
    std::uint64_t prompt = 0;           ///< cached ones included
    std::uint64_t uncached_prompt = 0;  ///< … without them
    std::uint64_t generation = 0;
  };
  std::array<Tokens, 2> tokens{};  ///< by the phase in which the attempt began

  [[nodiscard]] std::uint64_t all_tokens() const noexcept {
    return tokens[0].prompt + tokens[1].prompt + tokens[0].generation + tokens[1].generation;
  }
  [[nodiscard]] bool quiet() const noexcept { return in_flight[0] + in_flight[1] == 0; }
};

/// Of one side, since both counts are known.
struct TokenAccount {
  std::uint64_t engine_total = 0;  ///< the engine's, over its restarts
  std::uint64_t engine = 0;        ///< of it, at the last comparison
  std::uint64_t own = 0;
  std::uint64_t foreign = 0;
  std::uint64_t foreign_total = 0;  ///< the same, over all engines that were behind the backend
  std::int64_t unexplained = 0;
  bool known = false;  ///< the engine tells this count
  /// (engine − own) ÷ engine: 0 they agree, above 0 the engine served more than we know of, below 0 less. nullopt: it
  /// served nothing since it is watched.
  [[nodiscard]] std::optional<double> drift_ratio() const noexcept;
};

class EngineAccount {
 public:
  /// True if attempts that begin from now on belong to the other phase: the caller turns EngineLoad's.
  bool take(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after);
  /// The engine could not be asked: what it does is not known.
  void lost() noexcept;
  /// Another engine is behind the backend now.
  void forget() noexcept;

  [[nodiscard]] const TokenAccount& tokens(TokenSide side) const noexcept {
    return sides_[static_cast<std::size_t>(side)].account;
  }
  /// Requests in the engine that are not ours; nullopt: not known.
  [[nodiscard]] std::optional<std::int64_t> foreign_requests() const noexcept { return foreign_requests_; }
  [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }

 private:
  struct Side {
    TokenAccount account;
    std::uint64_t last = 0;         // the engine's own number at the last scrape
    std::uint64_t base_engine = 0;  // engine_total …
    std::uint64_t base_own = 0;     // … and own count, where the watch began
    std::uint64_t mark_engine = 0, mark_own = 0;
    std::uint64_t mark_next = 0;  // of the phase that began at the mark: what was counted in it before
  };
  /// Bounds of engine − own.
  struct Gap {
    std::int64_t low, high;
  };
  void read(const EngineSample& sample, const OwnCounts& own);
  void read(Side& side, std::optional<std::uint64_t> counted, std::uint64_t own);
  void note_requests(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after);
  void compare(Side& side, Gap gap, std::uint64_t engine, bool settled);
  void compare_all(const OwnCounts& own, bool quiet, bool settled);
  void set_mark(const OwnCounts& own);
  [[nodiscard]] std::uint64_t own_of(const OwnCounts& own, TokenSide side, unsigned phase) const noexcept;
  [[nodiscard]] std::uint64_t own_of(const OwnCounts& own, TokenSide side) const noexcept {
    return own_of(own, side, 0) + own_of(own, side, 1);
  }

  std::array<Side, token_side_count> sides_;
  bool watching_ = false, prompt_excludes_cached_ = false;
  bool marked_ = false;
  unsigned mark_phase_ = 0, phase_ = 0;
  bool foreign_seen_ = false, inexact_ = false, restarted_ = false;  // since the last comparison
  // At the last scrape:
  std::uint64_t inexact_last_ = 0, begun_last_ = 0, ended_last_ = 0;
  std::array<std::uint64_t, token_side_count> own_last_{};
  bool quiet_last_ = false;
  std::optional<std::int64_t> foreign_requests_, raw_foreign_;
  std::uint64_t restarts_ = 0;
};

}  // namespace tollgate
