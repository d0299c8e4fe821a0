#include "advice/windows.hpp"

#include <algorithm>
#include <cmath>
#include <queue>

namespace tollgate::advice {
namespace {

struct Worker {
  double started = 0, ready = 0;
  double last_end = 0;          // of what it runs
  double busy_from = 0;         // since when it is busy without a break
  double busy = 0;
  std::uint32_t running = 0;
  bool up = false;
};

struct End {
  double at;
  std::size_t worker;
  bool operator<(const End& other) const noexcept { return at > other.at; }
};

class Fleet {
 public:
  Fleet(const Speed& speed, const ServerlessRules& rules, ServerlessBill& bill) : speed_(speed), rules_(rules), bill_(bill), places_(speed.places()) {}

  void arrive(const Arrival& arrival) {
    const double now = static_cast<double>(arrival.at_us) / 1e6;
    finish_until(now);
    stop_idle(now);
    std::size_t chosen = workers_.size();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const bool fuller = chosen == workers_.size() || workers_[i].running > workers_[chosen].running;
      if (workers_[i].up && workers_[i].running < places_ && fuller) chosen = i;
    }
    if (chosen == workers_.size()) chosen = start(now);
    Worker& worker = workers_[chosen];
    const double begin = std::max(now, worker.ready);
    if (begin > now) ++bill_.waited;
    if (worker.running++ == 0) worker.busy_from = begin;
    const double end = begin + arrival.input / speed_.prefill + arrival.output / speed_.decode_alone;
    worker.last_end = std::max(worker.last_end, end);
    ends_.push({end, chosen});
  }

  void close() {
    finish_until(HUGE_VAL);
    stop_idle(HUGE_VAL);
  }

 private:
  std::size_t start(double now) {
    std::size_t at = 0;
    while (at < workers_.size() && workers_[at].up) ++at;
    if (at == workers_.size()) workers_.emplace_back();
    workers_[at] = Worker{now, now + rules_.cold_start_seconds, now + rules_.cold_start_seconds, 0, 0, 0, true};
    ++bill_.cold_starts;
    std::uint32_t up = 0;
    for (const Worker& worker : workers_) up += worker.up ? 1 : 0;
    bill_.workers_at_once = std::max(bill_.workers_at_once, up);
    return at;
  }
  void finish_until(double now) {
    while (!ends_.empty() && ends_.top().at <= now) {
      const End end = ends_.top();
      ends_.pop();
      Worker& worker = workers_[end.worker];
      if (--worker.running == 0) worker.busy += end.at - worker.busy_from;
    }
  }
  void stop_idle(double now) {
    for (Worker& worker : workers_) {
      if (!worker.up || worker.running > 0 || worker.last_end + rules_.idle_timeout_seconds > now) continue;
      worker.up = false;
      const double cold = rules_.cold_start_billed ? rules_.cold_start_seconds : 0;
      const double up = worker.last_end + rules_.idle_timeout_seconds - worker.ready;
      bill_.cold_seconds += cold;
      bill_.busy_seconds += worker.busy;
      bill_.idle_seconds += up - worker.busy;
      bill_.billed_seconds += cold + up;
    }
  }

  const Speed& speed_;
  const ServerlessRules& rules_;
  ServerlessBill& bill_;
  const std::uint32_t places_;
  std::vector<Worker> workers_;
  std::priority_queue<End> ends_;
};

}  // namespace

std::uint32_t Speed::places() const noexcept {
  return decode_alone > 0 ? static_cast<std::uint32_t>(std::clamp(decode / decode_alone, 1.0, 4096.0)) : 1;
}

ServerlessBill serverless_windows(const Workload& workload, const Speed& speed, const ServerlessRules& rules) {
  ServerlessBill bill;
  bill.arrivals_us = workload.arrivals_us;
  Fleet fleet(speed, rules, bill);
  for (const Arrival& arrival : workload.arrivals) fleet.arrive(arrival);
  fleet.close();
  return bill;
}

Needed replicas_needed(const Workload& workload, const Speed& speed, double full_at) {
  constexpr std::int64_t minute_us = 60'000'000;
  Needed needed;
  std::vector<double> minutes(static_cast<std::size_t>(std::max<std::int64_t>(1, (workload.arrivals_us + minute_us - 1) / minute_us)), 0);
  for (const Arrival& arrival : workload.arrivals) {
    minutes[std::min(minutes.size() - 1, static_cast<std::size_t>(arrival.at_us / minute_us))] += speed.work_seconds(arrival.input, arrival.output);
  }
  for (const double work : minutes) needed.peak = std::max(needed.peak, work / 60);
  if (workload.window_us > 0) {
    needed.busy_share = speed.work_seconds(static_cast<double>(workload.input_tokens), static_cast<double>(workload.output_tokens)) * 1e6 / static_cast<double>(workload.window_us);
  }
  needed.peak = std::max(needed.peak, needed.busy_share);
  needed.replicas = std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(needed.peak / full_at - 1e-9)));
  return needed;
}

}  // namespace tollgate::advice
