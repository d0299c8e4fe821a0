#include "simulate/engine.hpp"

#include <algorithm>

namespace tollgate::simulate {

Engine::Engine(const Pool& pool, const PoolSpeed& speed)
    : billing_(pool.billing),
      serverless_(pool.serverless),
      full_speed_(std::max(1.0, speed.full_speed)),
      places_(std::max(1U, speed.places)),
      pool_(std::make_unique<GpuPool>(pool, MonoTime{})) {
  workers_.set_rules(serverless_);
}

double Engine::cold_start(double now_us) {
  if (billing_ != Billing::serverless) return 0;
  const auto now_ns = static_cast<std::int64_t>(now_us * 1000);
  const auto in_flight = static_cast<std::int64_t>(running_.size() + queue_.size());
  const auto ignore = [](WorkerTime, std::int64_t) {};
  if (now_ns > workers_at_ns_) workers_.advance(workers_at_ns_, now_ns, in_flight, ignore);
  const std::size_t up = workers_.up();
  // A moment later the workers that this request asks for have been started.
  workers_.advance(now_ns, now_ns + 1, in_flight + 1, ignore);
  workers_at_ns_ = now_ns + 1;
  if (workers_.up() <= up) return 0;
  ++cold_starts_;
  return static_cast<double>(serverless_.cold_start.count()) * 1000;
}

double Engine::begin(std::uint64_t request, const ServiceTime& work, double now_us) {
  now_us_ = std::max(now_us_, now_us);
  const double boot = cold_start(now_us);
  const GpuPool::Run run = pool_->begin(at(now_us_));
  const double alone = std::max(1.0, work.whole_us) + boot;
  double first = work.first_us_or_whole() + boot;
  if (running_.size() >= places_) {
    // Its turn comes when as many have ended as stand before it.
    const double each = running_.empty() ? 0 : (running_.top().until - work_us_) / pace();
    first += each * static_cast<double>(queue_.size() + 1);
    queue_.push_back({request, alone, now_us_, run});
  } else {
    running_.push({work_us_ + alone, request, now_us_, run, alone});
    first /= pace();
  }
  most_ = std::max(most_, static_cast<std::uint32_t>(running_.size() + queue_.size()));
  return first;
}

Engine::Finished Engine::finish() {
  const Job done = running_.top();
  running_.pop();
  if (billing_ == Billing::serverless) {
    const auto now_ns = static_cast<std::int64_t>(now_us_ * 1000);
    const auto before = static_cast<std::int64_t>(running_.size() + 1 + queue_.size());
    if (now_ns > workers_at_ns_) {
      workers_.advance(workers_at_ns_, now_ns, before, [](WorkerTime, std::int64_t) {});
      workers_at_ns_ = now_ns;
    }
  }
  Finished finished{done.request, done.began_us, now_us_, {}};
  if (billing_ == Billing::reported) {
    const GpuTime billed{static_cast<std::int64_t>(done.alone_us)};
    finished.charge = pool_->end_reported(done.run, billed, at(now_us_)).value_or(Usd{});
  } else {
    finished.charge = pool_->end(done.run, at(now_us_)).charge;
  }
  if (!queue_.empty()) {
    const Waiting next = queue_.front();
    queue_.pop_front();
    running_.push({work_us_ + next.work_us, next.request, next.began_us, next.run, next.work_us});
  }
  return finished;
}

PoolStatus Engine::status(double at_us) noexcept { return pool_->status(at(at_us)); }

}  // namespace tollgate::simulate
