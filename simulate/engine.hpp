#pragma once
// A pool at work in simulated time: who runs, who waits, how fast, and what it is billed. The bill is GpuPool's own (metrics/gpu_pool.hpp);
// the speed is processor sharing: up to `full_speed` requests run as fast as one alone, more share what there is; beyond `places` they
// queue. A worker of a serverless pool that has to boot first makes its request wait for the cold start.
//
//    engine.advance(now_us, [&](const Engine::Finished& done) { … });   // everything that ends until now, in order
//    engine.begin(request, work, now_us);
//
// Times are microseconds since the simulation began. One thread.

#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "metrics/gpu_pool.hpp"
#include "simulate/speeds.hpp"

namespace tollgate::simulate {

class Engine {
 public:
  struct Finished {
    std::uint64_t request = 0;
    double began_us = 0, ended_us = 0;
    Usd charge;                      ///< its share of the pool
  };

  Engine(const Pool& pool, const PoolSpeed& speed);

  /// A request with so much work, counted in microseconds alone; of which `first_us` to its first token. Returns when that token
  /// is expected.
  double begin(std::uint64_t request, const ServiceTime& work, double now_us);
  template <class OnFinished>
  void advance(double to_us, OnFinished on_finished) {
    while (!running_.empty()) {
      const double pace = this->pace();
      const double ends = now_us_ + (running_.top().until - work_us_) / pace;
      if (ends > to_us) break;
      note_time(ends);
      work_us_ = running_.top().until;
      now_us_ = ends;
      on_finished(finish());
    }
    if (to_us <= now_us_) return;
    if (!running_.empty()) {
      note_time(to_us);
      work_us_ += (to_us - now_us_) * pace();
    }
    now_us_ = to_us;
  }
  [[nodiscard]] std::uint32_t running() const noexcept { return static_cast<std::uint32_t>(running_.size()); }
  [[nodiscard]] std::uint32_t waiting() const noexcept { return static_cast<std::uint32_t>(queue_.size()); }
  [[nodiscard]] std::uint32_t most_at_once() const noexcept { return most_; }
  [[nodiscard]] double busy_us() const noexcept { return busy_us_; }
  /// Time times requests at work.
  [[nodiscard]] double request_us() const noexcept { return request_us_; }
  [[nodiscard]] std::uint64_t cold_starts() const noexcept { return cold_starts_; }
  [[nodiscard]] PoolStatus status(double at_us) noexcept;

 private:
  struct Job {
    double until;                    // of work_us_
    std::uint64_t request;
    double began_us;
    GpuPool::Run run;
    double alone_us;
    friend bool operator>(const Job& a, const Job& b) noexcept { return a.until != b.until ? a.until > b.until : a.request > b.request; }
  };
  struct Waiting {
    std::uint64_t request;
    double work_us, began_us;
    GpuPool::Run run;
  };
  [[nodiscard]] double pace() const noexcept {
    const auto n = static_cast<double>(running_.size());
    return n > full_speed_ ? full_speed_ / n : 1.0;
  }
  [[nodiscard]] static MonoTime at(double us) noexcept { return MonoTime{} + std::chrono::microseconds(static_cast<std::int64_t>(us)); }
  void note_time(double to_us) noexcept {
    busy_us_ += to_us - now_us_;
    request_us_ += (to_us - now_us_) * static_cast<double>(running_.size());
  }
  Finished finish();
  /// How long a request that comes now waits for a worker to boot.
  double cold_start(double now_us);

  const Billing billing_;
  const ServerlessRules serverless_;
  const double full_speed_;
  const std::uint32_t places_;
  std::unique_ptr<GpuPool> pool_;
  ServerlessWorkers workers_;        // as the pool's own, to know who has to wait
  std::int64_t workers_at_ns_ = 0;
  std::priority_queue<Job, std::vector<Job>, std::greater<>> running_;
  std::deque<Waiting> queue_;
  double now_us_ = 0, work_us_ = 0, busy_us_ = 0, request_us_ = 0;   // work_us_: what a request that ran all the time would have done
  std::uint32_t most_ = 0;
  std::uint64_t cold_starts_ = 0;
};

}  // namespace tollgate::simulate
