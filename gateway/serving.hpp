#pragma once
// What a snapshot of the configuration means for serving: endpoints, dialects, health and keys, resolved once so that the request
// path looks nothing up. Immutable after construction; a request keeps the one it began with.

#include <memory>
#include <vector>

#include "backends/backends.hpp"
#include "config/config.hpp"
#include "gateway/authenticate.hpp"
#include "router/asked_facts.hpp"
#include "router/scoring.hpp"

namespace tollgate {

struct Serving {
  /// `config` with the urls of simulated backends filled in. Errors: an endpoint that cannot be.
  static Result<std::shared_ptr<const Serving>> make(ConfigPtr config, HealthBoard& board, EngineBoard& engines, KeyBoard& keys, Scoring scoring = {});

  explicit Serving(ConfigPtr from);
  ConfigPtr config;
  Scoring scoring;                                 ///< by what complexity is judged
  std::uint64_t generation;                        ///< rises with every Serving of the process; never 0
  KeyTable keys;
  AskedFacts asked;                                ///< what the rules ask of requests, for the ledger
  std::vector<Endpoint> endpoints;                 ///< per backend, with its first key
  struct UpstreamKeys {
    std::vector<Endpoint> more_endpoints;          ///< with the second, third … key
    std::vector<std::uint32_t> fingerprints;       ///< of each key; one of 0 if there is none
    std::vector<KeyHealth*> health;                ///< of each key; owned by the board
  };
  std::vector<UpstreamKeys> upstream_keys;         ///< per backend
  std::vector<std::vector<RateGate*>> gates;       ///< per target, of each of its backend's keys; owned by the board
  std::vector<TargetHealth*> health;               ///< per target; owned by the board
  std::vector<EngineState*> engines;               ///< per backend; likewise
  std::vector<std::uint64_t> meaning;              ///< per target: changes when its name comes to mean another endpoint or model
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
  [[nodiscard]] const Endpoint& endpoint(std::size_t backend, std::size_t key) const noexcept {
    return key == 0 ? endpoints[backend] : upstream_keys[backend].more_endpoints[key - 1];
  }
  /// The id under which a requested model is recorded.
  [[nodiscard]] NameId recorded_model(std::string_view requested) const noexcept;
};
using ServingPtr = std::shared_ptr<const Serving>;

struct TargetState;
/// What is known of the provider's rate limits of Config::targets[target], for routing.
void note_limits(const Serving& serving, std::size_t target, std::chrono::steady_clock::time_point now, TargetState& state) noexcept;
/// "2 (9f86d081)": a key by its place in the configuration and its fingerprint.
[[nodiscard]] std::string key_text(std::size_t key, std::uint32_t fingerprint);

}  // namespace tollgate
