#include "gateway/reactor.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "gateway/log.hpp"
#include "gateway/reply.hpp"
#include "gateway/session.hpp"
#include "gateway/shadow_run.hpp"
#include "gateway/warm_up.hpp"
#include "router/forecast.hpp"
#include "router/serverless.hpp"

namespace tollgate {

namespace {
using boost::system::error_code;
constexpr std::size_t scratch_bytes = 64 * 1024;
constexpr std::chrono::milliseconds learned_refresh{100};       // how old the learned numbers of a forecast may be
constexpr std::chrono::seconds speed_forgotten{60};             // a target's speed is not known any more after so long without an answer
constexpr std::uint32_t uneven_max = 4;                         // connections one reactor may hold above the least loaded
constexpr std::chrono::milliseconds accept_pause{50};           // after a failure such as "too many open files"
constexpr int socket_send_bytes = 256 * 1024;                   // a stalled reader must not hold megabytes of kernel memory
}  // namespace

Reactor::Reactor(unsigned index, Books& books, Guards& guards, ServingPtr serving, Conversations& conversations, ResponseCache& cache)
    : index_(index),
      scratch_(scratch_bytes),
      parser_(std::make_unique<ChatParser>(serving->config->server.nesting_max)),
      native_(make_native_transport(context_, poll_, wheel_)),
      curl_(make_curl_transport(context_, poll_, wheel_)),
      jobs_(make_job_transport(context_, poll_, wheel_, *native_, *curl_)),
      books_(books),
      conversations_(conversations),
      cache_(cache),
      guards_(guards),
      serving_(std::move(serving)),
      sessions_(std::make_unique<SessionList>()),
      grace_(wheel_, [](void* self) {
        for (Session& session : *static_cast<Reactor*>(self)->sessions_) session.connection().close();
      }, this),
      warm_up_runs_(std::make_unique<WarmUpRuns>(*this)) {}

Reactor::~Reactor() = default;

Result<std::uint16_t> Reactor::listen(const ListenAddress& address) {
  const std::string where = address.host + ":" + std::to_string(address.port);
  error_code code;
  const auto ip = asio::ip::make_address(address.host, code);
  if (code) return fail(Fault::bad_config, "cannot listen on '" + where + "': not an IP address");
  const asio::ip::tcp::endpoint endpoint(ip, address.port);
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor(context_.get_executor());
  acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code) acceptor.set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  std::uint16_t port = 0;
  if (!code) port = acceptor.local_endpoint(code).port();
  if (!code) acceptor_.assign(acceptor.release(), code);
  if (code) return fail(Fault::internal, "cannot listen on " + where + ": " + code.message());
  return port;
}

void Reactor::set_learning(AnswerReview& review, Shadows& shadows) {
  review_ = &review;
  shadow_runs_ = std::make_unique<ShadowRuns>(*this, shadows);
}

void Reactor::run() {
  asio::co_spawn(context_, accept(), [](const std::exception_ptr& failed) {
    if (failed) log_event(LogLevel::error, "the accept loop ended unexpectedly");
  });
  context_.run();
}

Task<void> Reactor::accept() {
  while (acceptor_.is_open() && !draining_) {
    error_code code;
    const int accepted = acceptor_.accept(code);
    if (!code) {
      welcome(accepted);
      continue;
    }
    if (code == asio::error::would_block) {
      if (!co_await acceptor_.readable()) co_return;
      continue;
    }
    log_event(LogLevel::warn, "cannot accept a connection", {{"why", code.message()}});
    Timer pause(context_.get_executor(), accept_pause);
    co_await pause.async_wait(asio::as_tuple(use_task));
  }
}

Reactor& Reactor::least_loaded() noexcept {
  Reactor* least = this;
  for (const auto& peer : peers_) {
    if (peer->counts_.connections.load(std::memory_order_relaxed) < least->counts_.connections.load(std::memory_order_relaxed)) least = peer.get();
  }
  return *least;
}

// The kernel deals new connections by hash; long streams would pile up on one core, so a reactor far above the least loaded hands on.
void Reactor::welcome(int descriptor) {
  counts_.accepted.fetch_add(1, std::memory_order_relaxed);
  Reactor& least = least_loaded();
  const std::uint32_t mine = counts_.connections.load(std::memory_order_relaxed);
  if (&least == this || mine <= least.counts_.connections.load(std::memory_order_relaxed) + uneven_max) {
    admit(descriptor);
    return;
  }
  least.counts_.connections.fetch_add(1, std::memory_order_relaxed);   // promised: so that the next one sees it
  asio::post(least.context_, [&least, descriptor] {
    least.counts_.connections.fetch_sub(1, std::memory_order_relaxed);
    least.admit(descriptor);
  });
}

