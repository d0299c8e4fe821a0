#pragma once
// Where a configuration lets the complexity score decide, and which values of the file hold that boundary: capabilities
// of targets that compete within a route, tiers or bands of complexity that tell routes apart.
//
//    Result<ScoreUse> use = score_use_of(config, "");
//    use.value().weak, use.value().strong            // who is asked below and above the boundary
//    for (const BoundaryKey& key : use.value().keys) // what to write where

#include <string>
#include <vector>

#include "config/config.hpp"

namespace tollgate::advice {

/// A value of the configuration that holds the boundary.
struct BoundaryKey {
  std::vector<std::string> path;  ///< {"backends", "gpu", "models", "llama", "capability"}; of lists the element's name
  double now = 0;
  [[nodiscard]] std::string text() const;  ///< "backends.gpu.models.llama.capability"
};

struct ScoreUse {
  std::vector<std::string> routes;          ///< whose requests the boundary divides
  std::vector<const Target*> weak, strong;  ///< of the configuration it was made from
  CostBasis basis = CostBasis::marginal;
  double now = 0;  ///< the boundary as it stands
  std::vector<BoundaryKey> keys;
  bool by_tier = false;       ///< tiers.* is one of the keys
  Tier tier = Tier::complex;  ///< the lowest one of the strong side, if by_tier
};

/// Of the route of that name, or of all ("") if they agree. Errors say what the configuration lacks, or which routes to
/// choose from.
[[nodiscard]] Result<ScoreUse> score_use_of(const Config& config, const std::string& route);

/// The three bounds with the one below `first_strong` at `bound`: the others stay, or move in proportion where they
/// would not rise.
[[nodiscard]] TierBounds moved_bounds(TierBounds now, Tier first_strong, double bound) noexcept;
[[nodiscard]] double bound_below(const TierBounds& bounds, Tier tier) noexcept;
/// The key of `tiers`: "complex".
[[nodiscard]] std::string_view bound_key(Tier tier) noexcept;

}  // namespace tollgate::advice
