// How long classify() and decide() take. Gates: classify 10 us at 1 KB and 50 us at 64 KB, decide 5 us with 50 routes
// and 20 targets.

#include <benchmark/benchmark.h>

#include <string>

#include "fleets.hpp"
#include "labelled_requests.hpp"
#include "router/router.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::Request;

std::string prose(std::size_t bytes) {
  std::string text = "Compare the two designs below and explain step by step why the second one fails.\n\n";
  while (text.size() < bytes) text.append(testing::article).append("\n\n").append(testing::code).append("\n\n");
  text.resize(bytes);
  return text;
}

void classify_prose(benchmark::State& state) {
  Request request;
  request.user(prose(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(classify(request.chat(), TierBounds{}));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(classify_prose)->Arg(1 << 10)->Arg(8 << 10)->Arg(64 << 10)->Arg(1 << 20)->Unit(benchmark::kMicrosecond);

void classify_chinese(benchmark::State& state) {
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0)))
    text += "请分析这个分布式系统的设计，并逐步证明它的一致性。";
  Request request(state.range(1) != 0 ? testing::Escape::ascii : testing::Escape::utf8);
  request.user(text);
  for (auto _ : state) benchmark::DoNotOptimize(classify(request.chat(), TierBounds{}));
}
BENCHMARK(classify_chinese)
    ->Args({1 << 10, 0})
    ->Args({64 << 10, 0})
    ->Args({1 << 10, 1})
    ->Args({64 << 10, 1})
    ->Unit(benchmark::kMicrosecond);

void classify_agent_loop(benchmark::State& state) {
  Request request;
  request.system(testing::agent);
  for (int i = 0; i < 20; ++i) request.user(prose(300)).assistant(prose(500)).add(Role::tool, prose(1500));
  for (auto _ : state) benchmark::DoNotOptimize(classify(request.chat(), TierBounds{}));
}
BENCHMARK(classify_agent_loop)->Unit(benchmark::kMicrosecond);

/// 20 targets, 3 constraints, 50 routes of which only the last one matches.
Fleet wide_fleet() {
  Fleet fleet;
  for (int i = 0; i < 20; ++i) {
    const std::string backend = "backend" + std::to_string(i);
    if (i % 4 == 0) {
      fleet.pool(backend, "llama-70b", 0.6).concurrency_max = 64;
    } else {
      fleet.managed(backend, "model", 0.5 + 0.02 * i, 1 + i % 5, 4 + i % 11).context_tokens = 131072;
    }
    fleet.config.backends.back().labels = {{"region", i % 2 == 0 ? "eu" : "us"}};
  }
  for (int i = 0; i < 49; ++i) {
    Condition& when = fleet.route("route" + std::to_string(i), {"auto", "team-*"}).when;
    when.headers.push_back({"x-workload", {"batch" + std::to_string(i)}});
    when.complexity_below = 0.5;
  }
  fleet.route("auto", {"auto"});
  for (const char* label : {"phi", "pii", "eu"}) {
    Constraint& constraint = fleet.constraint(label);
    constraint.when.headers.push_back({"x-data-class", {label}});
    constraint.labels["region"] = {"eu"};
  }
  fleet.complexity = {0.4F, Tier::medium};
  fleet.headers = {{"host", "gateway"},
                   {"content-type", "application/json"},
                   {"authorization", "Bearer x"},
                   {"user-agent", "openai/1.0"},
                   {"x-workload", "interactive"},
                   {"x-data-class", "eu"},
                   {"accept", "application/json"},
                   {"content-length", "1024"}};
  return fleet;
}

void decide_wide(benchmark::State& state) {
  const Fleet fleet = wide_fleet();
  Request request;
  request.user(prose(1024));
  const RequestFacts facts = fleet.facts(request);
  for (auto _ : state) benchmark::DoNotOptimize(decide(facts, fleet.config, fleet.states));
}
BENCHMARK(decide_wide)->Unit(benchmark::kMicrosecond);

/// The same with the autopilot: full pools, one serverless pool that is open and one that is closed.
void decide_steered(benchmark::State& state) {
  Fleet fleet = wide_fleet();
  fleet.config.routes.back().autopilot = true;
  for (std::size_t i = 0; i < fleet.config.targets.size(); ++i) {
    std::optional<Pool>& pool = fleet.config.backends[fleet.config.targets[i].backend].pool;
    if (!pool) continue;
    fleet.states[i].in_flight = 64;
    if (i > 8) continue;
    pool->billing = Billing::serverless;
    fleet.config.targets[i].concurrency_max = 0;
    PoolStance& stance = fleet.states[i].stance.emplace();
    stance.workers = i == 0 ? 16 : 0;
    stance.places = stance.workers * 8;
  }
  Request request;
  request.user(prose(1024));
  const RequestFacts facts = fleet.facts(request);
  for (auto _ : state) benchmark::DoNotOptimize(decide(facts, fleet.config, fleet.states));
}
BENCHMARK(decide_steered)->Unit(benchmark::kMicrosecond);

void decide_direct(benchmark::State& state) {
  const Fleet fleet = wide_fleet();
  Request request;
  request.user(prose(1024)).chat().model = "backend18/model";
  const RequestFacts facts = fleet.facts(request);
  for (auto _ : state) benchmark::DoNotOptimize(decide(facts, fleet.config, fleet.states));
}
BENCHMARK(decide_direct)->Unit(benchmark::kMicrosecond);

void ask_constraints_again(benchmark::State& state) {
  const Fleet fleet = wide_fleet();
  Request request;
  request.user(prose(1024));
  const RequestFacts facts = fleet.facts(request);
  for (auto _ : state) benchmark::DoNotOptimize(forbidden_by(facts, fleet.config, fleet.config.targets[2]));
}
BENCHMARK(ask_constraints_again)->Unit(benchmark::kMicrosecond);

void reason_for_header(benchmark::State& state) {
  const Fleet fleet = wide_fleet();
  Request request;
  request.user(prose(1024));
  const Result<Plan> plan = fleet.decide(request);
  for (auto _ : state) benchmark::DoNotOptimize(reason_text(plan.value(), 0));
}
BENCHMARK(reason_for_header)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tollgate
