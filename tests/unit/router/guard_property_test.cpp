// No byte reaches a target outside a constraint: random configurations, random requests with known contents, random
// faults. The attempts are made as the gateway makes them (forbidden_by before each, mask_order for what is sent); the
// judge is written apart from the code under test and knows what was put into the text.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "config/keywords.hpp"
#include "fleets.hpp"
#include "router/mask.hpp"
#include "router/screening.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::id;

struct Planted {
  PiiKind kind;
  const char* value;
};
constexpr Planted planted[] = {{PiiKind::email, "jane.doe@firma.example"},
                               {PiiKind::card, "4526 0181 5908 3012"},
                               {PiiKind::iban, "DE16 7114 7104 9746 5075 29"},
                               {PiiKind::ssn, "219-45-6789"},
                               {PiiKind::phone, "+49 171 1234567"},
                               {PiiKind::national_id, "X3883170B"}};
constexpr const char* keyword = "Projekt Falke";
constexpr const char* bare_card = "5166131860913906";

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) { return engine_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

struct Case {
  Fleet fleet;
  std::vector<bool> asks_keyword;  // of each constraint
  std::string body;
  PiiKinds holds;
  bool holds_keyword = false, phi = false;
};

void add_constraint(Case& made, Random& random, std::size_t number) {
  Constraint& constraint = made.fleet.constraint("c" + std::to_string(number));
  const bool asks_pii = random.one_in(2);
  if (asks_pii)
    constraint.when.pii = random.one_in(3) ? usual_pii_kinds
                                           : PiiKinds(planted[random.below(std::size(planted))].kind) |
                                                 planted[random.below(std::size(planted))].kind;
  made.asks_keyword.push_back(random.one_in(4));
  if (made.asks_keyword.back())
    constraint.when.keywords = std::make_shared<const Keywords>(std::vector<std::string>{"unused", "projekt  falke"});
  if (random.one_in(3)) constraint.when.headers.push_back({"x-class", {"phi"}});
  constraint.action = asks_pii ? static_cast<ConstraintAction>(random.one_in(8) ? 1 : random.below(2) * 2)
                               : ConstraintAction::constrain;
  if (random.one_in(2)) constraint.trust = Trust::internal;
  if (random.one_in(3)) constraint.labels["region"] = {random.one_in(2) ? "eu" : "us"};
}

Case random_case(Random& random) {
  Case made;
  for (std::size_t i = 1 + random.below(6); i > 0; --i) {
    const std::string backend = "b" + std::to_string(i);
    if (random.one_in(2)) {
      made.fleet.pool(backend, "m", 1.0);
    } else {
      made.fleet.managed(backend, "m", 1.0, 1, static_cast<std::int64_t>(random.below(9)));
    }
    if (random.one_in(2)) made.fleet.config.backends.back().labels["region"] = random.one_in(2) ? "eu" : "us";
  }
  made.fleet.route("auto", {"auto"}).choose = random.one_in(2) ? Choose::first : Choose::cheapest;
  for (std::size_t i = random.below(5); i > 0; --i) add_constraint(made, random, i);
  made.phi = random.one_in(2);
  if (made.phi) made.fleet.headers.push_back({"X-Class", "PHI"});

  std::string text = "Hallo";
  for (std::size_t i = random.below(4); i > 0; --i) {
    const Planted& one = planted[random.below(std::size(planted))];
    made.holds |= one.kind;
    text += std::string(random.one_in(2) ? "\\n" : " und: ") + one.value + (random.one_in(2) ? "," : "\\u0020;");
  }
  made.holds_keyword = random.one_in(3);
  if (made.holds_keyword) text += std::string(" ") + keyword + ".";
  // In any place of the body: a message, a tool's result, a call's arguments, a member that routing does not know.
  static constexpr const char* frames[] = {
      R"({"model":"auto","messages":[{"role":"user","content":"%"}]})",
      R"({"model":"auto","messages":[{"role":"tool","content":"%"},{"role":"user","content":"x"}]})",
      R"({"model":"auto","messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"%"}}]}]})",
      R"({"messages":[{"role":"user","content":"x"}],"metadata":{"note":"%"},"model":"auto"})",
      R"({"model":"auto","tools":[{"function":{"parameters":{"default":@,"x":"%"}}}],"messages":[]})"};
  made.body = frames[random.below(std::size(frames))];
  made.body.replace(made.body.find('%'), 1, text);
  if (const std::size_t number = made.body.find(":@,"); number != std::string::npos) {  // a card as a bare number
    made.body.replace(number + 1, 1, bare_card);
    made.holds |= PiiKind::card;
  }
  return made;
}

