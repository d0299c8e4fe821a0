// Rules over the whole configuration.
#include <gtest/gtest.h>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using testing::error_of;
using testing::loaded;
using testing::minimal;

std::string one_backend(const std::string& inside, const std::string& sections = "") {
  return "version: 1\nbackends: {b: {dialect: vllm, models: {m: {}}, " + inside + "}}\n" + sections;
}

TEST(Check, AnOpenAddressNeedsAKey) {
  const std::string key = "auth: {keys: [{name: a, sha256: " + std::string(64, 'a') + "}]}\n";
  const std::string open = "server: {listen: \"0.0.0.0:8080\"}\n";
  EXPECT_NE(error_of(minimal + open).find("auth.keys is empty"), std::string::npos);
  EXPECT_NE(error_of(minimal + open + "auth: {keys: []}\n").find("auth.keys is empty"), std::string::npos);
  EXPECT_EQ(loaded(minimal + open + key)->keys.size(), 1U);
}

TEST(Check, AnyFreePortMayBeAskedForTwice) {
  EXPECT_EQ(
      loaded(minimal + "server: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n")->admin.listen.port, 0);
}

TEST(Check, AnAirGapLetsOnlyPrivateAddressesThrough) {
  const std::string gap = "air_gap: true\n";
  for (const std::string url : {"http://10.0.0.1:8000", "http://gpu-a", "https://engine.internal", "http://[::1]:1"}) {
    EXPECT_TRUE(loaded(one_backend("url: \"" + url + "\"", gap))->air_gap) << url;
  }
  EXPECT_TRUE(loaded(one_backend("simulated: {}", gap))->air_gap);
  for (const std::string url :
       {"http://8.8.8.8", "https://api.example.com", "http://169.254.169.254", "http://[2001:db8::1]"}) {
    EXPECT_NE(error_of(one_backend("url: \"" + url + "\"", gap)).find("air_gap is on"), std::string::npos) << url;
    EXPECT_FALSE(loaded(one_backend("url: \"" + url + "\""))->air_gap) << url;
  }
}

TEST(Check, AConstraintOnATeamThatDoesNotExistWouldNeverApplyAndIsRefused) {
  const std::string constraint = "constraints: [{name: c, when: {team: legl}, require: {trust: internal}}]\n";
  const std::string key = "auth: {keys: [{name: a, team: legal, sha256: " + std::string(64, 'a') + "}]}\n";
  EXPECT_NE(error_of(minimal + key + constraint).find("did you mean 'legal'?"), std::string::npos);
}

TEST(Check, AmongIsEveryTargetByDefault) {
  const ConfigPtr config = loaded(
      "version: 1\nbackends: {b: {dialect: vllm, simulated: {}, models: {x: {}, y: {}}}}\nroutes: [{name: r}]\n");
  EXPECT_EQ(config->routes[0].among, (std::vector<std::size_t>{0, 1}));
  EXPECT_TRUE(config->virtual_models.empty());
}

TEST(Check, ATargetIsSplitAtItsFirstSlash) {
  const ConfigPtr config =
      loaded("version: 1\nbackends: {b: {dialect: vllm, simulated: {}, models: {meta/llama:8b: {}}}}\n");
  const Target* const target = config->find_target("b/meta/llama:8b");
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(text(target->model), "meta/llama:8b");
}

TEST(Check, TiersHaveTheirNames) {
  EXPECT_EQ(name_of(Tier::simple), "SIMPLE");
  EXPECT_EQ(name_of(Tier::reasoning), "REASONING");
}

}  // namespace
}  // namespace tollgate
