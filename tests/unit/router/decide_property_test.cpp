// The law of routing, on random configurations and requests: no attempt past a constraint, none at a target that is not
// up, every target of the route either planned once or ruled out once.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "fleets.hpp"
#include "router/constraints.hpp"
#include "router/matcher.hpp"
#include "router/routes.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;
using testing::Request;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  double unit() { return static_cast<double>(engine_() >> 11) / 9007199254740992.0; }
  std::string of(std::initializer_list<const char*> choices) { return *(choices.begin() + below(choices.size())); }

 private:
  std::mt19937_64 engine_;
};

Condition condition(Random& random) {
  Condition when;
  if (random.one_in(3)) when.models = {random.of({"auto", "fast", "*", "b1/*", "m?"})};
  if (random.one_in(3)) when.headers.push_back({"x-class", {random.of({"phi", "public"})}});
  if (random.one_in(6)) when.teams = {id(random.of({"red", "blue"}))};
  if (random.one_in(6)) when.tiers = static_cast<std::uint8_t>(random.below(16));
  if (random.one_in(6)) when.complexity_from = random.unit();
  if (random.one_in(6)) when.input_tokens_below = static_cast<std::int64_t>(random.below(4000));
  if (random.one_in(8)) when.tools = random.one_in(2);
  if (random.one_in(8)) when.stream = random.one_in(2);
  if (random.one_in(8)) when.users = {random.of({"u1", "u*"})};
  if (random.one_in(8)) when.metadata.push_back({"purpose", {random.of({"eval", "batch"})}});
  if (random.one_in(8)) {
    when.time.emplace();
    when.time->from_minute = static_cast<std::int16_t>(random.below(1440));
    when.time->days = static_cast<std::uint8_t>(random.below(128));
  }
  return when;
}

void add_target(Fleet& fleet, Random& random, std::size_t i) {
  const std::string backend = "b" + std::to_string(i), model = "m" + std::to_string(random.below(4));
  Target& target = random.one_in(2)
                       ? fleet.pool(backend, model, random.unit())
                       : fleet.managed(backend, model, random.unit(), static_cast<std::int64_t>(random.below(5)),
                                       static_cast<std::int64_t>(random.below(20)));
  if (random.one_in(5)) target.prices.reset();
  if (random.one_in(4)) target.context_tokens = static_cast<std::int64_t>(random.below(3000));
  target.tools = !random.one_in(4);
  target.images = random.one_in(2);
  target.json_schema = !random.one_in(4);
  target.concurrency_max = static_cast<unsigned>(random.below(3));
  Backend& made = fleet.config.backends.back();
  if (random.one_in(2)) made.labels["region"] = random.of({"eu", "us"});
  if (random.one_in(3)) made.trust = random.one_in(2) ? Trust::internal : Trust::external;
  TargetState& state = fleet.states.back();
  if (random.one_in(3)) state.availability = static_cast<Availability>(random.below(4));
  state.in_flight = static_cast<std::uint32_t>(random.below(4));
  if (random.one_in(3)) state.first_token_mean = std::chrono::milliseconds(random.below(1000));
  if (random.one_in(3)) state.output_token_mean = std::chrono::milliseconds(random.below(30));
  if (random.one_in(3)) state.duration_mean = std::chrono::milliseconds(random.below(9000));
  if (random.one_in(3)) state.engine_waiting = static_cast<std::int32_t>(random.below(6));
  if (random.one_in(3)) state.engine_running = static_cast<std::int32_t>(random.below(6));
  if (random.one_in(3)) state.kv_cache_usage = static_cast<float>(random.unit());
  state.was_saturated = random.one_in(4);
  if (made.pool && random.one_in(2)) made.pool->billing = static_cast<Billing>(random.below(4));
  if (random.one_in(2)) {
    PoolStance& stance = state.stance.emplace();
    stance.places = static_cast<std::uint32_t>(random.below(4));
    stance.workers = stance.places;
    stance.warm = random.one_in(2);
    stance.why = static_cast<PoolStance::Why>(random.below(5));
    stance.cold_start_us = static_cast<std::int64_t>(random.below(9'000'000));
  }
  if (random.one_in(3))
    state.loaded_usd_per_million_tokens = Usd{static_cast<std::int64_t>(random.below(1000)) * 1'000'000};
}

