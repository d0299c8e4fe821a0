#include "gateway/authenticate.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

Config with_key(std::string_view key, std::vector<std::string> models = {}) {
  Config config;
  config.keys.push_back({Names::global().intern("ci"), Names::global().intern("research"), sha256(key), std::move(models)});
  return config;
}

TEST(Authenticate, KnowsAKeyByItsHash) {
  const Config config = with_key("tg-secret");
  const KeyTable keys(config);
  const Result<Caller> caller = keys.authenticate("Bearer tg-secret");
  ASSERT_TRUE(caller);
  EXPECT_EQ(text(caller.value().team), "research");
  EXPECT_TRUE(keys.authenticate("bearer tg-secret"));
}

TEST(Authenticate, RefusesEverythingElseWithoutRepeatingIt) {
  const Config config = with_key("tg-secret");
  const KeyTable keys(config);
  for (const char* header : {"", "Bearer", "Bearer ", "Basic tg-secret", "Bearer tg-secre", "Bearer tg-secret2", "tg-secret"}) {
    const Result<Caller> caller = keys.authenticate(header);
    ASSERT_FALSE(caller) << header;
    EXPECT_EQ(caller.error().fault, Fault::unauthenticated);
    EXPECT_EQ(caller.error().message.find("tg-secre"), std::string::npos);
  }
}

TEST(Authenticate, WithoutKeysEveryoneIsLetInAsNobody) {
  const Config config;
  const Result<Caller> caller = KeyTable(config).authenticate("");
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller.value().team, NameId::none);
}

TEST(Authenticate, AKeyMayBeLimitedToModels) {
  const Config config = with_key("k", {"auto", "home/*"});
  const Caller caller = KeyTable(config).authenticate("Bearer k").value();
  EXPECT_TRUE(may_use(caller, "auto"));
  EXPECT_TRUE(may_use(caller, "home/llama"));
  EXPECT_FALSE(may_use(caller, "claude/opus"));
}

}  // namespace
}  // namespace tollgate
