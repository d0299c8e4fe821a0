#include "simulate/steering.hpp"

#include "router/offered.hpp"

namespace tollgate::simulate {
namespace {
constexpr double tick_us = 1e6;
}

Steering::Steering(const Config& config) : config_(config), seen_(config.backends.size()), stances_(config.backends.size()), kept_(config.backends.size()) {
  governors_.adopt(config);
  for (const Governors::Governed& each : governors_.all()) stances_[each.backend] = each.governor.stance();
}

void Steering::know(std::size_t backend, double service_seconds) {
  for (Governors::Governed& each : governors_.all()) {
    if (each.backend == backend) each.governor.know_service(service_seconds);
  }
}

void Steering::reach(double now_us, std::chrono::sys_seconds clock, const std::vector<std::unique_ptr<Engine>>& engines) {
  if (!is_on() || (ticked_us_ >= 0 && now_us - ticked_us_ < tick_us)) return;
  const double passed_us = ticked_us_ < 0 ? 0 : now_us - ticked_us_;
  ticked_us_ = now_us;
  for (Governors::Governed& each : governors_.all()) {
    PoolGovernor::Seen& seen = seen_[each.backend];
    seen.seconds = passed_us * 1e-6;
    Kept& kept = kept_[each.backend];
    if (each.governor.stance().open()) kept.open_us += passed_us;
    const auto up = static_cast<std::uint32_t>(engines[each.backend]->status(now_us).workers_up);
    stances_[each.backend] = governors_.tick(each, config_, seen, up, clock, now_us * 1e-6);
    seen = {};
    kept.opened = each.governor.opened();
    kept.closed = each.governor.closed();
  }
}

void Steering::decided(const Plan& plan) {
  if (!is_on()) return;
  for (const OfferedTo& each : offered_of(plan, config_)) {
    ++seen_[each.backend].offered;
    seen_[each.backend].elsewhere_usd += static_cast<double>(each.elsewhere.count()) * 1e-12;
  }
}

void Steering::served(std::size_t backend, bool warm, double took_us) {
  PoolGovernor::Seen& seen = seen_[backend];
  ++(warm ? seen.served_warm : seen.served_cold);
  (warm ? seen.warm_seconds : seen.cold_seconds) += took_us * 1e-6;
}

void Steering::note(std::size_t backend, double end_us, PoolWorld& pool) const {
  if (!stances_[backend]) return;
  pool.opened = kept_[backend].opened;
  pool.closed = kept_[backend].closed;
  pool.open_ratio = end_us > 0 ? kept_[backend].open_us / end_us : 0;
}

}  // namespace tollgate::simulate
