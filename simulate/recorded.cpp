// What the ledger says, as a World.
#include <algorithm>

#include "simulate/run.hpp"
#include "simulate/tally.hpp"

namespace tollgate::simulate {
namespace {

/// Targets of the configuration first, then those that only the ledger knows.
class TargetList {
 public:
  TargetList(const Config& config, World& world) : config_(config), world_(world) {
    for (const Target& target : config.targets) add(target.id);
  }
  std::int16_t index_of(NameId target) {
    const auto found = index_.find(target);
    return found != index_.end() ? found->second : add(target);
  }
  [[nodiscard]] double capability_of(std::int16_t index) const {
    const auto at = static_cast<std::size_t>(index);
    return at < config_.targets.size() ? config_.targets[at].capability : 1;   // of those that are gone nothing is known
  }

 private:
  std::int16_t add(NameId target) {
    const auto index = static_cast<std::int16_t>(world_.targets.size());
    world_.targets.emplace_back(text(target));
    index_[target] = index;
    return index;
  }
  const Config& config_;
  World& world_;
  std::map<NameId, std::int16_t> index_;
};

PoolWorld pool_of(const RecordedPool& recorded, const Config& config) {
  PoolWorld pool;
  pool.pool = Names::global().intern(recorded.pool);
  pool.backend = config.backends.size();
  for (std::size_t i = 0; i < config.backends.size(); ++i) {
    if (config.backends[i].name == pool.pool) pool.backend = i;
  }
  const PoolLines& lines = recorded.lines;
  pool.billed = lines.billed;
  pool.attributed = lines.attributed;
  pool.idle = lines.idle;
  pool.other = lines.billed - lines.attributed - lines.idle;
  const std::int64_t all = lines.busy_gpu_time.count() + lines.idle_gpu_time.count() + lines.cold_start_gpu_time.count() +
                           lines.minimum_gpu_time.count() + lines.down_gpu_time.count();
  pool.busy_ratio = all > 0 ? static_cast<double>(lines.busy_gpu_time.count()) / static_cast<double>(all) : 0;
  pool.load = -1;
  return pool;
}

}  // namespace

World as_recorded(const Traffic& traffic, const Config& config, const QualityBook& quality, const Blocks& blocks) {
  World world;
  world.recorded = true;
  world.blocks.resize(blocks.count());
  TargetList targets(config, world);
  Tally tally(world, traffic, blocks, quality);
  std::map<std::string, std::int64_t> pool_requests;
  for (const RecordedRequest& request : traffic.requests) {
    Served served;
    served.route = request.route;
    served.result = request.result;
    Usd gpu;
    const RecordedTry* const tries = traffic.tries_of(request);
    for (std::uint8_t i = 0; i < request.tries; ++i) {
      served.tokens += tries[i].charge - tries[i].gpu;
      served.unpriced = served.unpriced || tries[i].pricing == Pricing::unpriced;
      gpu += tries[i].gpu;
      world.failed_attempts += tries[i].result.is_ok() || tries[i].result.is_lost_hedge() ? 0 : 1;
      if (tries[i].pool_method != PoolMethod::none) ++pool_requests[std::string(text(tries[i].target)).substr(0, text(tries[i].target).find('/'))];
    }
    const NameId answered_by = request.target != NameId::none ? request.target : request.tries > 0 ? tries[request.tries - 1].target : NameId::none;
    if (answered_by != NameId::none) served.target = targets.index_of(answered_by);
    served.gpu = gpu;
    served.unknown_facts = !request.has_facts;
    if (request.result.is_ok() && request.tries > 0) {
      const bool hedged = request.tries > 1 && tries[request.tries - 1].result.is_lost_hedge();   // the one before it answered
      const RecordedTry& last = tries[request.tries - (hedged ? 2 : 1)];
      served.whole_ms = static_cast<float>(static_cast<double>(last.took_us()) / 1000);
      if (last.first_token_after_us >= 0) served.first_token_ms = static_cast<float>(static_cast<double>(last.first_token_after_us - last.started_after_us) / 1000);
      tally.answered(request, static_cast<double>(last.took_us()));
    }
    tally.decided(request, served, answered_by, targets.capability_of(served.target), request.tier);
    if (gpu != Usd{}) tally.add_gpu(request, served.target, request.route, request.tier, gpu);
    world.served.push_back(served);
  }
  for (const RecordedPool& pool : traffic.pools) {
    world.pools.push_back(pool_of(pool, config));
    world.pools.back().requests = pool_requests[pool.pool];
    // Hours are not blocks: the bill is spread evenly over them.
    const auto count = static_cast<std::int64_t>(world.blocks.size());
    const Int128 each = pool.lines.billed.picodollars() / count;
    for (Block& block : world.blocks) block.pools_usd += UsdSum{each};
    world.blocks.back().pools_usd += UsdSum{pool.lines.billed.picodollars() - each * count};
  }
  return world;
}

}  // namespace tollgate::simulate
