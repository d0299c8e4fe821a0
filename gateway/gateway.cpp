#include "gateway/gateway.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include "config/sha256.hpp"
#include "gateway/admin/advice_board.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/admin/server.hpp"
#include "gateway/answer_review.hpp"
#include "gateway/budget_metrics.hpp"
#include "gateway/log.hpp"
#include "gateway/resilience_series.hpp"
#include "gateway/shadow.hpp"
#include "metrics/shared/redis_store.hpp"
#include "router/model.hpp"

namespace tollgate {

namespace {

constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds probe_interval{5};
constexpr std::chrono::seconds file_poll{1};
constexpr std::chrono::seconds ledger_poll{1};
constexpr std::chrono::milliseconds drain_poll{10};

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string url_of(const ListenAddress& address, std::uint16_t port) {
  const bool v6 = address.host.find(':') != std::string::npos;
  const std::string shown = address.host == "0.0.0.0" ? "127.0.0.1" : address.host == "::" ? "::1" : address.host;
  return "http://" + (v6 ? "[" + shown + "]" : shown) + ":" + std::to_string(port);
}

simulator::Options simulator_options(const Config& config, std::size_t backend) {
  simulator::Options options;
  options.engine = *config.backends[backend].simulated;
  bool first = true;
  for (const Target& target : config.targets) {
    if (target.backend != backend) continue;
    if (first) {
      options.model = target.upstream;
      if (target.context_tokens > 0) options.context_tokens = static_cast<std::size_t>(target.context_tokens);
    } else {
      options.more_models.push_back(target.upstream);
    }
    first = false;
  }
  return options;
}

// What an earlier run left behind is a finding even when all of it could be settled.
void report_recovery(const Recovery& recovery) {
  if (recovery.settled + recovery.open + recovery.damaged == 0) return;
  log_event(LogLevel::warn, "requests of an earlier run were taken into the ledger",
            {{"settled", std::to_string(recovery.settled), false}, {"open", std::to_string(recovery.open), false}, {"damaged", std::to_string(recovery.damaged), false}});
  for (const std::string& file : recovery.set_aside) log_event(LogLevel::error, "a damaged slot file was set aside", {{"file", file}});
}

/// Says when commits begin to fail and when they work again. Both outlive it.
Task<void> watch_ledger(asio::io_context& control, const Accounts& accounts) {
  Timer timer(control.get_executor());
  for (bool failing = false;;) {
    timer.expires_after(ledger_poll);
    auto [failed] = co_await timer.async_wait(as_result);
    if (failed) co_return;
    const LedgerStatus status = accounts.ledger();
    if (status.failing == failing) continue;
    failing = status.failing;
    if (failing) {
      log_event(LogLevel::error, status.writable ? "the ledger is away; requests are served and wait in this gateway's files" : "the ledger cannot be written; new requests are refused",
                {{"why", status.error}});
    } else {
      log_event(LogLevel::info, "the ledger is written again");
    }
  }
}

/// While a database that holds the ledger does not answer a start: waits longer each time, until it has been enough or somebody wants
/// the process to end.
class LedgerWait {
 public:
  explicit LedgerWait(std::chrono::milliseconds in_all) : give_up_(std::chrono::steady_clock::now() + in_all) {}
  bool operator()(const Error& why) {
    if (std::chrono::steady_clock::now() + wait_ > give_up_) return false;
    log_event(LogLevel::warn, "the ledger does not answer; this start waits for it", {{"why", why.message}});
    sigset_t ends;
    sigemptyset(&ends);
    for (const int number : {SIGTERM, SIGINT}) sigaddset(&ends, number);
    const timespec limit{wait_.count() / 1000, (wait_.count() % 1000) * 1'000'000};
    wait_ = std::min(2 * wait_, wait_max);
    return ::sigtimedwait(&ends, nullptr, &limit) < 0;
  }

