#include "router/explain.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fleets.hpp"

namespace tollgate {
namespace {

using testing::Fleet;
using testing::Request;

class Explain : public ::testing::Test {
 protected:
  Explain() {
    fleet_.pool("home", "llama", 0.6);
    fleet_.managed("cloud", "big", 1.0, 3, 15);
    fleet_.managed("cheap", "small", 0.7, 1, 2);
    fleet_.route("auto", {"auto"});
    fleet_.constraint("no-cheap").labels["tier"] = {"good"};
    fleet_.config.backends[0].labels = fleet_.config.backends[1].labels = {{"tier", "good"}};
    request_.user("Prove that sqrt(2) is irrational.");
    fleet_.complexity = classify(request_.chat(), {});
  }
  std::string as_text() { return explain_text(fleet_.facts(request_), fleet_.config, fleet_.decide(request_)); }
  nlohmann::json as_json() {
    return nlohmann::json::parse(explain_json(fleet_.facts(request_), fleet_.config, fleet_.decide(request_)));
  }
  Fleet fleet_;
  Request request_;
};

TEST_F(Explain, TheTextHoldsTheWholeDecision) {
  const std::string text = as_text();
  for (const std::string_view expected :
       {"model \"auto\"", "1 message", "asks for a proof or derivation", "constraints  no-cheap", "route        auto",
        "1  cloud/big", "home/llama   capability: trusted up to 0.60", "cheap/small  constraint no-cheap"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
}

TEST_F(Explain, TermsSayWhatTheyWereSeenAsAndTiersWhereTheyBegin) {
  fleet_.complexity = {0.6F, Tier::complex};
  const std::string text = as_text();
  EXPECT_NE(text.find("complexity   0.60 COMPLEX (0.5 to 0.75)"), std::string::npos) << text;
  Request thanks;
  thanks.user("Thanks");
  const std::string plain = explain_text(fleet_.facts(thanks), fleet_.config, fleet_.decide(thanks));
  EXPECT_NE(plain.find("(none)"), std::string::npos) << plain;  // an absent term pulls, too
}

TEST_F(Explain, AScoreJustAboveACapabilityIsSeenToBe) {
  fleet_.complexity = {0.6004F, Tier::complex};
  const std::string text = as_text();
  EXPECT_NE(text.find("trusted up to 0.600000, asked 0.600400"), std::string::npos) << text;
}

TEST_F(Explain, PromptTextIsNeverShown) {
  EXPECT_EQ(as_text().find("sqrt"), std::string::npos);
  EXPECT_EQ(as_json().dump().find("sqrt"), std::string::npos);
}

TEST_F(Explain, TheJsonHoldsTheSame) {
  const nlohmann::json json = as_json();
  EXPECT_EQ(json["route"], "auto");
  EXPECT_EQ(json["constraints"], nlohmann::json({"no-cheap"}));
  EXPECT_EQ(json["complexity"]["terms"][0]["name"], "asks for a proof or derivation");
  EXPECT_EQ(json["steps"][0]["target"], "cloud/big");
  EXPECT_TRUE(json["steps"][0]["forecast_usd"].is_string());
  EXPECT_EQ(json["ruled_out"][0]["constraint"], "no-cheap");
}

TEST_F(Explain, AnUnknownForecastIsNullNotZero) {
  fleet_.config.targets[1].prices.reset();
  EXPECT_TRUE(as_json()["steps"][0]["forecast_usd"].is_null());
  EXPECT_NE(as_text().find("unknown"), std::string::npos);
}

TEST_F(Explain, ARefusalIsExplainedToo) {
  request_.chat().images = 1;
  EXPECT_NE(as_text().find("refused      no target on route \"auto\" takes images"), std::string::npos) << as_text();
  EXPECT_EQ(as_json()["refused"]["param"], "messages");
}

TEST_F(Explain, ABrokenModelNameDoesNotBreakTheJson) {
  request_.chat().model = "\xFF\xFE";
  EXPECT_TRUE(as_json().contains("refused"));
}

}  // namespace
}  // namespace tollgate
