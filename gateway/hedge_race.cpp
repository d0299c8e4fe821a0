#include "gateway/hedge_race.hpp"

#include <algorithm>

namespace tollgate {

void HedgeRace::second_began(Time now) {
  legs_[second].state = State::running;
  second_began_ = now;
  may_hedge_ = false;
}

void HedgeRace::head_came(Leg leg, Time now) {
  if (!legs_[leg].head_at) legs_[leg].head_at = now;
}

void HedgeRace::producing(Leg leg) {
  if (leg == first) may_hedge_ = false;
}

void HedgeRace::failed(Leg leg, bool is_final) {
  legs_[leg].state = State::failed;
  legs_[leg].is_final = is_final;
  failed_last_ = leg;
}

void HedgeRace::committed(Leg leg, Time now) {
  committed_ = leg;
  commented_ = now;
  may_hedge_ = false;
}

std::optional<HedgeRace::Time> HedgeRace::comment_due(Leg leg) const {
  const Attempt& attempt = legs_[leg];
  if (silence_.count() == 0 || !runs(leg) || !attempt.head_at) return std::nullopt;
  return (committed_ == leg ? commented_ : *attempt.head_at) + silence_;
}

HedgeRace::Move HedgeRace::next(Time now) const {
  const auto counts = [&](Leg leg) { return committed_ == none || committed_ == leg; };
  for (const Leg leg : {first, second}) {
    if (counts(leg) && legs_[leg].state == State::answered) return {Do::take, leg};
  }
  if (legs_[first].state == State::failed && legs_[first].is_final) return {Do::give_up, first};
  const bool any_runs = (runs(first) && counts(first)) || (runs(second) && counts(second));
  if (!any_runs) {
    // What the second one refused for good says less than what became of the first.
    const bool first_speaks = !has_second() || legs_[second].is_final || failed_last_ == first;
    return {Do::give_up, committed_ != none ? committed_ : first_speaks ? first : second};
  }
  std::optional<Time> until;
  for (const Leg leg : {first, second}) {
    const std::optional<Time> due = counts(leg) ? comment_due(leg) : std::nullopt;
    if (due && now >= *due) return {Do::comment, leg};
    if (due) until = std::min(until.value_or(*due), *due);
  }
  if (may_hedge_ && runs(first)) {
    if (now >= began_ + after_) return {Do::hedge};
    until = std::min(until.value_or(began_ + after_), began_ + after_);
  }
  return {Do::wait, none, until};
}

std::chrono::milliseconds HedgeRace::waited() const noexcept {
  return has_second() ? std::chrono::ceil<std::chrono::milliseconds>(second_began_ - began_) : std::chrono::milliseconds{0};
}

}  // namespace tollgate
