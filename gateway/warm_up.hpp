#pragma once
// Wakes a pool that scales to zero before it is needed: calls for one token, through the backend's own dialect, until one is answered.
// docs/money/pools.md
//
//    Result<WarmUp> begun = warm_ups.begin(reactor, serving, target);   // the one under way, if there is one
//    warm_ups.last(backend)->state                                      // how far it is
//
// What wakes a platform is a request that its worker must answer: it holds it, or refuses it, until the worker is up. Each call is a
// request of the ledger with one attempt, on the route `(warm-up)`; what it costs is what any attempt there costs. It is asked of
// constraints and budgets like any other, and is no client's: see Purpose.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gateway/own_call.hpp"
#include "router/screening.hpp"

namespace tollgate {

/// The route of the ledger's rows; no route of a configuration can have this name.
inline constexpr std::string_view warm_up_route = "(warm-up)";

enum class WarmState : std::uint8_t { booting, up, failed };
[[nodiscard]] std::string_view name_of(WarmState state) noexcept;

/// One warm-up, as far as it has come.
struct WarmUp {
  NameId backend, target;
  WarmState state = WarmState::booting;
  std::int64_t began_us = 0, ended_us = 0;   ///< 0: it has not ended
  unsigned calls = 0;
  UsdSum charged{};          ///< of the calls so far …
  bool charge_known = true;  ///< … false: more than that, for one is unpriced
  std::string error;         ///< of the last call; "" it was answered, or none has ended
};

/// Why a backend has nothing to warm; nullopt: it has.
[[nodiscard]] std::optional<Error> nothing_to_warm(const Backend& backend);

/// Of the process. Any thread.
class WarmUps {
 public:
  /// Starts one on `reactor`, for Config::targets of `serving`. While one of the same backend is under way, that one is answered and
  /// nothing is sent. Faults: bad_request with the code nothing_to_warm (409).
  Result<WarmUp> begin(Reactor& reactor, ServingPtr serving, const Target& target);
  /// The last one of a backend since the start; nullopt: none was asked for.
  [[nodiscard]] std::optional<WarmUp> last(NameId backend) const;
  /// For its run.
  void note(const WarmUp& status);

 private:
  mutable std::mutex mutex_;
  std::map<NameId, WarmUp> last_;
};

/// One warm-up, on its reactor.
class WarmUpRun {
 public:
  WarmUpRun(Reactor& reactor, WarmUps& board, ServingPtr serving, const Target& target, const WarmUp& status);
  WarmUpRun(const WarmUpRun&) = delete;
  WarmUpRun& operator=(const WarmUpRun&) = delete;

  Task<void> wake();
  void stop();

 private:
  Task<Result<void>> call_once();
  [[nodiscard]] Result<void> may_call() const;
  Task<void> pause(std::chrono::milliseconds time);
  void end(WarmState state, const std::string& error);

  Reactor& reactor_;
  WarmUps& board_;
  const ServingPtr serving_;
  const Target& target_;
  WarmUp status_;
  std::string body_;      // what is asked, once more for whoever asks constraints
  ChatView chat_;
  std::optional<Screening> screening_;
  RequestFacts facts_;
  Timer pause_;
  OwnCalls calls_;
  bool is_hopeless_ = false;   // the last call failed in a way that waiting does not mend
};

/// Those of one reactor, on its thread.
class WarmUpRuns {
 public:
  explicit WarmUpRuns(Reactor& reactor) : reactor_(reactor) {}
  void start(WarmUps& board, ServingPtr serving, const Target& target, const WarmUp& status);
  /// The reactor drains.
  void stop();
  [[nodiscard]] bool idle() const noexcept { return under_way_.empty(); }

 private:
  Reactor& reactor_;
  std::vector<std::unique_ptr<WarmUpRun>> under_way_;
};

}  // namespace tollgate
