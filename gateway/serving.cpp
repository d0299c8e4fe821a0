#include "gateway/serving.hpp"
#include "router/routes.hpp"

#include <atomic>

namespace tollgate {

namespace {
std::atomic<std::uint64_t> generations{0};
}

Serving::Serving(ConfigPtr from) : config(std::move(from)), generation(++generations), keys(*config) {}

Result<std::shared_ptr<const Serving>> Serving::make(ConfigPtr config, HealthBoard& board, EngineBoard& engines, CorrectionPtr correction) {
  auto serving = std::make_shared<Serving>(std::move(config));
  serving->correction = std::move(correction);
  for (const Backend& backend : serving->config->backends) {
    TOLLGATE_TRY(Endpoint endpoint, parse_endpoint(backend, serving->config->air_gap));
    serving->endpoints.push_back(std::move(endpoint));
    serving->engines.push_back(&engines.of(backend.name));
  }
  for (const Target& target : serving->config->targets) serving->health.push_back(&board.of(target.id));
  for (const Target& target : serving->config->targets) serving->timings.push_back(&engines.timings_of(target.id));
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
