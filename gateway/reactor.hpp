#pragma once
// One core and all it owns: its io_context, listener, connections, transports, books. A request lives and dies on one reactor, so
// nothing here is locked. Other threads reach a reactor only by the calls marked "any thread", which post to it.

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/job_transport.hpp"
#include "backends/jobs.hpp"
#include "backends/socket_poll.hpp"
#include "gateway/cache_counts.hpp"
#include "gateway/autopilot.hpp"
#include "gateway/constraint_counts.hpp"
#include "gateway/conversations.hpp"
#include "gateway/decision_feed.hpp"
#include "gateway/hedges.hpp"
#include "gateway/parse_chat.hpp"
#include "gateway/resilience_counts.hpp"
#include "gateway/response_cache.hpp"
#include "gateway/routing_counts.hpp"
#include "gateway/serving.hpp"
#include "metrics/metrics.hpp"
#include "router/target_state.hpp"

namespace tollgate {

class AnswerReview;
class Session;
class ShadowRuns;
class Shadows;
class WarmUpRuns;
struct Guards;

/// What the control thread wants to know of a reactor at any time.
struct ReactorCounts {
  std::atomic<std::uint32_t> connections{0};
  std::atomic<std::uint32_t> requests{0};      ///< being served
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> client_retries{0};  ///< requests whose SDK says that it sends them again
};

class Reactor {
 public:
  /// `conversations` and `cache` are shared by all reactors and outlive them.
  Reactor(unsigned index, Books& books, Guards& guards, ServingPtr serving, Conversations& conversations, ResponseCache& cache);
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  /// Binds with SO_REUSEPORT; before run(). Returns the port it got.
  Result<std::uint16_t> listen(const ListenAddress& address);
  /// The thread's body: serves until drained.
  void run();

  // -- any thread --
  void set_learning(AnswerReview& review, Shadows& shadows);                             ///< before run()
  void set_peers(std::span<const std::unique_ptr<Reactor>> peers) { peers_ = peers; }   ///< before run()
  void adopt(ServingPtr serving);
  /// What the autopilot holds of serverless pools from now on; nullptr: no route has autopilot.
  void steer(StancesPtr stances);
  /// Stops accepting, closes idle connections, lets requests finish for `grace`, then ends them; run() returns afterwards.
  void drain(std::chrono::milliseconds grace);
  [[nodiscard]] const ReactorCounts& counts() const noexcept { return counts_; }
  void count_client_retry() noexcept { counts_.client_retries.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] const RoutingCounts& routing_counts() const noexcept { return routing_counts_; }
  [[nodiscard]] const ResilienceCounts& resilience_counts() const noexcept { return resilience_counts_; }
  [[nodiscard]] const Hedges& hedges() const noexcept { return hedges_; }
  [[nodiscard]] const CacheCounts& cache_counts() const noexcept { return cache_counts_; }
  [[nodiscard]] const AutopilotCounts& autopilot_counts() const noexcept { return autopilot_counts_; }
  [[nodiscard]] DecisionFeed& decisions() noexcept { return decisions_; }
  [[nodiscard]] const ConstraintCounts& constraint_counts() const noexcept { return constraint_counts_; }

  // -- this reactor's thread --
  [[nodiscard]] const ServingPtr& serving() const noexcept { return serving_; }
  [[nodiscard]] Books& books() noexcept { return books_; }
  [[nodiscard]] AnswerReview& review() noexcept { return *review_; }
  [[nodiscard]] ShadowRuns& shadow_runs() noexcept { return *shadow_runs_; }
  [[nodiscard]] WarmUpRuns& warm_up_runs() noexcept { return *warm_up_runs_; }
  /// Of shadow evaluations and warm-ups.
  void own_work_ended() { stop_if_drained(); }
  [[nodiscard]] RoutingCounts& routing_counts() noexcept { return routing_counts_; }
  [[nodiscard]] ResilienceCounts& resilience_counts() noexcept { return resilience_counts_; }
  [[nodiscard]] Hedges& hedges() noexcept { return hedges_; }
  [[nodiscard]] AutopilotCounts& autopilot_counts() noexcept { return autopilot_counts_; }
  [[nodiscard]] ConstraintCounts& constraint_counts() noexcept { return constraint_counts_; }
  [[nodiscard]] CacheCounts& cache_counts() noexcept { return cache_counts_; }
  [[nodiscard]] ResponseCache& response_cache() noexcept { return cache_; }   ///< of all reactors
  [[nodiscard]] Conversations& conversations() noexcept { return conversations_; }
  [[nodiscard]] Guards& guards() noexcept { return guards_; }   ///< of all reactors
  [[nodiscard]] DeadlineWheel& wheel() noexcept { return wheel_; }
  [[nodiscard]] SocketPoll& poll() noexcept { return poll_; }
  [[nodiscard]] ChatParser& parser() noexcept { return *parser_; }
  [[nodiscard]] Transport& transport_for(const Backend& backend, const Endpoint& endpoint) noexcept {
    if (runs_jobs(backend.dialect)) return *jobs_;
    return endpoint.tls || backend.curl ? *curl_ : *native_;
  }
  [[nodiscard]] std::span<char> scratch() noexcept { return scratch_; }
  [[nodiscard]] asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  [[nodiscard]] unsigned index() const noexcept { return index_; }
  /// All targets of `serving` as routing sees them now; valid until the next call.
  [[nodiscard]] std::span<const TargetState> target_states(const Serving& serving, MonoTime now);
  /// HTTP date of this second.
  [[nodiscard]] std::string_view date(std::int64_t unix_seconds);
  void request_began() noexcept { counts_.requests.fetch_add(1, std::memory_order_relaxed); }
  void request_ended() noexcept { counts_.requests.fetch_sub(1, std::memory_order_relaxed); }

 private:
  friend class Session;
  Task<void> accept();
  static void note_saturation(const Target& target, const Serving& serving, TargetHealth& health, TargetState& state) noexcept;
  void welcome(int descriptor);
  void admit(int descriptor);
  Reactor& least_loaded() noexcept;
  void stop_if_drained();

  using SessionList = boost::intrusive::list<Session, boost::intrusive::constant_time_size<false>>;

  const unsigned index_;
  asio::io_context context_{1};
  DeadlineWheel wheel_{context_};
  SocketPoll poll_{context_};
  std::vector<char> scratch_;
  std::unique_ptr<ChatParser> parser_;
  std::unique_ptr<Transport> native_, curl_, jobs_;   // the last over the others
  Books& books_;
  Conversations& conversations_;
  ResponseCache& cache_;
  CacheCounts cache_counts_;
  RoutingCounts routing_counts_;
  ResilienceCounts resilience_counts_;
  Hedges hedges_;
  AutopilotCounts autopilot_counts_;
  DecisionFeed decisions_;
  ConstraintCounts constraint_counts_;
  Guards& guards_;
  ServingPtr serving_;
  PolledSocket acceptor_{poll_};
  std::unique_ptr<SessionList> sessions_;
  std::span<const std::unique_ptr<Reactor>> peers_;
  AnswerReview* review_ = nullptr;
  std::unique_ptr<ShadowRuns> shadow_runs_;
  ReactorCounts counts_;
  Deadline grace_;
  bool draining_ = false;
  std::vector<TargetState> states_;
  const Serving* states_of_ = nullptr;
  StancesPtr stances_;
  MonoTime states_refreshed_{};
  std::int64_t date_second_ = -1;
  std::string date_;
  std::unique_ptr<WarmUpRuns> warm_up_runs_;
};

}  // namespace tollgate
