#include "backends/engine_account.hpp"

#include <algorithm>

namespace tollgate {
namespace {

std::int64_t difference(std::uint64_t a, std::uint64_t b) noexcept {
  return static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b);
}

}  // namespace

std::optional<double> TokenAccount::drift_ratio() const noexcept {
  if (!known || (engine == 0 && own == 0)) return std::nullopt;
  const double whole = static_cast<double>(std::max<std::uint64_t>(engine, 1));
  return static_cast<double>(difference(engine, own)) / whole;
}

std::uint64_t EngineAccount::own_of(const OwnCounts& own, TokenSide side, unsigned phase) const noexcept {
  const OwnCounts::Tokens& tokens = own.tokens[phase];
  if (side == TokenSide::generation) return tokens.generation;
  return prompt_excludes_cached_ ? tokens.uncached_prompt : tokens.prompt;
}

// A count below the last one is that of an engine started anew: all of it is new.
void EngineAccount::read(Side& side, std::optional<std::uint64_t> counted, std::uint64_t own) {
  TokenAccount& account = side.account;
  if (!counted) return;
  if (!account.known) {
    account.known = true;
    side.last = *counted;
    side.base_engine = account.engine_total;
    side.base_own = own;
    return;
  }
  if (*counted < side.last) restarted_ = true;
  account.engine_total += *counted < side.last ? *counted : *counted - side.last;
  side.last = *counted;
}

void EngineAccount::read(const EngineSample& sample, const OwnCounts& own) {
  restarted_ = false;
  prompt_excludes_cached_ = sample.prompt_excludes_cached;
  read(sides_[0], sample.prompt_tokens, own_of(own, TokenSide::prompt));
  read(sides_[1], sample.generation_tokens, own_of(own, TokenSide::generation));
  if (restarted_) {
    ++restarts_;
    marked_ = false;
    inexact_ = true;  // what was under way at the restart was counted by neither, or by one of the two
  }
}

// The engine's gauge may lag a little behind an end of ours, so while there is traffic of our own, only what two
// scrapes in a row show is foreign.
void EngineAccount::note_requests(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after) {
  std::optional<std::int64_t> raw;
  if (sample.running && before.unsure + after.unsure == 0) {
    const std::int64_t most_own = before.sequences + difference(after.sequences_begun, before.sequences_begun);
    raw = std::max<std::int64_t>(*sample.running + sample.waiting.value_or(0) - most_own, 0);
  }
  const bool still = watching_ && after.begun == begun_last_ && after.ended == ended_last_;
  foreign_requests_ = raw;
  if (raw && !still) foreign_requests_ = std::min(*raw, raw_foreign_.value_or(0));
  raw_foreign_ = raw;
  foreign_seen_ = foreign_seen_ || foreign_requests_.value_or(0) > 0;
}

void EngineAccount::compare(Side& side, Gap gap, std::uint64_t engine, bool settled) {
  TokenAccount& account = side.account;
  const std::int64_t explained = static_cast<std::int64_t>(account.foreign) + account.unexplained;
  const std::int64_t more = gap.low - explained, less = gap.high - explained;
  if (more > 0) {
    if (inexact_ && !foreign_seen_) {
      account.unexplained += more;
    } else {
      account.foreign += static_cast<std::uint64_t>(more);
      account.foreign_total += static_cast<std::uint64_t>(more);
    }
  } else if (less < 0 && settled) {
    account.unexplained += less;
  }
  account.engine = engine - side.base_engine;
  account.own = static_cast<std::uint64_t>(
      std::max<std::int64_t>(difference(account.engine, account.foreign) - account.unexplained, 0));
}

void EngineAccount::compare_all(const OwnCounts& own, bool quiet, bool settled) {
  for (const TokenSide which : {TokenSide::prompt, TokenSide::generation}) {
    Side& side = sides_[static_cast<std::size_t>(which)];
    if (!side.account.known) continue;
    const std::uint64_t engine = quiet ? side.account.engine_total : side.mark_engine;
    const std::int64_t engine_now = difference(engine, side.base_engine);
    // Of a grace period: what began after the mark cannot have been in the engine's count.
    const std::uint64_t later = quiet ? 0 : own_of(own, which, mark_phase_ ^ 1U) - side.mark_next;
    const std::int64_t own_now = difference(own_of(own, which) - later, side.base_own);
    const std::int64_t own_then = quiet ? own_now : difference(side.mark_own, side.base_own);
    compare(side, Gap{engine_now - own_now, engine_now - own_then}, engine, settled);
  }
  foreign_seen_ = foreign_requests_.value_or(0) > 0;
}

// What the last scrape's own counts held, the engine has counted by now, however late it does so.
void EngineAccount::set_mark(const OwnCounts& own) {
  marked_ = true;
  mark_phase_ = phase_;
  phase_ ^= 1U;
  for (std::size_t i = 0; i < token_side_count; ++i) {
    sides_[i].mark_engine = sides_[i].account.engine_total;
    sides_[i].mark_own = own_last_[i];
    sides_[i].mark_next = own_of(own, static_cast<TokenSide>(i), phase_);
  }
}

bool EngineAccount::take(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after) {
  read(sample, before);
  note_requests(sample, before, after);
  const bool cut_off = watching_ ? after.inexact != inexact_last_ : !before.quiet();
  inexact_ = inexact_ || cut_off;
  const bool quiet = before.quiet() && after.begun == before.begun;
  // An engine may count a request a moment after it answered: what is missing is believed at the second look only.
  const bool settled = quiet && quiet_last_ && after.begun == begun_last_;
  const bool over = !quiet && marked_ && after.in_flight[mark_phase_] == 0;
  if (quiet || over) {
    compare_all(after, quiet, settled || over);
    inexact_ = cut_off || restarted_;  // an engine may still count the last tokens of what was cut off just now
    marked_ = false;
  }
  const bool turn = !quiet && !marked_;
  if (turn) set_mark(after);
  watching_ = true;
  quiet_last_ = quiet;
  inexact_last_ = after.inexact;
  begun_last_ = after.begun;
  ended_last_ = after.ended;
  own_last_ = {own_of(after, TokenSide::prompt), own_of(after, TokenSide::generation)};
  return turn;
}

void EngineAccount::lost() noexcept {
  foreign_requests_.reset();
  raw_foreign_.reset();
  quiet_last_ = false;
}

void EngineAccount::forget() noexcept {
  for (Side& side : sides_) {
    TokenAccount account;
    account.engine_total = side.account.engine_total;
    account.foreign_total = side.account.foreign_total;
    side = Side{};
    side.account = account;
  }
  marked_ = watching_ = false;
  lost();
}

}  // namespace tollgate
