#pragma once
// Adds what became of requests to a World's sums: by target, team, route, tier and block of time.

#include "simulate/engine.hpp"
#include "simulate/world.hpp"

namespace tollgate::simulate {

class Tally {
 public:
  Tally(World& world, const Traffic& traffic, const Blocks& blocks, const QualityBook& quality)
      : world_(world), traffic_(traffic), blocks_(blocks), quality_(quality) {}
  /// `target` and its `capability`: where it went, if anywhere.
  void decided(const RecordedRequest& request, const Served& served, NameId target, double capability, Tier tier);
  void answered(const RecordedRequest& request, double took_us);
  void add_gpu(const RecordedRequest& request, std::int16_t target, NameId route, Tier tier, Usd gpu);

 private:
  World& world_;
  const Traffic& traffic_;
  const Blocks& blocks_;
  const QualityBook& quality_;
};

/// What a pool's engine did and was billed until then.
[[nodiscard]] PoolWorld pool_world(Engine& engine, double full_speed, double end_us);

}  // namespace tollgate::simulate
