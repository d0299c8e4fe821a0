#pragma once
// What a snapshot of the configuration means for serving: endpoints, dialects, health and keys, resolved once so that the request
// path looks nothing up. Immutable after construction; a request keeps the one it began with.

#include <memory>
#include <vector>

#include "backends/backends.hpp"
#include "config/config.hpp"
#include "gateway/authenticate.hpp"
#include "router/correction.hpp"

namespace tollgate {

struct Serving {
  /// `config` with the urls of simulated backends filled in. Errors: an endpoint that cannot be.
  static Result<std::shared_ptr<const Serving>> make(ConfigPtr config, HealthBoard& board, EngineBoard& engines, CorrectionPtr correction = {});

  explicit Serving(ConfigPtr from);
  ConfigPtr config;
  CorrectionPtr correction;                        ///< of the complexity score; nullptr: none is installed
  std::uint64_t generation;                        ///< rises with every Serving of the process; never 0
  KeyTable keys;
  std::vector<Endpoint> endpoints;                 ///< per backend
  std::vector<TargetHealth*> health;               ///< per target; owned by the board
  std::vector<EngineState*> engines;               ///< per backend; likewise
  std::vector<TimingsSeen*> timings;               ///< per target; likewise
  struct VirtualModel {
    std::string_view name;                         ///< of the config
    NameId id;
  };
  std::vector<VirtualModel> virtual_models;
  NameId other_model{};                            ///< stands in the books for a model name that is not configured

  [[nodiscard]] std::size_t index_of(const Target& target) const noexcept {
    return static_cast<std::size_t>(&target - config->targets.data());
  }
  [[nodiscard]] TargetHealth& health_of(const Target& target) const noexcept { return *health[index_of(target)]; }
  /// The id under which a requested model is recorded.
  [[nodiscard]] NameId recorded_model(std::string_view requested) const noexcept;
};
using ServingPtr = std::shared_ptr<const Serving>;

}  // namespace tollgate
