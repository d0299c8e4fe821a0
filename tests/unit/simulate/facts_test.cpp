// Facts of decisions: kept, packed, read back; and what rules ask.
#include <gtest/gtest.h>

#include "config/keywords.hpp"
#include "router/asked_facts.hpp"
#include "router/screening.hpp"
#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::fleet;

TEST(DecisionFacts, WhatIsPackedComesBack) {
  DecisionFacts facts;
  facts.flags = fact_json | fact_output_max | fact_screened;
  facts.score = 0.299999F;
  facts.held = 0x8000000000000001ULL;
  facts.known = ~std::uint64_t{0};
  facts.down = 4;
  facts.saturated = 1ULL << 40;
  facts.excluded = 3;
  facts.conversation = 0x123456789ABCDEFULL;
  facts.text_bytes = 123'456'789;
  facts.output_tokens_max = 4096;
  facts.messages = 3;
  facts.tools = 2;
  facts.images = 1;
  facts.choices = 5;
  facts.pii = 7;
  facts.service_tier = AskedTier::flex;
  facts.first = 2;
  const std::optional<DecisionFacts> back = unpacked(packed(facts));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->flags, facts.flags);
  EXPECT_EQ(back->score, facts.score);
  EXPECT_EQ(back->held, facts.held);
  EXPECT_EQ(back->known, facts.known);
  EXPECT_EQ(back->down, facts.down);
  EXPECT_EQ(back->saturated, facts.saturated);
  EXPECT_EQ(back->excluded, facts.excluded);
  EXPECT_EQ(back->conversation, facts.conversation);
  EXPECT_EQ(back->text_bytes, facts.text_bytes);
  EXPECT_EQ(back->output_tokens_max, facts.output_tokens_max);
  EXPECT_EQ(back->messages, facts.messages);
  EXPECT_EQ(back->tools, facts.tools);
  EXPECT_EQ(back->images, facts.images);
  EXPECT_EQ(back->choices, facts.choices);
  EXPECT_EQ(back->pii, facts.pii);
  EXPECT_EQ(back->service_tier, facts.service_tier);
  EXPECT_EQ(back->first, facts.first);
}

TEST(DecisionFacts, AnOrdinaryRequestTakesFewBytes) {
  DecisionFacts facts;
  facts.score = 0.31F;
  facts.text_bytes = 2000;
  facts.messages = 2;
  facts.first = 0;
  EXPECT_LE(packed(facts).size(), 24U);
}

TEST(DecisionFacts, WhatIsCutOrOfAnotherVersionIsNone) {
  const std::string bytes = packed(DecisionFacts{});
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(unpacked(bytes.substr(0, size))) << size;
  EXPECT_FALSE(unpacked(bytes + "x"));
  std::string other = bytes;
  other[0] = 9;
  EXPECT_FALSE(unpacked(other));
}

constexpr const char* asking = R"(constraints:
  - {name: c, when: {header: {x-data-class: [phi, pii]}}, require: {trust: internal}}
  - {name: w, when: {keywords: [Project Falcon]}, require: {trust: internal}}
)";

TEST(AskedFacts, AsksForEveryValueAndForPresence) {
  const AskedFacts asked(*config_of(fleet("0.6", asking)));
  ASSERT_EQ(asked.questions().size(), 4U);
  EXPECT_EQ(asked.questions()[0], "header:x-data-class");
  EXPECT_EQ(asked.questions()[1], "header:x-data-class=phi");
  EXPECT_EQ(asked.questions()[2], "header:x-data-class=pii");
  EXPECT_TRUE(asked.questions()[3].starts_with("keywords:"));
  EXPECT_NE(asked.text().find("home/llama"), std::string::npos);
}

TEST(AskedFacts, WhatNobodyReadIsNotKnown) {
  const ConfigPtr config = config_of(fleet("0.6", asking));
  const AskedFacts asked(*config);
  ChatView chat;
  chat.model = "auto";
  const Screening screening(chat, R"({"messages":[{"content":"about project falcon"}]})");
  const std::vector<HeaderField> headers{{"X-Data-Class", "internal, PHI"}};
  RequestFacts request{&chat, {}, headers, {}, {}, &screening};
  DecisionFacts facts;
  asked.answer(request, facts);
  EXPECT_EQ(facts.known, 0b0111U);
  EXPECT_EQ(facts.held, 0b0011U);
  EXPECT_TRUE(screening.mentions(*config->constraints[1].when.keywords));
  asked.answer(request, facts);
  EXPECT_EQ(facts.known, 0b1111U);
  EXPECT_EQ(facts.held, 0b1011U);
}

TEST(Keywords, TheFingerprintIsOfTheWords) {
  EXPECT_EQ(Keywords({"Falcon", "b"}).fingerprint(), Keywords({"falcon", "b"}).fingerprint());
  EXPECT_NE(Keywords({"falcon", "b"}).fingerprint(), Keywords({"falconb"}).fingerprint());
}

}  // namespace
}  // namespace tollgate::simulate
