#pragma once
// The two attempts of a race, as long as it is open: what of each would otherwise stand in the exchange. For hedge.cpp and hedge_leg.cpp.

#include <array>

#include "gateway/exchange.hpp"
#include "gateway/hedge_race.hpp"

namespace tollgate {

/// One attempt until its first token, or its whole answer, is there. Its coroutine may outlive the race (a name that is being looked up cannot be
/// called off), but not the exchange; once `settled` it looks at nothing but this.
struct Exchange::Leg {
  HedgeRace::Leg which = HedgeRace::first;
  std::size_t step = 0;
  std::uint8_t number = 0, key = 0;
  TargetHealth::Pass pass = TargetHealth::Pass::usual;
  bool other_key = false, masks = false, ask_metrics = false, attempt_open = false;
  std::unique_ptr<MaskedRequest> masked;
  std::unique_ptr<Restorer> restorer;
  std::unique_ptr<Transfer> transfer;
  std::string dropped;
  // Of the leg alone.
  EngineLoad::Ticket ticket{};
  AttemptEnd end;
  MonoTime began{};
  std::unique_ptr<StreamReader> reader;   // of a stream: only to see the first token, and the usage if it loses
  std::string received;                   // of the answer, so far
  bool has_head = false, event_stream = false, complete = false;
  Result<void> outcome = success();       // once it is over
  bool over = true;                       // no coroutine runs
  bool heeded = false, settled = false;
};

struct Exchange::Race {
  Race(Exchange& exchange, MonoTime began, std::chrono::milliseconds after, std::chrono::milliseconds silence)
      : policy(began, after, silence), wakeup(exchange.reactor_.poll()), due(exchange.reactor_.wheel(), &Race::is_due, this) {}
  void wake() { wakeup.wake(); }
  static void is_due(void* self) { static_cast<Race*>(self)->wake(); }

  HedgeRace policy;
  std::array<Leg, 2> legs;
  Wakeup wakeup;
  Deadline due;
  HedgeRace::Leg answered_by = HedgeRace::none;
  bool is_open = true;
  std::string second_failed;              // by what, if it did
};

/// While it lives, the exchange's attempt is this one: for what does not wait. They do not nest.
class Exchange::Within {
 public:
  Within(Exchange& exchange, Leg& leg) noexcept : exchange_(exchange), leg_(leg) { swap(exchange_, leg_); }
  ~Within() { swap(exchange_, leg_); }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;
  static void swap(Exchange& exchange, Leg& leg) noexcept {
    std::swap(exchange.step_, leg.step);
    std::swap(exchange.number_, leg.number);
    std::swap(exchange.key_, leg.key);
    std::swap(exchange.pass_, leg.pass);
    std::swap(exchange.other_key_, leg.other_key);
    std::swap(exchange.masks_, leg.masks);
    std::swap(exchange.body_map_.ask_metrics, leg.ask_metrics);
    std::swap(exchange.attempt_open_, leg.attempt_open);
    exchange.masked_.swap(leg.masked);
    exchange.restorer_.swap(leg.restorer);
    exchange.transfer_.swap(leg.transfer);
    exchange.dropped_.swap(leg.dropped);
  }

 private:
  Exchange& exchange_;
  Leg& leg_;
};

}  // namespace tollgate