 private:
  static constexpr std::chrono::milliseconds wait_max{4'000};
  std::chrono::steady_clock::time_point give_up_;
  std::chrono::milliseconds wait_{250};
};

}  // namespace

Gateway::Gateway(std::string config_path) : path_(std::move(config_path)) {}

// In the reverse order of start(): nothing that is still used goes first.
Gateway::~Gateway() {
  for (const auto& reactor : reactors_) reactor->drain(std::chrono::milliseconds{0});
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  admin_.reset();
  advice_.reset();
  live_.reset();
  scraper_.reset();
  prober_.reset();
  engine_watch_.reset();
  reactors_.clear();
  waker_.store(nullptr);
  guards_.sharing.reset();
  shadows_.reset();
  review_.reset();
  accounts_.reset();
  simulators_.clear();
}

Result<void> Gateway::start() {
  raise_descriptor_limit();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error of its write, for the ledger to handle
  sigset_t handled;                        // only the control thread takes signals: block them before any thread starts
  sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, number);
  pthread_sigmask(SIG_BLOCK, &handled, nullptr);

  TOLLGATE_TRY(const ConfigPtr loaded, load_file(path_, process_environment()));
  configure_log(loaded->log);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = std::min(loaded->server.reactors != 0 ? loaded->server.reactors : cores, reactors_max);
  TOLLGATE_TRY(accounts_, Accounts::start(loaded->ledger, count, [] { return std::chrono::steady_clock::now(); }, LedgerWait(loaded->ledger.start_wait)));
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { collect(families); });
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { collect_budgets(guards_, families); });
  report_recovery(accounts_->recovery());
  TOLLGATE_TRY(const std::size_t unread, guards_.objects.open(loaded->ledger.path + ".objects"));
  if (unread > 0) log_event(LogLevel::warn, "lines about files and batches could not be read; their ids are nobody's", {{"lines", std::to_string(unread), false}});
  review_ = std::make_unique<AnswerReview>();
  shadows_ = std::make_unique<Shadows>();
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { collect_shadows(*shadows_, families); });
  prober_ = start_prober(board_, probe_interval);
  engine_watch_ = std::make_unique<EngineWatch>(*accounts_);
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { engine_watch_->collect(*serving_, families); });
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { break_even_.collect(*serving_, *engine_watch_, families); });
  scraper_ = start_scraper(engines_, [](const std::string& backend, const std::string& why) {
    log_event(LogLevel::warn, "the engine's metrics cannot be read; its load, its token counts and foreign traffic are not known",
              {{"backend", backend}, {"why", why}});
  });
  holder_ = std::make_unique<ConfigHolder>(loaded, path_, process_environment());
  if (loaded->shared) prepare_sharing(*loaded->shared);
  TOLLGATE_TRY(adopt(loaded));
  if (loaded->shared) {
    TOLLGATE_TRY(start_sharing(*loaded));
  }

  ListenAddress address = loaded->server.listen;
  for (unsigned i = 0; i < count; ++i) {
    reactors_.push_back(std::make_unique<Reactor>(i, accounts_->books(i), guards_, serving_, conversations_, response_cache_));
    TOLLGATE_TRY(address.port, reactors_.back()->listen(address));
  }
  data_port_ = address.port;
  live_ = std::make_unique<LiveView>(*this);
  advice_ = std::make_unique<AdviceBoard>(*this);
  accounts_->add_collector([this](std::vector<prometheus::MetricFamily>& families) { advice_->collect(families); });
  data_reachable_ = !address.loopback;
  admin_reachable_ = !loaded->admin.listen.loopback;
  admin_ = std::make_unique<AdminServer>(control_, *this);
  TOLLGATE_TRY(admin_port_, admin_->listen(loaded->admin.listen));
  for (const auto& reactor : reactors_) reactor->set_peers(reactors_);
  for (const auto& reactor : reactors_) reactor->set_learning(*review_, *shadows_);
  for (const auto& reactor : reactors_) threads_.emplace_back([each = reactor.get()] { each->run(); });
  return success();
}

