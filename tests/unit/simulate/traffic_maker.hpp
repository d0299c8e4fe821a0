#pragma once
// Traffic for tests, as a gateway would have recorded it: decided by the router's own code, with the facts it notes.

#include <gtest/gtest.h>

#include "router/asked_facts.hpp"
#include "router/complexity.hpp"
#include "simulate/run.hpp"

namespace tollgate::simulate::testing {

inline ConfigPtr config_of(const std::string& yaml) {
  const auto environment = [](std::string_view) { return std::optional<std::string>(); };
  Result<ConfigPtr> config = load_text(yaml, "test.yaml", environment);
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? config.value() : nullptr;
}

/// A pool for simple requests and a managed model for all; `capability` of the pool, its concurrency, and what stands behind.
inline std::string fleet(const std::string& capability = "0.6", const std::string& more = "", const std::string& route_more = "", const std::string& model_more = "") {
  return "version: 1\n"
         "backends:\n"
         "  home:\n"
         "    dialect: vllm\n"
         "    url: http://127.0.0.1:9\n"
         "    trust: internal\n"
         "    pool: {billing: dedicated, gpu: H100, gpus: 2, usd_per_gpu_hour: \"3.60\"}\n"
         "    models: {llama: {capability: " + capability + ", context_tokens: 100000" + model_more + "}}\n"
         "  cloud:\n"
         "    dialect: openai\n"
         "    api_key: secret\n"
         "    models: {big: {capability: 1.0, context_tokens: 100000, prices: {input_usd_per_million_tokens: \"2\", output_usd_per_million_tokens: \"10\"}}}\n"
         "routes:\n"
         "  - {name: auto, when: {model: auto}, choose: cheapest, among: [home/llama, cloud/big]" + route_more + "}\n" + more;
}

class TrafficMaker {
 public:
  explicit TrafficMaker(ConfigPtr config) : config_(std::move(config)), asked_(*config_) { traffic_.since_us = begin_us; }
  static constexpr std::int64_t begin_us = 1'790'000'000'000'000;

  ChatView chat;                       ///< of the next request
  std::vector<HeaderField> headers;
  const Screening* screening = nullptr;
  std::int64_t took_us = 2'000'000, output = 100;
  std::string team = "red";
  std::vector<TargetState> states;

  /// One request at so many microseconds, decided and answered.
  RecordedRequest& add(std::int64_t at_us, float score) {
    RecordedRequest request;
    request.id = next_request_id(0, begin_us + at_us);
    request.arrived_us = begin_us + at_us;
    request.duration_us = took_us;
    request.team = Names::global().intern(team);
    request.score = score;
    request.tier = tier_of(score, config_->tiers);
    chat.model = chat.model.empty() ? "auto" : chat.model;
    request.model = Names::global().intern(chat.model.starts_with("gpt-") ? "other" : chat.model);
    RequestFacts facts{&chat, {score, request.tier}, headers, request.team, NameId::none, screening};
    facts.arrived_us = request.arrived_us;
    facts.dice = static_cast<std::uint64_t>(request.id);
    const Result<Plan> plan = decide(facts, *config_, states);
    asked_.answer(facts, request.facts);
    request.has_facts = true;
    request.facts.of = request.id;
    if (!plan) {
      request.result = RowResult::of(plan.error().fault);
    } else {
      asked_.note_plan(plan.value(), *config_, request.facts);
      request.route = plan.value().route;
      request.target = plan.value().steps.front().target->id;
      answer(request, *plan.value().steps.front().target);
    }
    traffic_.requests.push_back(request);
    traffic_.until_us = request.arrived_us + took_us + 1;
    return traffic_.requests.back();
  }
  Traffic& traffic() { return traffic_; }

 private:
  void answer(RecordedRequest& request, const Target& target) {
    RecordedTry one;
    one.target = target.id;
    one.usage_source = UsageSource::exact;
    one.usage.input = TokenCount{static_cast<std::int64_t>(chat.text_bytes / 4)};
    one.usage.output = TokenCount{output};
    one.started_after_us = 0;
    one.ended_after_us = took_us;
    one.pricing = Pricing::priced;
    if (target.prices) one.charge = token_charge(one.usage, *target.prices).total();
    if (config_->backend_of(target).pool) one.pool_method = PoolMethod::time;
    request.tries = 1;
    request.first_try = static_cast<std::uint32_t>(traffic_.tries.size());
    traffic_.tries.push_back(one);
  }

  ConfigPtr config_;
  AskedFacts asked_;
  Traffic traffic_;
};

/// Everything a run needs, kept alive.
struct Running {
  Running(ConfigPtr config, const Traffic& of) : rules(config), traffic(of), speeds(measure(of, *config)), quality(of), blocks(blocks_of(of)) {}
  World world(double scale = 1, std::uint64_t seed = 1) const { return run({rules, traffic, speeds, quality, scale, seed, {}}, blocks); }
  Scenario scenario() const { return {rules, traffic, speeds, quality, 1, 1, {}}; }
  Rules rules;
  const Traffic& traffic;
  SpeedBook speeds;
  QualityBook quality;
  Blocks blocks;
};

}  // namespace tollgate::simulate::testing