void fill(Fleet& fleet, Random& random) {
  const std::size_t targets = 1 + random.below(8);
  for (std::size_t i = 0; i < targets; ++i) add_target(fleet, random, i);
  fleet.config.virtual_models = {"auto", "fast"};
  for (std::size_t i = random.below(4); i > 0; --i) {
    Constraint& constraint = fleet.constraint("c" + std::to_string(i));
    constraint.when = condition(random);
    if (random.one_in(2)) constraint.trust = random.one_in(4) ? Trust::external : Trust::internal;
    if (random.one_in(2)) constraint.labels["region"] = {random.of({"eu", "us"})};
  }
  for (std::size_t i = random.below(5); i > 0; --i) {
    Route& route = fleet.route("r" + std::to_string(i), {});
    route.when = condition(random);
    route.choose = static_cast<Choose>(random.below(4));
    route.sticky = random.one_in(2);
    route.autopilot = route.choose == Choose::cheapest && random.one_in(2);
    if (random.one_in(4)) route.min_capability = random.unit();
    if (random.one_in(4)) route.first_token = std::chrono::milliseconds(1 + random.below(1000));
    if (random.one_in(4)) route.deadline = std::chrono::milliseconds(1 + random.below(9000));
    route.cost_basis = random.one_in(2) ? CostBasis::loaded : CostBasis::marginal;
    route.among.clear();
    for (std::size_t k = random.below(10); k > 0; --k) {
      route.among.push_back(random.below(targets));
      route.weights.push_back(static_cast<std::uint32_t>(random.below(4)));
    }
    if (random.one_in(4)) {
      route.when.load = LoadCondition{{random.below(targets)}, random.unit(), {}};
    }
  }
  if (random.one_in(2)) fleet.headers.push_back({"X-Class", random.one_in(2) ? "PHI" : "other"});
  if (random.one_in(2)) fleet.team = id(random.of({"red", "blue", "green"}));
  fleet.config.spill_over.is_on = random.one_in(2);
  fleet.config.spill_over.back_at = random.unit();
  const double score = random.unit();
  fleet.complexity = {static_cast<float>(score), static_cast<Tier>(random.below(4))};
}

void fill(Request& request, Random& random) {
  request.user(std::string(random.below(8000), 'x'));
  ChatView& chat = request.chat();
  static constexpr std::string_view models[] = {"auto", "auto", "fast", "b1/m0", "b0/m1", "m2", "unknown"};
  chat.model = models[random.below(std::size(models))];
  if (random.one_in(4)) chat.tools = 3;
  if (random.one_in(6)) chat.images = 1;
  if (random.one_in(6)) chat.json_schema = true;
  if (random.one_in(2)) chat.stream = true;
  if (random.one_in(2)) chat.user = random.one_in(2) ? "u1" : "v2";
  if (random.one_in(3)) chat.metadata.push_back({"purpose", random.one_in(2) ? "eval" : "other"});
  if (random.one_in(3)) chat.output_tokens_max = static_cast<std::int64_t>(random.below(3000));
}

/// Independent of the code under test: by the constraint's own words.
bool violates(const Constraint& constraint, const Backend& backend) {
  if (constraint.trust && backend.trust != *constraint.trust) return true;
  for (const auto& [label, accepted] : constraint.labels) {
    const auto has = backend.labels.find(label);
    if (has == backend.labels.end() || std::count(accepted.begin(), accepted.end(), has->second) == 0) return true;
  }
  return false;
}

