#include <gtest/gtest.h>

#include <set>
#include <string>

#include "config/result.hpp"

namespace tollgate {
namespace {

TEST(Fault, EveryFaultHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i <= static_cast<unsigned>(Fault::internal); ++i) {
    const FaultFacts& facts = facts_of(static_cast<Fault>(i));
    EXPECT_FALSE(facts.name.empty());
    EXPECT_TRUE(names.insert(facts.name).second) << facts.name;
    EXPECT_FALSE(facts.code.empty()) << facts.name;
  }
}

TEST(Fault, EveryFaultButAGoneClientHasAnErrorStatusAndAType) {
  for (unsigned i = 0; i <= static_cast<unsigned>(Fault::internal); ++i) {
    const FaultFacts& facts = facts_of(static_cast<Fault>(i));
    if (static_cast<Fault>(i) == Fault::client_gone) {
      EXPECT_EQ(facts.http_status, 0);
      continue;
    }
    EXPECT_GE(facts.http_status, 400) << facts.name;
    EXPECT_LT(facts.http_status, 600) << facts.name;
    EXPECT_FALSE(facts.type.empty()) << facts.name;
  }
}

// What one target has no words for another may have.
TEST(Fault, NothingTheClientDidWrongIsTriedAgain) {
  for (unsigned i = 0; i <= static_cast<unsigned>(Fault::internal); ++i) {
    const FaultFacts& facts = facts_of(static_cast<Fault>(i));
    const bool elsewhere = static_cast<Fault>(i) == Fault::unsupported;
    if (facts.whose == Whose::client || facts.whose == Whose::policy) {
      EXPECT_EQ(facts.again, elsewhere ? Again::next_target : Again::no) << facts.name;
    }
  }
}

TEST(Fault, AnUnknownKeyLooksAsItDoesAtOpenAi) {
  const FaultFacts& facts = facts_of(Fault::unauthenticated);
  EXPECT_EQ(facts.http_status, 401);
  EXPECT_EQ(facts.type, "invalid_request_error");
  EXPECT_EQ(facts.code, "invalid_api_key");
}

TEST(Fault, ABusyUpstreamIsARateLimitOnlyWhenItSaidSo) {
  Error limited = fail(Fault::upstream_busy, "busy");
  EXPECT_EQ(http_status_of(limited), 429);
  EXPECT_EQ(type_of(limited), "rate_limit_error");
  EXPECT_EQ(code_of(limited), "upstream_rate_limited");
  limited.http_status = 503;
  EXPECT_EQ(http_status_of(limited), 503);
  EXPECT_EQ(type_of(limited), "server_error");
  EXPECT_EQ(code_of(limited), "upstream_overloaded");
}

TEST(Fault, ARefusalKeepsTheStatusAndCodeOfTheUpstream) {
  Error refused = fail(Fault::upstream_refused, "too long");
  EXPECT_EQ(http_status_of(refused), 400);
  refused.http_status = 422;
  refused.code = "context_length_exceeded";
  EXPECT_EQ(http_status_of(refused), 422);
  EXPECT_EQ(code_of(refused), "context_length_exceeded");
}

TEST(Fault, TheGatewaysOwnCredentialsAreNotTheClientsFault) {
  EXPECT_EQ(facts_of(Fault::upstream_credentials).http_status, 502);
  EXPECT_EQ(facts_of(Fault::upstream_credentials).whose, Whose::ours);
  EXPECT_EQ(facts_of(Fault::upstream_credentials).code, "upstream_credentials");
}

}  // namespace
}  // namespace tollgate
