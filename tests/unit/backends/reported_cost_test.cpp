#include "backends/reported_cost.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

// Pitfall 32: a cost that the provider reports is ignored.
TEST(ReportedCost, OpenRouterSaysDollars) {
  EXPECT_EQ(reported_cost(R"({"prompt_tokens":194,"completion_tokens":2,"cost":0.00014,"is_byok":false,"cost_details":{"upstream_inference_cost":null}})"),
            Usd{140'000'000});
  EXPECT_EQ(reported_cost(R"({"cost" : 4.45e-06 , "prompt_tokens": 1})"), Usd{4'450'000});
  EXPECT_EQ(reported_cost(R"({"prompt_tokens":1,"cost":0})"), Usd{}) << "a free model";
}

TEST(ReportedCost, WithAKeyOfOnesOwnTheProviderBillsBesideIt) {
  EXPECT_EQ(reported_cost(R"({"cost":0.0005,"is_byok":true,"cost_details":{"upstream_inference_cost":0.01}})"), Usd{10'500'000'000});
  EXPECT_EQ(reported_cost(R"({"cost":0.01,"is_byok":false,"cost_details":{"upstream_inference_cost":0.009}})"), Usd{10'000'000'000})
      << "else that is a part of it";
  EXPECT_EQ(reported_cost(R"({"cost":0,"is_byok":true})"), std::nullopt) << "only a part is said";
  EXPECT_EQ(reported_cost(R"({"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null}})"), std::nullopt);
}

TEST(ReportedCost, XaiSaysTicks) {
  EXPECT_EQ(reported_cost(R"({"prompt_tokens":9,"cost_in_usd_ticks":37756000})"), Usd{3'775'600'000});
  EXPECT_EQ(reported_cost(R"({"cost_in_usd_ticks":-1})"), std::nullopt);
  EXPECT_EQ(reported_cost(R"({"cost_in_usd_ticks":9223372036854775807})"), std::nullopt);
}

TEST(ReportedCost, OthersSayATotalOfParts) {
  EXPECT_EQ(reported_cost(R"({"cost":{"input_tokens_cost":0.001,"request_cost":0.005,"total_cost":0.006}})"), Usd{6'000'000'000});
  EXPECT_EQ(reported_cost(R"({"cost":{"input_tokens_cost":0.001}})"), std::nullopt);
}

TEST(ReportedCost, NonsenseIsNoCharge) {
  for (const char* const usage : {"", "{}", "null", "[]", R"({"cost":null})", R"({"cost":"0.01"})", R"({"cost":-0.01})", R"({"cost":1e9})", R"({"cost":true})",
                                  R"({"cost":[0.01]})", R"({"nested":{"cost":0.01}})", R"({"cost":)"}) {
    EXPECT_EQ(reported_cost(usage), std::nullopt) << usage;
  }
}

TEST(ReportedCost, OnlyABackendThatIsBelievedIsAsked) {
  Backend backend;
  EXPECT_EQ(reported_cost(backend, R"({"cost":0.01})"), std::nullopt);
  backend.reported_costs = true;
  EXPECT_EQ(reported_cost(backend, R"({"cost":0.01})"), Usd{10'000'000'000});
  EXPECT_EQ(reported_cost(backend, ""), std::nullopt);
}

}  // namespace
}  // namespace tollgate