/// What holds of every order: targets with room come before saturated ones; the cheapest or the fastest of them first unless
/// a conversation stays, a speed is explored or all are late.
void check_order(const Fleet& fleet, const Plan& plan) {
  for (std::size_t i = 1; i < plan.steps.size(); ++i) ASSERT_LE(plan.steps[i - 1].is_saturated, plan.steps[i].is_saturated);
  const Step& first = plan.steps.front();
  if (plan.rule == nullptr) return;
  for (const Step& step : plan.steps) {
    ASSERT_GE(step.target->capability, plan.rule->min_capability);
    const bool late = (plan.rule->first_token.count() > 0 && step.first_token > plan.rule->first_token) ||
                      (plan.rule->deadline.count() > 0 && step.whole > plan.rule->deadline);
    ASSERT_TRUE(!late || first.why == Why::in_time) << "a target that is expected too late is planned";
    if (step.is_saturated || first.is_saturated || first.why == Why::in_time) continue;
    const bool comparable = first.forecast_known && step.forecast_known;
    if (plan.rule->autopilot) {
      ASSERT_LE(first.standing, step.standing) << "the autopilot's order";
      if (first.standing != step.standing || first.standing == Standing::open) continue;
    }
    if (plan.rule->choose == Choose::cheapest && comparable) {
      ASSERT_LE(first.forecast, step.forecast);
    }
    if (plan.rule->choose == Choose::fastest && step.wait.count() > 0) {
      ASSERT_LE(first.wait, step.wait);
    }
  }
  if (first.why == Why::spill_over) {
    ASSERT_NE(plan.spilled_from, nullptr);
    ASSERT_FALSE(first.is_saturated);
    const auto from = std::find_if(plan.steps.begin(), plan.steps.end(), [&](const Step& step) { return step.target == plan.spilled_from; });
    ASSERT_TRUE(from != plan.steps.end() && from->is_saturated);
  }
  ASSERT_LE(plan.steps.size(), fleet.config.targets.size());
}

void check_plan(const Fleet& fleet, const RequestFacts& facts, const Plan& plan) {
  ASSERT_FALSE(plan.steps.empty());
  std::set<const Target*> seen;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Target& target = *plan.steps[i].target;
    for (const Constraint& constraint : fleet.config.constraints) {
      ASSERT_FALSE(matches(constraint.when, facts) && violates(constraint, fleet.config.backend_of(target)));
    }
    ASSERT_EQ(forbidden_by(facts, fleet.config, target), NameId::none);
    const auto index = static_cast<std::size_t>(&target - fleet.config.targets.data());
    ASSERT_EQ(fleet.states[index].availability, Availability::up);
    ASSERT_TRUE(seen.insert(&target).second) << "a target is planned twice";
    const std::string reason = reason_text(plan, i);
    ASSERT_FALSE(reason.empty());
    ASSERT_LE(reason.size(), 200U);
  }
  for (const RuledOut& out : plan.ruled_out) {
    ASSERT_TRUE(seen.insert(out.target).second) << "a target is planned and ruled out, or ruled out twice";
    ASSERT_GE(static_cast<int>(out.why), static_cast<int>(Why::constraint));
    ASSERT_EQ(out.why == Why::constraint, out.constraint != NameId::none);
  }
  check_order(fleet, plan);
  const Result<Candidates> candidates = find_route(facts, fleet.config, fleet.states);
  ASSERT_TRUE(candidates);
  ASSERT_EQ(seen.size(), candidates.value().among.size()) << "a target of the route is neither planned nor ruled out";
  for (const std::size_t index : candidates.value().among) ASSERT_TRUE(seen.contains(&fleet.config.targets[index]));
}

TEST(DecideProperty, PlansKeepTheLaw) {
  Random random(testing::seed());
  int planned = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Fleet fleet;
    fill(fleet, random);
    Request request;
    fill(request, random);
    RequestFacts facts = fleet.facts(request);
    facts.dice = random.below(1'000'000);
    facts.arrived_us = static_cast<std::int64_t>(random.below(7 * 86'400)) * 1'000'000;
    if (random.one_in(2)) {
      facts.conversation = {fleet.config.targets[random.below(fleet.config.targets.size())].id, TokenCount{static_cast<std::int64_t>(random.below(5000))}};
    }
    const Result<Plan> plan = decide(facts, fleet.config, fleet.states);
    if (plan) {
      ++planned;
      check_plan(fleet, facts, plan.value());
    } else {
      ++refused;
      ASSERT_FALSE(plan.error().message.empty());
    }
    if (::testing::Test::HasFatalFailure()) {
      FAIL() << "round " << round;
    }
  }
  EXPECT_GT(planned, 2000);
  EXPECT_GT(refused, 500);
}

TEST(DecideProperty, TheSameQuestionGetsTheSameAnswer) {
  Random random(testing::seed() + 1);
  for (int round = 0; round < 500; ++round) {
    Fleet fleet;
    fill(fleet, random);
    Request request;
    fill(request, random);
    const Result<Plan> first = fleet.decide(request), second = fleet.decide(request);
    ASSERT_EQ(testing::steps_of(first), testing::steps_of(second));
    ASSERT_EQ(testing::ruled_out_of(first), testing::ruled_out_of(second));
  }
}

}  // namespace
}  // namespace tollgate
