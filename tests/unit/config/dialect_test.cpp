#include <gmock/gmock.h>

#include "config/dialects.hpp"
#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::error_of;
using testing::loaded;

std::string backend(const std::string& members) { return "version: 1\nbackends:\n  b:\n" + members + "    models: {m: {upstream: o/m}}\n"; }

TEST(Dialects, EachNameIsTakenAndItsAddressIsTheProvidersUnlessGiven) {
  for (const DialectFacts& facts : all_dialects()) {
    const std::string name(facts.name);
    if (!facts.url.empty()) {
      EXPECT_EQ(loaded(backend("    dialect: " + name + "\n"))->backends[0].url, facts.url) << name;
    } else {
      EXPECT_THAT(error_of(backend("    dialect: " + name + "\n")), HasSubstr("url is missing")) << name;
    }
    EXPECT_EQ(loaded(backend("    dialect: " + name + "\n    url: http://h:1\n"))->backends[0].dialect, facts.dialect) << name;
    EXPECT_TRUE(loaded(backend("    dialect: " + name + "\n    simulated: {}\n"))->backends[0].simulated) << name;
  }
}

TEST(Dialects, WhatSpeaksNoOtherSurfaceServesChatOnly) {
  EXPECT_THAT(loaded(backend("    dialect: anthropic\n"))->targets[0].surfaces, ElementsAre(Surface::chat));
  EXPECT_THAT(error_of("version: 1\nbackends:\n  b:\n    dialect: gemini\n    models: {m: {serves: embeddings}}\n"), HasSubstr("serves chat only"));
}

TEST(Dialects, BedrocksAddressIsItsRegions) {
  EXPECT_EQ(loaded(backend("    dialect: bedrock\n    aws: {region: eu-west-3}\n"))->backends[0].url, "https://bedrock-runtime.eu-west-3.amazonaws.com");
}

TEST(Dialects, WhatDoesNotGoTogetherIsReported) {
  EXPECT_THAT(error_of(backend("    dialect: openai\n    aws: {region: x}\n")), HasSubstr("only the dialect bedrock"));
  EXPECT_THAT(error_of(backend("    dialect: openai\n    api_version: 2024-10-21\n")), HasSubstr("only the dialect azure-openai"));
  EXPECT_THAT(error_of(backend("    dialect: openai\n    auth: api_key\n")), HasSubstr("only the dialect azure-openai"));
  EXPECT_THAT(error_of(backend("    dialect: bedrock\n    aws: {region: x, access_key_id: a}\n")), HasSubstr("secret_access_key is missing"));
  EXPECT_THAT(error_of(backend("    dialect: bedrock\n    url: http://h\n    aws: {access_key_id: a, secret_access_key: b}\n")), HasSubstr("region is missing"));
  EXPECT_THAT(error_of(backend("    dialect: bedrock\n    api_key: k\n    aws: {region: x, access_key_id: a, secret_access_key: b}\n")), HasSubstr("keep one of the two"));
  EXPECT_THAT(error_of(backend("    dialect: anthropic\n    simulated: {personality: vllm}\n")), HasSubstr("speaks another protocol"));
  EXPECT_THAT(error_of(backend("    dialect: anthropc\n")), HasSubstr("anthropic"));
}

}  // namespace
}  // namespace tollgate
