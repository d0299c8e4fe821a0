#include "simulate/tally.hpp"

#include <algorithm>

namespace tollgate::simulate {

void Tally::decided(const RecordedRequest& request, const Served& served, NameId target, double capability, Tier tier) {
  const bool ok = served.result.is_ok() && served.target != Served::nowhere;
  const float score = request.has_facts ? request.facts.score : request.score;
  const bool at_risk = ok && score > static_cast<float>(capability);
  const std::optional<double> bad = ok ? quality_.bad_share(target, tier) : std::nullopt;
  std::int64_t tokens = 0;
  if (const RecordedTry* const known = answering(request, traffic_.tries_of(request)); ok && known != nullptr) {
    tokens = known->usage.total_input().count() + known->usage.total_output().count();
  }
  const auto add = [&](Sums& sums) {
    ++sums.requests;
    sums.refused += served.result.is_ok() ? 0 : 1;
    sums.unpriced += served.unpriced ? 1 : 0;
    sums.token_usd += served.tokens;
    sums.tokens += tokens;
    sums.at_risk += at_risk ? 1 : 0;
    sums.risk += bad.value_or(0);
    sums.risk_known += bad ? 1 : 0;
  };
  add(world_.by_target[ok ? served.target : Served::nowhere]);
  add(world_.by_team[request.team]);
  add(world_.by_route[served.route]);
  add(world_.by_tier[static_cast<std::size_t>(tier)]);
  add(world_.total);
  Block& block = world_.blocks[blocks_.of(request.arrived_us)];
  ++block.requests;
  block.token_usd += served.tokens;
  block.at_risk += at_risk ? 1 : 0;
  if (served.tokens != Usd{}) block.by_target[served.target] += served.tokens;
}

void Tally::answered(const RecordedRequest& request, double took_us) {
  Block& block = world_.blocks[blocks_.of(request.arrived_us)];
  ++block.answered;
  block.whole_ms += took_us / 1000;
}

void Tally::add_gpu(const RecordedRequest& request, std::int16_t target, NameId route, Tier tier, Usd gpu) {
  world_.blocks[blocks_.of(request.arrived_us)].by_target[target] += gpu;
  world_.by_target[target].gpu_usd += gpu;
  world_.by_team[request.team].gpu_usd += gpu;
  world_.by_route[route].gpu_usd += gpu;
  world_.by_tier[static_cast<std::size_t>(tier)].gpu_usd += gpu;
  world_.total.gpu_usd += gpu;
}

Blocks blocks_of(const Traffic& traffic) {
  constexpr std::int64_t hour_us = 3'600'000'000, pieces = 20, most = 400;
  Blocks blocks{traffic.began_us(), traffic.ended_us(), 1};
  const std::int64_t length = std::max<std::int64_t>(blocks.end_us - blocks.begin_us, pieces);
  blocks.end_us = blocks.begin_us + length;
  blocks.block_us = length >= pieces * hour_us ? hour_us : (length + pieces - 1) / pieces;
  while (length / blocks.block_us > most) blocks.block_us += hour_us;
  return blocks;
}

QualityBook::QualityBook(const Traffic& traffic) {
  for (const RecordedRequest& request : traffic.requests) {
    if (request.judged == Judged::unknown || request.target == NameId::none) continue;
    ++known_;
    ++counts_[{request.target, request.tier}][request.judged == Judged::bad ? 1 : 0];
  }
}

std::optional<double> QualityBook::bad_share(NameId target, Tier tier) const {
  const auto found = counts_.find({target, tier});
  if (found == counts_.end()) return std::nullopt;
  const auto [good, bad] = found->second;
  if (good + bad < outcomes_min) return std::nullopt;
  return static_cast<double>(bad) / static_cast<double>(good + bad);
}

PoolWorld pool_world(Engine& engine, double full_speed, double end_us) {
  const PoolStatus status = engine.status(end_us);
  PoolWorld pool;
  pool.pool = status.pool;
  pool.billed = status.billed;
  pool.attributed = status.attributed;
  pool.idle = status.idle;
  pool.other = status.billed - status.attributed - status.idle;
  pool.busy_ratio = end_us > 0 ? engine.busy_us() / end_us : 0;
  pool.load = end_us > 0 ? engine.request_us() / end_us / std::max(1.0, full_speed) : 0;
  pool.most_at_once = engine.most_at_once();
  pool.cold_starts = engine.cold_starts();
  return pool;
}

}  // namespace tollgate::simulate
