#include "metrics/serverless_workers.hpp"

namespace tollgate {
namespace {

std::int64_t ns_of(milliseconds time) noexcept { return std::int64_t{time.count()} * 1'000'000; }

}  // namespace

void ServerlessWorkers::set_rules(const ServerlessRules& rules) {
  rules_.cold_start = ns_of(rules.cold_start);
  rules_.idle_timeout = ns_of(rules.idle_timeout);
  rules_.min_billed = ns_of(rules.min_billed);
  rules_.increment = std::max<std::int64_t>(ns_of(rules.increment), 1);
  rules_.workers_max = std::max<std::int64_t>(rules.workers_max, 1);
  rules_.per_worker = std::max<std::int64_t>(rules.requests_per_worker, 1);
  rules_.cold_billed = rules.cold_start_billed;
  workers_.reserve(static_cast<std::size_t>(rules_.workers_max));  // so that nothing is allocated later
}

void ServerlessWorkers::assign(std::int64_t now, std::int64_t in_flight) {
  const std::int64_t needed = (in_flight + rules_.per_worker - 1) / rules_.per_worker;
  const auto wanted = static_cast<std::size_t>(std::min(needed, rules_.workers_max));
  while (workers_.size() < wanted) workers_.push_back({now, now + rules_.cold_start, never});
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (i < wanted) {
      worker.idle_since = never;
    } else if (worker.idle_since == never) {
      worker.idle_since = std::max(now, worker.ready);  // it still boots to the end
    }
  }
}

// At least one comes: a worker that is neither booting nor idle changes only with the number of requests.
std::int64_t ServerlessWorkers::next_change(std::int64_t now) const noexcept {
  std::int64_t next = INT64_MAX;
  for (const Worker& worker : workers_) {
    if (worker.ready > now) next = std::min(next, worker.ready);
    if (worker.idle_since != never) next = std::min(next, std::max(worker.idle_since + rules_.idle_timeout, now));
  }
  return next;
}

ServerlessWorkers::Count ServerlessWorkers::count(std::int64_t now) const noexcept {
  Count count;
  for (const Worker& worker : workers_) {
    if (worker.ready > now) {
      ++count.cold;
    } else if (worker.idle_since != never) {
      ++count.idle;
    } else {
      ++count.busy;
    }
  }
  return count;
}

std::int64_t ServerlessWorkers::added_by_minimum(const Worker& worker, std::int64_t stopped) const noexcept {
  const std::int64_t up = stopped - (rules_.cold_billed ? worker.started : worker.ready);
  const std::int64_t least = std::max(up, rules_.min_billed);
  const std::int64_t steps = (least + rules_.increment - 1) / rules_.increment;
  return steps * rules_.increment - up;
}

std::int64_t ServerlessWorkers::tail_ns(std::int64_t at_ns) const noexcept {
  std::int64_t tail = 0;
  for (const Worker& worker : workers_) {
    const std::int64_t idle_from = worker.idle_since != never ? worker.idle_since : std::max(at_ns, worker.ready);
    const std::int64_t stop = std::max(at_ns, idle_from + rules_.idle_timeout);
    const std::int64_t billed_from = rules_.cold_billed ? at_ns : std::max(at_ns, worker.ready);
    tail += stop - billed_from + added_by_minimum(worker, stop);
  }
  return tail;
}

}  // namespace tollgate
