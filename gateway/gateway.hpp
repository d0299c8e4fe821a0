#pragma once
// The whole process: simulators, accounts, reactors, the control thread (admin server, reload, signals), in the order in which they
// start and the reverse in which they stop.
//
//    Gateway gateway(config_path);
//    Result<void> started = gateway.start();
//    gateway.addresses();                 // what was bound
//    int code = gateway.wait();           // until SIGTERM or SIGINT, drained; the exit code
//
// Threads: one control thread (the caller of wait()), one per reactor, one each for ledger, prober and simulators.

#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "backends/backends.hpp"
#include "backends/simulator/simulator.hpp"
#include "config/as_written.hpp"
#include "config/file_watch.hpp"
#include "config/snapshot.hpp"
#include "gateway/autopilot.hpp"
#include "gateway/break_even_series.hpp"
#include "gateway/engine_watch.hpp"
#include "gateway/guards.hpp"
#include "gateway/outliers.hpp"
#include "gateway/reactor.hpp"
#include "gateway/warm_up.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {

class AdminServer;
class AdviceBoard;
class LiveView;
class AnswerReview;
class Shadows;

class Gateway {
 public:
  /// `config_path`: the YAML file to serve and to watch.
  explicit Gateway(std::string config_path);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  Result<void> start();
  int wait();

  struct Addresses {
    std::string data_url, admin_url;
    std::vector<std::pair<std::string, std::string>> simulated;   ///< backend → url
    bool needs_key = false;
    std::vector<std::string> models;
  };
  [[nodiscard]] Addresses addresses() const;

  // -- for the admin server, on the control thread --
  [[nodiscard]] ConfigPtr config() const { return serving_->config; }
  [[nodiscard]] ServingPtr serving() const { return serving_; }
  /// The text that config() was read from, as it can be shown; without one if the file was changed in between.
  [[nodiscard]] std::shared_ptr<const AsWritten> as_written() const { return as_written_; }
  [[nodiscard]] Accounts& accounts() noexcept { return *accounts_; }
  [[nodiscard]] Guards& guards() noexcept { return guards_; }
  [[nodiscard]] WarmUps& warm_ups() noexcept { return warm_ups_; }
  [[nodiscard]] const EngineWatch& engine_watch() const noexcept { return *engine_watch_; }
  [[nodiscard]] ResponseCache& response_cache() noexcept { return response_cache_; }
  [[nodiscard]] const Autopilot& autopilot() const noexcept { return autopilot_; }
  [[nodiscard]] LiveView& live() noexcept { return *live_; }
  [[nodiscard]] AdviceBoard& advice() noexcept { return *advice_; }
  [[nodiscard]] Executor control_executor() noexcept { return control_.get_executor(); }
  /// Where this machine itself reaches the data port.
  [[nodiscard]] asio::ip::tcp::endpoint data_endpoint() const;
  [[nodiscard]] ConfigStatus config_status() const { return holder_->status(); }
  [[nodiscard]] std::span<const std::unique_ptr<Reactor>> reactors() const noexcept { return reactors_; }
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  [[nodiscard]] std::uint32_t connections() const noexcept;
  [[nodiscard]] std::uint32_t requests_under_way() const noexcept;
  /// Sends nothing new to a backend, or does so again; what is under way there goes on. Says how many requests that are; nullopt: there is no
  /// such backend. A reload changes nothing about it, a restart forgets it.
  std::optional<std::uint32_t> drain_backend(const std::string& name, bool drain);
  [[nodiscard]] bool is_drained(const std::string& name) const { return drained_.contains(name); }
  /// Reads the file again; an invalid one changes nothing. The error says why.
  Result<void> reload(ReloadCause cause);

 private:
  Result<void> adopt(const ConfigPtr& loaded);
  void note_text(const Config& loaded);
  void prepare_sharing(const SharedConfig& shared);
  Result<void> start_sharing(const Config& config);
  [[nodiscard]] Result<void> still_guarded(const Config& config) const;
  Result<Scoring> read_scoring(const Config& config) const;
  Result<ConfigPtr> with_simulators(const ConfigPtr& loaded);
  Task<void> handle_signals();
  Task<void> watch_file();
  Task<void> watch_engines();
  Task<void> watch_outliers();
  Task<void> watch_economics();
  void steer();
  [[nodiscard]] AutopilotCounts::Totals autopilot_totals() const;
  void apply_drains() noexcept;
  void begin_drain();
  Task<void> stop_when_drained();
  void collect(std::vector<prometheus::MetricFamily>& families) const;

  const std::string path_;
  FileWatch watch_{path_};               // older than the first reading: a change between the two is noticed
  std::atomic<bool> draining_{false};
  std::unique_ptr<ConfigHolder> holder_;
  HealthBoard board_;
  KeyBoard keys_;
  std::set<std::string> drained_;        // backends, by name
  Outliers outliers_;
  Conversations conversations_;
  ResponseCache response_cache_;
  EngineBoard engines_;
  std::map<std::string, std::unique_ptr<simulator::Simulator>> simulators_;
  std::map<std::string, SimulatedConfig> simulated_with_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<AnswerReview> review_;
  std::unique_ptr<Shadows> shadows_;
  std::atomic<Sharing*> waker_{nullptr};   // of guards_, once it is there
  Guards guards_;
  ServingPtr serving_;
  std::shared_ptr<const AsWritten> as_written_;
  std::unique_ptr<Prober> prober_;
  std::unique_ptr<EngineScraper> scraper_;
  std::unique_ptr<EngineWatch> engine_watch_;
  BreakEvenSeries break_even_;
  Autopilot autopilot_;
  bool steered_ = false;                 // reactors hold stances
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::thread> threads_;
  asio::io_context control_{1};
  asio::basic_signal_set<Executor> signals_{control_.get_executor()};
  std::unique_ptr<LiveView> live_;
  std::unique_ptr<AdviceBoard> advice_;
  std::unique_ptr<AdminServer> admin_;
  std::uint16_t data_port_ = 0, admin_port_ = 0;
  bool data_reachable_ = false, admin_reachable_ = false;   // from other machines: where the sockets were bound
  WarmUps warm_ups_;
};

}  // namespace tollgate
