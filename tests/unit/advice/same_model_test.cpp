#include "advice/same_model.hpp"

#include <gtest/gtest.h>

namespace tollgate::advice {
namespace {

TEST(SameModel, OneModelUnderItsHostsNames) {
  for (const char* name : {"meta-llama/Llama-3.3-70B-Instruct-Turbo", "accounts/fireworks/models/llama-v3p3-70b-instruct", "llama-3.3-70b-versatile",
                           "meta.llama3-3-70b-instruct-v1:0", "meta-llama/llama-3.3-70b-instruct:free", "llama3.3-70b"}) {
    EXPECT_TRUE(is_same_model(name, "llama-3.3-70b")) << name;
  }
}

TEST(SameModel, OthersOfItsFamilyAreOthers) {
  for (const char* name : {"llama-3.1-70b-instruct", "llama-3.3-8b", "deepseek-r1-distill-llama-70b", "llama-3.2-90b-vision-instruct", "llama-guard-3-8b", "gpt-4o", ""}) {
    EXPECT_FALSE(is_same_model(name, "llama-3.3-70b")) << name;
  }
  EXPECT_FALSE(is_same_model("gpt-5-pro", "gpt-5"));
  EXPECT_FALSE(is_same_model("", ""));
}

TEST(SameModel, SizesAreRead) {
  EXPECT_EQ(billions_of("Llama-3.3-70B-Instruct"), 70);
  EXPECT_EQ(billions_of("mixtral-8x7b"), 56);
  EXPECT_EQ(billions_of("qwen2.5-0.5b"), 0.5);
  EXPECT_EQ(billions_of("gpt-4o"), 0);
}

TEST(SameModel, TheBookHasSeveralHostsOfAnOpenModelAndTheirPricesAreItsOwn) {
  const std::vector<Host> hosts = hosts_of(prices::built_in_book(), "llama-3.3-70b", std::chrono::sys_seconds(std::chrono::seconds(1'790'000'000)));
  EXPECT_GE(hosts.size(), 3U);
  for (const Host& host : hosts) EXPECT_GT(host.output.count(), 0) << host.provider;
}

}  // namespace
}  // namespace tollgate::advice
