#pragma once
// Two attempts of one request, of which the first to answer wins: when the second begins, who has won, what is left to do. Decides only;
// no I/O, no clock.
//
//    HedgeRace race(now, after, silence);
//    race.next(now)  →  wait until then | hedge | take one | comment | give up
//    race.second_began() / race.no_second(); race.answered(HedgeRace::first); race.failed(HedgeRace::second, false); …
//
// Law: at most one second attempt, and none once the first gives signs of its answer, has failed, or a byte has gone to the client.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tollgate {

class HedgeRace {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Leg = std::uint8_t;
  static constexpr Leg first = 0, second = 1, none = 2;

  /// The first attempt began at `began`. `silence`: how long after an answer's head a client is left without a word; 0: for ever.
  HedgeRace(Time began, std::chrono::milliseconds after, std::chrono::milliseconds silence) : began_(began), after_(after), silence_(silence) {}

  void second_began(Time now);
  /// There is nobody, or nothing, for a second one.
  void no_second() { may_hedge_ = false; }
  /// The answer's head came.
  void head_came(Leg leg, Time now);
  /// The first bytes of a whole answer: it is on its way.
  void producing(Leg leg);
  /// Its first token, or its whole answer, is there.
  void answered(Leg leg) { legs_[leg].state = State::answered; }
  /// It ended without an answer. `is_final`: the request itself was refused, and would be elsewhere.
  void failed(Leg leg, bool is_final);
  /// A comment went to the client for want of anything else: from now on only `leg`, whose name stands in the head, may answer.
  void committed(Leg leg, Time now);

  enum class Do : std::uint8_t { wait, hedge, take, comment, give_up };
  struct Move {
    Do what = Do::wait;
    Leg leg = none;                   ///< of take and comment; of give_up: whose failure is the race's
    std::optional<Time> until{};      ///< of wait; nullopt: until something happens
  };
  [[nodiscard]] Move next(Time now) const;

  [[nodiscard]] bool has_second() const noexcept { return legs_[second].state != State::idle; }
  [[nodiscard]] bool both_run() const noexcept { return runs(first) && runs(second); }
  [[nodiscard]] bool is_final(Leg leg) const noexcept { return legs_[leg].is_final; }
  [[nodiscard]] Leg committed_to() const noexcept { return committed_; }
  /// How long the first one was waited for; 0: no second one began.
  [[nodiscard]] std::chrono::milliseconds waited() const noexcept;

 private:
  enum class State : std::uint8_t { idle, running, answered, failed };
  struct Attempt {
    State state = State::idle;
    bool is_final = false;
    std::optional<Time> head_at{};
  };
  [[nodiscard]] bool runs(Leg leg) const noexcept { return legs_[leg].state == State::running; }
  [[nodiscard]] std::optional<Time> comment_due(Leg leg) const;

  std::array<Attempt, 2> legs_{Attempt{State::running}, Attempt{}};
  Time began_, second_began_{}, commented_{};
  std::chrono::milliseconds after_, silence_;
  Leg committed_ = none, failed_last_ = none;
  bool may_hedge_ = true;
};

}  // namespace tollgate