// Before the configuration is adopted, so that no budget is ever used as if it were this gateway's own. What is woken is there only
// after it; until then every request waits.
void Gateway::prepare_sharing(const SharedConfig& shared) {
  guards_.grant_wait = shared.grant_wait;
  const auto wake = [this] {
    if (Sharing* const sharing = waker_.load(std::memory_order_acquire)) sharing->wake();
  };
  guards_.budgets.share_with(shared, wake);
  guards_.limits.share_with(wake);
}

Result<void> Gateway::start_sharing(const Config& config) {
  TOLLGATE_TRY(std::string name, sharing_name(config));
  const auto report = [where = config.shared->where](const SharingStatus& status) {
    const std::vector<LogField> fields{{"store", where}, {"gateway", status.gateway}, {"why", status.error}};
    if (status.reached) {
      log_event(LogLevel::info, "shared budgets: the store answers", {{"store", where}, {"gateway", status.gateway}});
      if (!status.remark.empty()) log_event(LogLevel::warn, "shared budgets: the store may forget", {{"why", status.remark}});
    } else {
      log_event(LogLevel::error, status.fenced ? "shared budgets: another process has taken this gateway's name" : "shared budgets: the store does not answer", fields);
    }
  };
  guards_.sharing = std::make_unique<Sharing>(std::make_unique<RedisStore>(*config.shared), *config.shared,
                                              Sharing::Shared{guards_.budgets, guards_.limits}, std::move(name), report);
  waker_.store(guards_.sharing.get(), std::memory_order_release);
  return success();
}

// Simulated backends get their url here: the engine that listens on it is started first, and kept if nothing about it changed.
Result<ConfigPtr> Gateway::with_simulators(const ConfigPtr& loaded) {
  auto filled = std::make_shared<Config>(*loaded);
  for (std::size_t i = 0; i < filled->backends.size(); ++i) {
    Backend& backend = filled->backends[i];
    if (!backend.simulated) continue;
    const std::string name(text(backend.name));
    const auto known = simulated_with_.find(name);
    if (known == simulated_with_.end() || known->second != *backend.simulated) {
      try {
        auto engine = std::make_unique<simulator::Simulator>(simulator_options(*filled, i));
        engine->start();
        simulators_[name] = std::move(engine);
      } catch (const std::runtime_error& failed) {
        return fail(Fault::bad_config, "the simulated backend '" + name + "' cannot start: " + failed.what());
      }
      simulated_with_[name] = *backend.simulated;
    }
    backend.url = simulators_[name]->url();
  }
  return ConfigPtr(std::move(filled));
}

// A new configuration may name loopback addresses and no keys; the sockets stay where they were bound at the start.
Result<void> Gateway::still_guarded(const Config& config) const {
  constexpr const char* why = " is bound to an address that other machines reach until the next start, and the new configuration has no ";
  if (data_reachable_ && config.keys.empty()) return fail(Fault::bad_config, std::string("the data port") + why + "auth.keys");
  if (admin_reachable_ && config.admin_keys.empty()) return fail(Fault::bad_config, std::string("the admin port") + why + "admin.keys");
  return success();
}

Result<void> Gateway::adopt(const ConfigPtr& loaded) {
  if (const Result<void> guarded = still_guarded(*loaded); !guarded) return guarded.error();
  TOLLGATE_TRY(const ConfigPtr filled, with_simulators(loaded));
  TOLLGATE_TRY(Scoring scoring, read_scoring(*filled));
  TOLLGATE_TRY(ServingPtr serving, Serving::make(filled, board_, engines_, keys_, std::move(scoring)));
  TOLLGATE_TRY(accounts_->adopt(filled));
  TOLLGATE_TRY(guards_.budgets.adopt(*filled, [this] { accounts_->flush(); }, BudgetClock::now()));
  guards_.limits.adopt(*filled, std::chrono::steady_clock::now());
  const auto& routes = filled->routes;
  const bool caches = std::any_of(routes.begin(), routes.end(), [](const Route& route) { return route.cache.has_value(); });
  response_cache_.set_limit(caches ? filled->cache.bytes_max : 0);
  serving_ = std::move(serving);
  note_text(*loaded);
  apply_drains();
  prober_->watch(filled);
  scraper_->watch(filled);
  for (const auto& reactor : reactors_) reactor->adopt(serving_);
  steer();
  return success();
}