void Reactor::admit(int descriptor) {
  std::uint32_t open = 0;
  for (const auto& peer : peers_) open += peer->counts_.connections.load(std::memory_order_relaxed);
  if (open >= serving_->config->server.connections_max || draining_) {
    ::close(descriptor);
    return;
  }
  const int no_delay = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &socket_send_bytes, sizeof socket_send_bytes);
  counts_.connections.fetch_add(1, std::memory_order_relaxed);
  auto session = std::make_unique<Session>(*this, descriptor);
  sessions_->push_back(*session);
  Session& running = *session;
  asio::co_spawn(context_, running.run(), [this, session = std::move(session)](const std::exception_ptr& failed) mutable {
    if (failed) {
      try {
        std::rethrow_exception(failed);
      } catch (const std::exception& bug) {
        log_event(LogLevel::error, "a session ended by an exception: please report this", {{"what", bug.what()}});
      }
    }
    session.reset();
    counts_.connections.fetch_sub(1, std::memory_order_relaxed);
    stop_if_drained();
  });
}

void Reactor::adopt(ServingPtr serving) {
  asio::post(context_, [this, serving = std::move(serving)] { serving_ = serving; });
}

void Reactor::steer(StancesPtr stances) {
  asio::post(context_, [this, stances = std::move(stances)] {
    stances_ = stances;
    states_of_ = nullptr;   // the next states are new ones
  });
}

void Reactor::drain(std::chrono::milliseconds grace) {
  asio::post(context_, [this, grace] {
    draining_ = true;
    acceptor_.close();
    for (Session& session : *sessions_) {
      if (session.connection().is_idle()) session.connection().close();
    }
    grace_.set(grace);
    shadow_runs_->stop();
    warm_up_runs_->stop();
    stop_if_drained();
  });
}

void Reactor::stop_if_drained() {
  if (!draining_ || !sessions_->empty() || !shadow_runs_->idle() || !warm_up_runs_->idle()) return;
  native_->close_idle();
  curl_->close_idle();
  wheel_.stop();
  context_.stop();
}

std::span<const TargetState> Reactor::target_states(const Serving& serving, MonoTime now) {
  const std::vector<Target>& targets = serving.config->targets;
  const bool refresh = states_of_ != &serving || now - states_refreshed_ > learned_refresh;
  if (refresh) {
    states_.resize(targets.size());
    states_of_ = &serving;
    states_refreshed_ = now;
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    TargetState& state = states_[i];
    TargetHealth& health = *serving.health[i];
    state.in_flight = health.in_flight.load(std::memory_order_relaxed);
    state.availability = health.draining.load(std::memory_order_relaxed) ? Availability::draining
                         : !health.reachable()                           ? Availability::unreachable
                         : !health.usable(now)                           ? Availability::breaker_open
                         : health.ejected(now)                           ? Availability::ejected
                         : health.connects.stuck(now)                    ? Availability::connecting
                                                                         : Availability::up;
    note_limits(serving, i, now, state);
    const EngineLoad& engine = serving.engines[targets[i].backend]->load;
    state.engine_running = engine.running.load(std::memory_order_relaxed);
    state.engine_waiting = engine.waiting.load(std::memory_order_relaxed);
    state.kv_cache_usage = engine.kv_cache_usage.load(std::memory_order_relaxed);
    note_saturation(targets[i], serving, health, state);
    if (const std::optional<Pool>& pool = serving.config->backend_of(targets[i]).pool; pool && pool->billing == Billing::serverless) {
      const WorkersNow workers{engine.workers_up.load(std::memory_order_relaxed), engine.workers_booting.load(std::memory_order_relaxed),
                               engine.pool_in_flight.load(std::memory_order_relaxed)};
      if (workers.up >= 0) note_workers(*pool, workers, state);
    }
    if (!refresh) continue;
    const bool steered = stances_ && stances_->generation == serving.generation;
    state.stance = steered ? stances_->by_backend[targets[i].backend] : std::nullopt;
    state.loaded_usd_per_million_tokens = Usd{engine.loaded_picodollars_per_million.load(std::memory_order_relaxed)};
    const Books::Learned learned = books_.learned(targets[i].id);
    state.input_bytes_per_token = learned.input_bytes_per_token;
    state.output_tokens_mean = learned.output_tokens_mean;
    const bool fresh = now - learned.timed_at < speed_forgotten;   // else what was too slow once would never be tried again
    state.first_token_mean = fresh ? learned.first_token_mean : std::chrono::microseconds{0};
    state.output_token_mean = fresh ? learned.output_token_mean : std::chrono::microseconds{0};
    state.duration_mean = fresh ? learned.duration_mean : std::chrono::microseconds{0};
    state.seconds_per_output_token = learned.seconds_per_output_token;
    const bool by_time = targets[i].prices && !targets[i].prices->timed.empty();
    state.prices_now = by_time ? &prices_at(*targets[i].prices, std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())) : nullptr;
  }
  return states_;
}

// What keeps spill-over from flapping is remembered of each target by all reactors together.
void Reactor::note_saturation(const Target& target, const Serving& serving, TargetHealth& health, TargetState& state) noexcept {
  state.was_saturated = health.saturated.load(std::memory_order_relaxed);
  const bool saturated = is_saturated(target, state, serving.config->spill_over);
  if (saturated == state.was_saturated) return;
  health.saturated.store(saturated, std::memory_order_relaxed);
  state.was_saturated = saturated;
}

std::string_view Reactor::date(std::int64_t unix_seconds) {
  if (unix_seconds != date_second_) {
    date_second_ = unix_seconds;
    date_ = http_date(unix_seconds);
  }
  return date_;
}

}  // namespace tollgate
