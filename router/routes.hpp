#pragma once
// The requested model name → the route that takes the request and the targets that compete on it.
//
// A route applies where its `when` holds; one without `when.model` only to names the configuration knows
// (Config::virtual_models). The first that applies wins. A name that no route took and that is a target's
// ("home/llama-70b") or a model's ("llama-70b": every target that carries it) makes the route "direct". Pure, any
// thread; views of the Config.

#include <boost/container/small_vector.hpp>

#include "router/router.hpp"

namespace tollgate {

/// Where a request may go, before anything is ruled out.
struct Candidates {
  NameId route{};
  bool direct = false;
  Choose choose = Choose::cheapest;
  CostBasis cost_basis = CostBasis::marginal;
  const Route* rule = nullptr;                            ///< nullptr: direct
  boost::container::small_vector<std::size_t, 24> among;  ///< indices into Config::targets, each once
  boost::container::small_vector<std::uint32_t, 24> weights;  ///< one per element of among, of weighted routes only
};

/// The autopilot orders its targets.
[[nodiscard]] inline bool is_steered(const Candidates& candidates) noexcept { return candidates.rule != nullptr && candidates.rule->autopilot; }

/// Faults: model_not_found; unsupported where the name is known but the conditions of all its routes fail.
[[nodiscard]] Result<Candidates> find_route(const RequestFacts& facts, const Config& config,
                                            std::span<const TargetState> states = {});

/// The name of the route that a client takes by naming a target.
[[nodiscard]] NameId direct_route() noexcept;

}  // namespace tollgate
