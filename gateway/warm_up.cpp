#include "gateway/warm_up.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "gateway/log.hpp"
#include "gateway/reactor.hpp"
#include "gateway/unix_time.hpp"
#include "router/constraints.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds first_pause{500}, pause_max{15'000};
constexpr int cold_starts_waited = 3;   // of the configured time: it is an average at best

/// The least that makes a worker work. Engines' templates want a message that says something.
std::string least_request(const Target& target, DialectName dialect, Surface surface) {
  nlohmann::ordered_json body{{"model", text(target.id)}};
  if (surface == Surface::embeddings) {
    body["input"] = "ping";
    return body.dump();
  }
  if (surface == Surface::completions) {
    body["prompt"] = "ping";
  } else {
    body["messages"] = {{{"role", "user"}, {"content", "ping"}}};
  }
  const bool newer = surface == Surface::chat && (dialect == DialectName::openai || dialect == DialectName::azure_openai);
  body[newer ? "max_completion_tokens" : "max_tokens"] = 1;
  return body.dump();
}

Surface surface_of(const Target& target) noexcept { return target.surfaces.empty() ? Surface::chat : target.surfaces.front(); }

/// Whether the platform may just not be ready: what it says while a worker boots, or that it says nothing.
bool is_booting(const Error& error, int http_status) noexcept {
  switch (error.fault) {
    case Fault::upstream_unreachable:
    case Fault::upstream_busy:
    case Fault::upstream_status:
    case Fault::upstream_timeout:
    case Fault::upstream_broke_off:
    case Fault::upstream_garbage:
      return true;
    default:
      return http_status / 100 == 3;   // "come back there later" (Modal, for requests that are held too long)
  }
}

std::string said_of(const Error& error) {
  return error.message.empty() ? std::string(facts_of(error.fault).name) : error.message;
}

/// As long as the platform was said to take, several times over, and a call's own time on top.
milliseconds give_up_after(const Backend& backend) noexcept {
  return backend.pool->serverless.cold_start * cold_starts_waited + backend.timeouts.total;
}

}  // namespace

std::string_view name_of(WarmState state) noexcept {
  if (state == WarmState::booting) return "booting";
  return state == WarmState::up ? "up" : "failed";
}

std::optional<Error> nothing_to_warm(const Backend& backend) {
  const std::string name = "'" + std::string(text(backend.name)) + "'";
  std::string why;
  if (!backend.pool) {
    why = name + " has no pool: a managed API is up without being woken";
  } else if (backend.pool->billing == Billing::dedicated || backend.pool->billing == Billing::owned) {
    why = "the hardware of " + name + " is up and billed all the time: there is nothing to warm";
  } else {
    return std::nullopt;
  }
  Error error = fail(Fault::bad_request, why + "; pools with billing: serverless or reported can be warmed");
  error.http_status = 409;
  error.code = "nothing_to_warm";
  return error;
}

Result<WarmUp> WarmUps::begin(Reactor& reactor, ServingPtr serving, const Target& target) {
  const Backend& backend = serving->config->backend_of(target);
  if (std::optional<Error> refused = nothing_to_warm(backend)) return *std::move(refused);
  WarmUp status;
  {
    const std::lock_guard lock(mutex_);
    WarmUp& last = last_[backend.name];
    if (last.began_us != 0 && last.state == WarmState::booting) return last;
    last = WarmUp{};
    last.backend = backend.name;
    last.target = target.id;
    last.began_us = unix_micros();
    status = last;
  }
  asio::post(reactor.context(), [this, &reactor, serving = std::move(serving), &target, status] { reactor.warm_up_runs().start(*this, serving, target, status); });
  return status;
}

std::optional<WarmUp> WarmUps::last(NameId backend) const {
  const std::lock_guard lock(mutex_);
  const auto found = last_.find(backend);
  return found == last_.end() ? std::nullopt : std::optional<WarmUp>(found->second);
}

void WarmUps::note(const WarmUp& status) {
  const std::lock_guard lock(mutex_);
  last_[status.backend] = status;
}

WarmUpRun::WarmUpRun(Reactor& reactor, WarmUps& board, ServingPtr serving, const Target& target, const WarmUp& status)
    : reactor_(reactor),
      board_(board),
      serving_(std::move(serving)),
      target_(target),
      status_(status),
      facts_{&chat_, {}, {}, {}, {}, nullptr},
      pause_(reactor.context().get_executor()),
      calls_(reactor, serving_, {target.id, {}, {}, {}}) {
  const Backend& backend = serving_->config->backend_of(target_);
  body_ = least_request(target_, backend.dialect, surface_of(target_));
  body_.reserve(body_.size() + ChatParser::padding);
  facts_.arrived_us = status_.began_us;
}

