// Recorded requests decided again: by the same rules, and by others.
#include "simulate/rules.hpp"

#include <gtest/gtest.h>

#include "simulate/fidelity.hpp"
#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::fleet;
using testing::Running;
using testing::TrafficMaker;

constexpr const char* phi = R"(constraints:
  - {name: phi, when: {header: {x-data-class: [phi, pii]}}, require: {trust: internal}}
)";

/// Where the request goes by these rules; "?" in front: it cannot be said.
std::string decided(const ConfigPtr& config, const Traffic& traffic, std::size_t i = 0) {
  const Rules rules(config);
  Replayed replayed(rules);
  replayed.assign(traffic.requests[i], traffic.tries_of(traffic.requests[i]));
  const Result<Plan> plan = decide(replayed.facts(), rules.config(), {});
  const std::string first = plan ? std::string(text(plan.value().steps.front().target->id)) : std::string(facts_of(plan.error().fault).name);
  if (!replayed.has_unknown()) return first;
  const Result<Plan> other = decide(replayed.facts(Unknown::holds), rules.config(), {});
  const std::string then = other ? std::string(text(other.value().steps.front().target->id)) : std::string(facts_of(other.error().fault).name);
  return then == first ? first : "?" + first;
}

TEST(Rules, AHeaderThatWasAskedForIsAnsweredForAnyRuleAboutIt) {
  const ConfigPtr config = config_of(fleet("0.6", phi));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 400;
  maker.headers = {{"x-data-class", "phi"}};
  maker.add(0, 0.9F);
  maker.headers = {};
  maker.add(1, 0.9F);
  EXPECT_EQ(decided(config, maker.traffic(), 0), "home/llama");
  EXPECT_EQ(decided(config, maker.traffic(), 1), "cloud/big");
  const ConfigPtr only_phi = config_of(fleet("0.6", "constraints:\n  - {name: p, when: {header: {x-data-class: pii}}, require: {trust: internal}}\n"));
  EXPECT_EQ(decided(only_phi, maker.traffic(), 0), "cloud/big") << "phi is not pii";
}

TEST(Rules, AHeaderThatNobodyAskedForIsUnknownOnlyWhereItMatters) {
  TrafficMaker maker(config_of(fleet()));
  maker.chat.text_bytes = 400;
  maker.add(0, 0.9F);
  maker.add(1, 0.2F);
  const ConfigPtr config = config_of(fleet("0.6", phi));
  EXPECT_EQ(decided(config, maker.traffic(), 0), "?cloud/big");
  EXPECT_EQ(decided(config, maker.traffic(), 1), "home/llama") << "it stays home either way";
}

TEST(Rules, ANewValueOfAHeaderThatWasNotThereIsKnownNotToHold) {
  TrafficMaker maker(config_of(fleet("0.6", phi)));
  maker.chat.text_bytes = 400;
  maker.add(0, 0.9F);
  const ConfigPtr config = config_of(fleet("0.6", "constraints:\n  - {name: s, when: {header: {x-data-class: secret}}, require: {trust: internal}}\n"));
  EXPECT_EQ(decided(config, maker.traffic()), "cloud/big");
}

TEST(Rules, PatternsOnNamesThatAreNotConfiguredAreAnswered) {
  const std::string more = "  - {name: gpt, when: {model: \"gpt-*\"}, among: [cloud/big]}\n";
  const ConfigPtr config = config_of(fleet("0.6", more));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 400;
  maker.chat.model = "gpt-4o-mini";
  maker.add(0, 0.2F);
  EXPECT_EQ(decided(config, maker.traffic()), "cloud/big");
  EXPECT_EQ(decided(config_of(fleet("0.6", "  - {name: any, when: {model: \"claude-*\"}, among: [cloud/big]}\n")), maker.traffic()), "?model_not_found");
}

TEST(Rules, PersonalDataIsKnownWhereItWasLookedFor) {
  const std::string more = "constraints:\n  - {name: mail, when: {pii: [email]}, require: {trust: internal}}\n";
  const ConfigPtr config = config_of(fleet("0.6", more));
  TrafficMaker maker(config);
  maker.chat.model = "auto";
  const Screening screening(maker.chat, R"({"messages":[{"content":"write to anna.berg@corp-mail.net"}]})");
  maker.screening = &screening;
  maker.add(0, 0.9F);
  EXPECT_EQ(decided(config, maker.traffic()), "home/llama");
  const ConfigPtr other = config_of(fleet("0.6", "constraints:\n  - {name: iban, when: {pii: [iban]}, require: {trust: internal}}\n"));
  EXPECT_EQ(decided(other, maker.traffic()), "cloud/big") << "all kinds were looked for";
}

TEST(Fidelity, TheSameRulesDecideTheSame) {
  const ConfigPtr config = config_of(fleet("0.6", phi));
  TrafficMaker maker(config);
  for (int i = 0; i < 500; ++i) {
    maker.chat.text_bytes = static_cast<std::uint64_t>(200 + 37 * i);
    maker.headers = i % 7 == 0 ? std::vector<HeaderField>{{"x-data-class", "pii"}} : std::vector<HeaderField>{};
    maker.states.assign(2, TargetState{});
    if (i % 11 == 0) maker.states[0].availability = Availability::unreachable;
    maker.add(i * 100'000, static_cast<float>(i % 100) / 100);
  }
  const Rules rules(config);
  const Fidelity fidelity = simulate::fidelity(rules, maker.traffic(), blocks_of(maker.traffic()), 1);
  EXPECT_EQ(fidelity.of(Depends::recorded).same, fidelity.of(Depends::recorded).decisions) << fidelity.differences.front().recorded << " / " << fidelity.differences.front().replayed;
  EXPECT_GT(fidelity.of(Depends::recorded).decisions, 400);
  EXPECT_EQ(fidelity.of_state().same, fidelity.of_state().decisions);
}

TEST(Fidelity, OtherRulesAreFoundOut) {
  TrafficMaker maker(config_of(fleet("0.6")));
  maker.chat.text_bytes = 400;
  for (int i = 0; i < 100; ++i) maker.add(i * 1'000'000, 0.5F);
  const Rules rules(config_of(fleet("0.3")));
  const Fidelity fidelity = simulate::fidelity(rules, maker.traffic(), blocks_of(maker.traffic()), 1);
  EXPECT_EQ(fidelity.of(Depends::recorded).same, 0);
  ASSERT_FALSE(fidelity.differences.empty());
  EXPECT_EQ(fidelity.differences[0].recorded, "auto: home/llama");
  EXPECT_EQ(fidelity.differences[0].replayed, "auto: cloud/big");
}

TEST(Fidelity, CostIsReplayedToThePicodollarWhereTokensAreBilled) {
  const ConfigPtr config = config_of(fleet("0.6"));
  TrafficMaker maker(config);
  maker.chat.text_bytes = 4321;
  for (int i = 0; i < 100; ++i) maker.add(i * 1'000'000, 0.9F);
  const Rules rules(config);
  const Fidelity fidelity = simulate::fidelity(rules, maker.traffic(), blocks_of(maker.traffic()), 1);
  EXPECT_EQ(fidelity.recorded_usd, fidelity.replayed_usd);
  EXPECT_GT(fidelity.recorded_usd, UsdSum{});
  EXPECT_TRUE(fidelity.cost_holds());
}

}  // namespace
}  // namespace tollgate::simulate