bool covers(const Case& made, std::size_t index) {
  const Constraint& constraint = made.fleet.config.constraints[index];
  if (constraint.when.pii.any() && !(constraint.when.pii & made.holds).any()) return false;
  if (made.asks_keyword[index] && !made.holds_keyword) return false;
  return constraint.when.headers.empty() || made.phi;
}

bool stands_inside(const Constraint& constraint, const Backend& backend) {
  if (constraint.trust && *constraint.trust != backend.trust) return false;
  for (const auto& [label, values] : constraint.labels) {
    const auto has = backend.labels.find(label);
    if (has == backend.labels.end() || has->second != values.front()) return false;
  }
  return true;
}

/// "" if these bytes may lie at this target; else the constraint that they break.
std::string broken_by(const Case& made, const Target& target, const std::string& bytes) {
  const Config& config = made.fleet.config;
  for (std::size_t i = 0; i < config.constraints.size(); ++i) {
    const Constraint& constraint = config.constraints[i];
    if (!covers(made, i)) continue;
    const bool inside = stands_inside(constraint, config.backend_of(target));
    bool allowed = inside && constraint.action != ConstraintAction::reject;
    if (!allowed && constraint.action == ConstraintAction::mask) {
      allowed = std::none_of(std::begin(planted), std::end(planted), [&](const Planted& one) {
        return constraint.when.pii.has(one.kind) && bytes.find(one.value) != std::string::npos;
      });
      allowed = allowed && !(constraint.when.pii.has(PiiKind::card) && bytes.find(bare_card) != std::string::npos);
    }
    if (!allowed) return std::string(text(constraint.name));
  }
  return "";
}