void Gateway::note_text(const Config& loaded) {
  const Result<std::string> text = read_config_text(path_);
  const bool same = text && sha256_hex(text.value()) == loaded.sha256;
  as_written_ = std::make_shared<const AsWritten>(same ? read_as_written(text.value(), process_environment()) : AsWritten{});
}

// A start must not fail for a correction: after an upgrade the file may belong to the base model of before. A reload may, unless it
// brings another model, for which no correction can have been fitted yet: what is in force stays. A model is the operator's choice,
// and one that cannot be used is an error at any time.
Result<Scoring> Gateway::read_scoring(const Config& config) const {
  Scoring scoring;
  TOLLGATE_TRY(scoring.model, model_of(config));
  if (config.complexity.correction.empty()) return scoring;
  Result<CorrectionPtr> read = load_correction(config.complexity.correction, scoring.model->id());
  if (read) {
    scoring.correction = std::move(read).value();
    return scoring;
  }
  if (serving_ && serving_->scoring.model->id() == scoring.model->id()) return read.error();
  log_event(LogLevel::error, "the installed correction is not used; complexity is the base model's own", {{"why", read.error().message}});
  return scoring;
}

Result<void> Gateway::reload(ReloadCause cause) {
  const Result<ReloadOutcome> read = holder_->reload(cause);
  Result<void> done = success();
  if (!read) {
    done = read.error();
  } else if (read.value().changed) {
    done = adopt(read.value().config);
  }
  if (!done) {
    log_event(LogLevel::error, "the new configuration is not valid; the old one stays", {{"why", done.error().message}});
    return done;
  }
  if (!read.value().changed) return done;
  const Config& now = *serving_->config;
  configure_log(now.log);
  log_event(LogLevel::info, "configuration loaded", {{"file", now.source}, {"sha256", now.sha256}});
  for (const std::string& key : read.value().at_next_start) {
    log_event(LogLevel::warn, "this change takes effect at the next start", {{"key", key}});
  }
  return done;
}

int Gateway::wait() {
  const auto ended = [](const std::exception_ptr&) {};
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);   // before they are let in: one may be waiting already
  asio::co_spawn(control_, handle_signals(), ended);
  asio::co_spawn(control_, watch_file(), ended);
  asio::co_spawn(control_, watch_engines(), ended);
  asio::co_spawn(control_, watch_outliers(), ended);
  asio::co_spawn(control_, watch_ledger(control_, *accounts_), ended);
  asio::co_spawn(control_, advice_->keep(), ended);
  asio::co_spawn(control_, watch_economics(), ended);
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&handled, number);
  pthread_sigmask(SIG_UNBLOCK, &handled, nullptr);
  control_.run();
  for (std::thread& thread : threads_) thread.join();
  review_->stop();
  if (guards_.sharing) guards_.sharing->stop();   // what is leased goes back, once nothing can be spent any more
  accounts_->flush();
  log_event(LogLevel::info, "stopped");
  return 0;
}

Task<void> Gateway::handle_signals() {
  for (;;) {
    auto [failed, number] = co_await signals_.async_wait(as_result);
    if (failed) co_return;
    if (number == SIGHUP) {
      static_cast<void>(reload(ReloadCause::asked));   // logged there
      continue;
    }
    if (draining_) {                 // the second signal: at once
      for (const auto& reactor : reactors_) reactor->drain(std::chrono::milliseconds{0});
      continue;
    }
    begin_drain();
  }
}

// Readiness goes first, then the listeners; the admin port answers until the last stream is done.
void Gateway::begin_drain() {
  draining_ = true;
  const std::chrono::milliseconds grace = serving_->config->server.drain;
  log_event(LogLevel::info, "draining", {{"requests", std::to_string(requests_under_way()), false}});
  for (const auto& reactor : reactors_) reactor->drain(grace);
  asio::co_spawn(control_, stop_when_drained(), [](const std::exception_ptr&) {});
}

