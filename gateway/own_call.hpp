#pragma once
// A call that the gateway makes for itself: of a shadow evaluation (gateway/shadow_run.hpp), or to wake a serverless pool (gateway/warm_up.hpp).
//
//    OwnCalls calls(reactor, serving, account);
//    OwnCall call(Purpose::judge, target, route, reactor.guards());
//    call.body = …;                                      // in OpenAI's form
//    const Result<void> outcome = co_await calls.make(call, facts);   // call.answer, call.end, call.charge say what came of it
//
// Law: nothing is sent before a budget holds its worst case and a ledger slot was taken; once it was, the slot is settled, whatever happens
// in between. Whether constraints permit it is asked by whoever calls, at once before.
// Threads: its reactor's. One call at a time.

#include <optional>
#include <string>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "gateway/guards.hpp"
#include "gateway/serving.hpp"
#include "metrics/metrics.hpp"
#include "metrics/payer.hpp"
#include "router/router.hpp"

namespace tollgate {

class Reactor;

struct OwnCall {
  OwnCall(Purpose why, const Target& whom, NameId on_route, Guards& guards);
  const Purpose purpose;
  const Target* target;
  const NameId route;       ///< of the ledger's row; in brackets, which no route of a configuration has
  Surface surface = Surface::chat;
  RequestId id{};
  RequestIdText id_text;
  std::string body;         ///< in OpenAI's form
  ChatView chat;            ///< as read from `body`, and so the next
  ClientBody map;
  BudgetHold hold;
  OpenRequest* record = nullptr;
  bool opened = false;      ///< it stands in the ledger
  MonoTime began{};
  AttemptEnd end;
  std::string answer;       ///< in OpenAI's form
  std::string owned_tier;
  std::optional<Usd> charge;   ///< nullopt: nothing was sent, or what it costs is not known
};

class OwnCalls {
 public:
  /// Whose calls they are in ledger and budgets.
  struct Account {
    NameId model, team{}, key{};
    Complexity complexity;
  };
  OwnCalls(Reactor& reactor, ServingPtr serving, const Account& account);
  OwnCalls(const OwnCalls&) = delete;
  OwnCalls& operator=(const OwnCalls&) = delete;

  /// `facts`: which constraints cover it. Faults: over_budget, ledger_full, draining, and what an upstream may do.
  Task<Result<void>> make(OwnCall& call, const RequestFacts& facts);
  /// What is under way is cut off, and charged for what is known of it; what comes is refused.
  void stop();
  [[nodiscard]] bool stopped() const noexcept { return stopped_; }

 private:
  [[nodiscard]] Payer payer(const OwnCall& call) const;
  Result<void> open(OwnCall& call, const RequestFacts& facts);
  Result<void> take_hold(OwnCall& call);
  Task<Result<void>> send(OwnCall& call);
  Task<Result<void>> read_answer(OwnCall& call);
  void note_answer(OwnCall& call, const Answer& answer);
  [[nodiscard]] Usage estimated(const OwnCall& call, std::uint64_t answer_bytes) const;
  void close(OwnCall& call, const Result<void>& outcome);
  void pay(OwnCall& call);
  static void out_of_time(void* self);

  Reactor& reactor_;
  const ServingPtr serving_;
  const Config& config_;   // of serving_
  const Account account_;
  std::unique_ptr<Transfer> transfer_;
  Deadline total_;
  bool stopped_ = false;
};

}  // namespace tollgate
