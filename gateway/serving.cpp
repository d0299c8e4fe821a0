#include "gateway/serving.hpp"
#include "config/dialects.hpp"
#include "config/sha256.hpp"
#include "router/routes.hpp"

#include <atomic>
#include <cstring>

namespace tollgate {

namespace {
std::atomic<std::uint64_t> generations{0};

/// Of all that decides what a target makes of a request, as far as the configuration says it.
std::uint64_t meaning_of(const Target& target, const Backend& backend) {
  std::string said = std::string(facts_of(backend.dialect).name) + '\n' + backend.url + '\n' + target.upstream + '\n' + backend.api_version + '\n' + backend.aws.region;
  said += backend.drop_unsupported ? "\n1" : "\n0";
  said += backend.responses ? '1' : '0';
  said += std::to_string(target.output_tokens_max);
  const Sha256 hash = sha256(said);
  std::uint64_t meaning = 0;
  std::memcpy(&meaning, hash.data(), sizeof meaning);
  return meaning;
}
}  // namespace

Serving::Serving(ConfigPtr from) : config(std::move(from)), generation(++generations), keys(*config), asked(*config) {}

Result<std::shared_ptr<const Serving>> Serving::make(ConfigPtr config, HealthBoard& board, EngineBoard& engines, KeyBoard& keys, Scoring scoring) {
  auto serving = std::make_shared<Serving>(std::move(config));
  serving->scoring = std::move(scoring);
  for (const Backend& backend : serving->config->backends) {
    TOLLGATE_TRY(Endpoint endpoint, parse_endpoint(backend, serving->config->air_gap));
    serving->endpoints.push_back(std::move(endpoint));
    serving->engines.push_back(&engines.of(backend.name));
    UpstreamKeys upstream;
    for (std::size_t key = 0; key <= backend.more_keys.size(); ++key) {
      upstream.fingerprints.push_back(fingerprint_of((key == 0 ? backend.api_key : backend.more_keys[key - 1]).reveal()));
      upstream.health.push_back(&keys.key(backend.name, upstream.fingerprints.back()));
      if (key == 0) continue;
      TOLLGATE_TRY(Endpoint another, parse_endpoint(backend, serving->config->air_gap, key));
      upstream.more_endpoints.push_back(std::move(another));
    }
    serving->upstream_keys.push_back(std::move(upstream));
  }
  for (const Target& target : serving->config->targets) {
    serving->health.push_back(&board.of(target.id));
    serving->health.back()->adopt(serving->config->backend_of(target).breaker);
    std::vector<RateGate*>& gates = serving->gates.emplace_back();
    for (const std::uint32_t key : serving->upstream_keys[target.backend].fingerprints) gates.push_back(&keys.gate(target.id, key));
  }
  for (const Target& target : serving->config->targets) serving->timings.push_back(&engines.timings_of(target.id));
  for (const Target& target : serving->config->targets) serving->meaning.push_back(meaning_of(target, serving->config->backend_of(target)));
  for (const std::string& name : serving->config->virtual_models) {
    serving->virtual_models.push_back({name, Names::global().intern(name)});
  }
  serving->other_model = Names::global().intern("other");
  // Known to the ledger before the first request: a name that is made later dies with a process that is killed.
  const NameId direct = direct_route();
  (void)direct;
  return std::shared_ptr<const Serving>(std::move(serving));
}

NameId Serving::recorded_model(std::string_view requested) const noexcept {
  for (const Target& target : config->targets) {
    if (text(target.id) == requested) return target.id;
    if (text(target.model) == requested) return target.model;
  }
  for (const VirtualModel& known : virtual_models) {
    if (known.name == requested) return known.id;
  }
  return other_model;
}

}  // namespace tollgate