Task<void> Gateway::stop_when_drained() {
  Timer timer(control_.get_executor());
  while (connections() > 0) {
    timer.expires_after(drain_poll);
    co_await timer.async_wait(as_result);
  }
  control_.stop();
}

Task<void> Gateway::watch_file() {
  Timer timer(control_.get_executor());
  for (;;) {
    timer.expires_after(file_poll);
    auto [failed] = co_await timer.async_wait(as_result);
    if (failed) co_return;
    if (!draining_ && watch_.poll()) static_cast<void>(reload(ReloadCause::file_changed));
  }
}

Task<void> Gateway::watch_engines() {
  Timer timer(control_.get_executor());
  for (;;) {
    engine_watch_->tick(*serving_, std::chrono::steady_clock::now());
    timer.expires_after(EngineWatch::interval);
    auto [failed] = co_await timer.async_wait(as_result);
    if (failed) co_return;
  }
}

Task<void> Gateway::watch_outliers() {
  Timer timer(control_.get_executor());
  for (;;) {
    const OutlierRules rules = serving_->config->outliers;
    timer.expires_after(rules.window);
    auto [failed] = co_await timer.async_wait(as_result);
    if (failed) co_return;
    if (rules.is_on) outliers_.look(*serving_, std::chrono::steady_clock::now());
  }
}

void Gateway::apply_drains() noexcept {
  for (std::size_t i = 0; i < serving_->health.size(); ++i) {
    const Backend& backend = serving_->config->backend_of(serving_->config->targets[i]);
    serving_->health[i]->draining.store(drained_.contains(std::string(text(backend.name))), std::memory_order_relaxed);
  }
}

std::optional<std::uint32_t> Gateway::drain_backend(const std::string& name, bool drain) {
  const std::vector<Backend>& backends = serving_->config->backends;
  const auto known = std::find_if(backends.begin(), backends.end(), [&](const Backend& backend) { return text(backend.name) == name; });
  if (known == backends.end()) return std::nullopt;
  const bool changed = drain ? drained_.insert(name).second : drained_.erase(name) > 0;
  if (changed) log_event(LogLevel::info, drain ? "backend drained: nothing new is sent there" : "backend takes requests again", {{"backend", name}});
  apply_drains();
  std::uint32_t in_flight = 0;
  for (std::size_t i = 0; i < serving_->health.size(); ++i) {
    const bool of_it = text(serving_->config->backend_of(serving_->config->targets[i]).name) == name;
    if (of_it) in_flight += serving_->health[i]->in_flight.load(std::memory_order_relaxed);
  }
  return in_flight;
}

std::uint32_t Gateway::connections() const noexcept {
  std::uint32_t sum = 0;
  for (const auto& reactor : reactors_) sum += reactor->counts().connections.load();
  return sum;
}

std::uint32_t Gateway::requests_under_way() const noexcept {
  std::uint32_t sum = 0;
  for (const auto& reactor : reactors_) sum += reactor->counts().requests.load();
  return sum;
}

Gateway::Addresses Gateway::addresses() const {
  const Config& config = *serving_->config;
  Addresses all;
  all.data_url = url_of(config.server.listen, data_port_);
  all.admin_url = url_of(config.admin.listen, admin_port_);
  for (const auto& [name, engine] : simulators_) all.simulated.emplace_back(name, engine->url());
  all.needs_key = !config.keys.empty();
  all.models = config.virtual_models;
  for (const Target& target : config.targets) all.models.emplace_back(text(target.id));
  return all;
}

asio::ip::tcp::endpoint Gateway::data_endpoint() const {
  const asio::ip::address bound = asio::ip::make_address(serving_->config->server.listen.host);
  if (!bound.is_unspecified()) return {bound, data_port_};
  if (bound.is_v6()) return {asio::ip::address_v6::loopback(), data_port_};
  return {asio::ip::address_v4::loopback(), data_port_};
}

}  // namespace tollgate