TEST(Guard, NoByteReachesATargetOutsideAConstraint) {
  Random random(testing::seed());
  std::size_t attempts = 0, masked_attempts = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Case made = random_case(random);
    const Config& config = made.fleet.config;
    ChatView chat;
    chat.model = "auto";
    chat.messages = 1;
    Screening screening(chat, made.body);
    RequestFacts facts{&chat, made.fleet.complexity, made.fleet.headers, {}, {}, &screening};
    const Result<Plan> plan = decide(facts, config, made.fleet.states);
    if (!plan) {
      ++refused;
      ASSERT_EQ(plan.error().fault, Fault::constraint_unsatisfied) << plan.error().message;
      for (const Planted& one : planted) ASSERT_EQ(plan.error().message.find(one.value), std::string::npos);
      // Nothing is refused without a reason: no target might have taken any form of it, or a constraint rejects.
      bool rejects = false;
      for (std::size_t i = 0; i < config.constraints.size(); ++i)
        rejects = rejects || (covers(made, i) && config.constraints[i].action == ConstraintAction::reject);
      for (const Target& target : config.targets)
        ASSERT_TRUE(rejects || forbidden_by(facts, config, target) != NameId::none);
      continue;
    }
    for (const Step& step : plan.value().steps) {
      if (forbidden_by(facts, config, *step.target) != NameId::none) continue;
      const MaskOrder order = mask_order(facts, config, *step.target);
      const std::string bytes = order.kinds.any() ? mask(made.body, order.kinds, {}, 0).body : made.body;
      ++attempts;
      masked_attempts += order.kinds.any() ? 1U : 0U;
      ASSERT_EQ(broken_by(made, *step.target, bytes), "")
          << "target " << text(step.target->id) << ", body " << made.body;
      if (random.one_in(3)) break;  // it answered; else the next target is asked
    }
    // Shadow and judge calls come later, when the text is gone: permits() must know it still.
    screening.forget_text();
    for (const Target& target : config.targets) {
      ASSERT_EQ(static_cast<bool>(permits(facts, config, target)), broken_by(made, target, made.body).empty())
          << made.body;
    }
    std::uint64_t covered = 0;
    for (std::size_t i = 0; i < config.constraints.size(); ++i) covered |= std::uint64_t{covers(made, i)} << i;
    ASSERT_EQ(covered_by(facts, config), covered);
  }
  EXPECT_GT(attempts, 10'000U);
  EXPECT_GT(masked_attempts, 500U);
  EXPECT_GT(refused, 1'000U);
}

TEST(Guard, WhatCannotBeReadCountsAsHoldingEverything) {
  Fleet fleet;
  fleet.pool("home", "m", 1.0);
  fleet.managed("cloud", "m", 1.0, 1, 1);
  fleet.route("auto", {"auto"});
  Constraint& masks = fleet.constraint("masked");
  masks.when.pii = PiiKind::card;
  masks.action = ConstraintAction::mask;
  masks.trust = Trust::internal;
  ChatView tokens;  // a prompt of token numbers
  tokens.model = "auto";
  tokens.text_bytes = 400;
  const Screening screening(tokens, R"({"model":"auto","prompt":[1,2,3]})");
  RequestFacts facts{&tokens, fleet.complexity, {}, {}, {}, &screening};
  EXPECT_FALSE(permits(facts, fleet.config, fleet.config.targets[1]));
  EXPECT_EQ(forbidden_by(facts, fleet.config, fleet.config.targets[1]), id("masked"));
  EXPECT_EQ(forbidden_by(facts, fleet.config, fleet.config.targets[0]), NameId::none);
  facts.screening = nullptr;
  EXPECT_EQ(forbidden_by(facts, fleet.config, fleet.config.targets[1]), id("masked"));
}

TEST(Guard, ATextThatIsGoneBeforeItWasReadCountsAsHoldingEverything) {
  ChatView chat;
  Screening screening(chat, R"({"content":"nothing"})");
  screening.forget_text();
  EXPECT_TRUE(screening.kinds().has(PiiKind::card));
  EXPECT_TRUE(screening.mentions(Keywords({"x"})));
}

TEST(Guard, AFileInBase64CountsAsHoldingEverythingAndAPictureAsNothing) {
  const std::string data(2000, 'A');
  const auto kinds_in = [](const std::string& value) {
    const ChatView chat;
    const std::string body = R"({"messages":[{"role":"user","content":[{"x":")" + value + R"("}]}]})";
    const Screening screening(chat, body);
    const bool any = screening.kinds().any();
    EXPECT_EQ(any, !screening.readable());
    EXPECT_EQ(any, screening.mentions(Keywords({"never"})));
    return any;
  };
  for (const char* const head : {"data:application/pdf;base64,", "data:text/plain;base64,", "DATA:text/csv;base64,",
                                 R"(data:text\/plain;base64\u002c)", "JVBERi0xLjcK", "UEsDBBQA"}) {
    EXPECT_TRUE(kinds_in(head + data)) << head;
  }
  EXPECT_TRUE(kinds_in("data:text/plain;base64,SGFsbG8="));
  for (const char* const head :
       {"data:image/png;base64,", "data:audio/wav;base64,", "", "data:", "JVBERi is how PDF begins "})
    EXPECT_FALSE(kinds_in(head + data)) << head;
}

TEST(Guard, ARejectionNamesKindsAndNoValue) {
  Fleet fleet;
  fleet.pool("home", "m", 1.0);
  fleet.route("auto", {"auto"});
  Constraint& rejects = fleet.constraint("no-secrets");
  rejects.when.pii = PiiKinds(PiiKind::card) | PiiKind::email;
  rejects.action = ConstraintAction::reject;
  ChatView chat;
  chat.model = "auto";
  const std::string body = R"({"content":"4526 0181 5908 3012, +49 171 1234567"})";
  const Screening screening(chat, body);
  const RequestFacts facts{&chat, fleet.complexity, {}, {}, {}, &screening};
  const Result<Plan> plan = decide(facts, fleet.config, fleet.states);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "constraint no-secrets rejects this request: it holds card; remove it and send the request again");
  EXPECT_EQ(code_of(plan.error()), "constraint_rejected");
  EXPECT_EQ(http_status_of(plan.error()), 403);
}

}  // namespace
}  // namespace tollgate