Task<void> WarmUpRun::wake() {
  const Backend& backend = serving_->config->backend_of(target_);
  const MonoTime give_up = std::chrono::steady_clock::now() + give_up_after(backend);
  ClientBody map;
  const Result<void> read = reactor_.parser().parse(body_, surface_of(target_), chat_, map);
  if (!read) co_return end(WarmState::failed, read.error().message);
  screening_.emplace(chat_, body_);
  facts_.screening = &*screening_;
  for (milliseconds wait = first_pause;; wait = std::min(wait * 2, pause_max)) {
    const Result<void> outcome = co_await call_once();
    if (outcome) co_return end(WarmState::up, "");
    const std::string why = said_of(outcome.error());
    if (is_hopeless_ || calls_.stopped() || std::chrono::steady_clock::now() + wait >= give_up) co_return end(WarmState::failed, why);
    status_.error = why;
    board_.note(status_);
    co_await pause(wait);
  }
}

/// One call, and what it cost.
Task<Result<void>> WarmUpRun::call_once() {
  Result<void> outcome = may_call();
  OwnCall call(Purpose::warm_up, target_, Names::global().intern(warm_up_route), reactor_.guards());
  call.surface = surface_of(target_);
  call.body = body_;
  if (outcome) outcome = co_await calls_.make(call, facts_);
  if (call.opened) ++status_.calls;
  if (call.charge) status_.charged += *call.charge;
  if (call.opened && !call.charge) status_.charge_known = false;
  if (outcome) {
    serving_->health_of(target_).succeeded();   // an answer is an answer: a breaker that opened while it booted closes
  } else {
    is_hopeless_ = !is_booting(outcome.error(), call.end.http_status);
  }
  co_return outcome;
}

Result<void> WarmUpRun::may_call() const {
  if (calls_.stopped()) return Error(Fault::draining, "the gateway stops");
  if (reactor_.serving()->generation != serving_->generation) return Error(Fault::draining, "another configuration took effect meanwhile");
  if (serving_->health_of(target_).draining) return fail(Fault::no_target_up, "the backend is drained");
  if (!permits(facts_, *serving_->config, target_)) return fail(Fault::constraint_unsatisfied, "a constraint that covers every request keeps requests from this target");
  return success();
}

Task<void> WarmUpRun::pause(milliseconds time) {
  pause_.expires_after(time);
  co_await pause_.async_wait(asio::as_tuple(use_task));
}

void WarmUpRun::stop() {
  calls_.stop();
  pause_.cancel();
}

void WarmUpRun::end(WarmState state, const std::string& error) {
  status_.state = state;
  status_.error = error;
  status_.ended_us = unix_micros();
  board_.note(status_);
  log_event(state == WarmState::up ? LogLevel::info : LogLevel::warn, state == WarmState::up ? "a pool was warmed up" : "a pool could not be warmed up",
            {{"backend", std::string(text(status_.backend))}, {"target", std::string(text(status_.target))}, {"calls", std::to_string(status_.calls), false}, {"why", error}});
}

void WarmUpRuns::start(WarmUps& board, ServingPtr serving, const Target& target, const WarmUp& status) {
  if (reactor_.draining()) {
    WarmUp ended = status;
    ended.state = WarmState::failed;
    ended.error = "the gateway stops";
    ended.ended_us = unix_micros();
    return board.note(ended);
  }
  under_way_.push_back(std::make_unique<WarmUpRun>(reactor_, board, std::move(serving), target, status));
  WarmUpRun& running = *under_way_.back();
  asio::co_spawn(reactor_.context(), running.wake(), [this, &board, &running, status](const std::exception_ptr& failed) {
    if (failed) {
      WarmUp ended = status;
      ended.state = WarmState::failed;
      ended.error = "an exception: please report this";
      ended.ended_us = unix_micros();
      board.note(ended);
      log_event(LogLevel::error, "a warm-up ended by an exception: please report this");
    }
    std::erase_if(under_way_, [&running](const std::unique_ptr<WarmUpRun>& each) { return each.get() == &running; });
    reactor_.own_work_ended();
  });
}

void WarmUpRuns::stop() {
  for (const std::unique_ptr<WarmUpRun>& run : under_way_) run->stop();
}

}  // namespace tollgate
