#include "config/as_written.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "config/config.hpp"

namespace tollgate {
namespace {

const Environment environment = [](std::string_view name) -> std::optional<std::string> {
  if (name == "OPENAI_API_KEY") return "sk-from-the-environment-1";
  if (name == "GPU_URL") return "http://10.0.0.7:8000";
  return std::nullopt;
};

constexpr std::string_view secret = "sk-live-0123456789abcdef";

std::string config_with(const std::string& backend, const std::string& more = "") {
  return "version: 1\nbackends:\n  openai:\n    dialect: openai\n" + backend +
         "    models: {m: {capability: 1.0, context_tokens: 1000}}\nroutes:\n  - {name: all, among: [openai/m]}\n" + more;
}

std::string shown(const std::string& yaml) {
  const Result<ConfigPtr> config = load_text(yaml, "test", environment);
  EXPECT_TRUE(config) << config.error().message;
  return read_as_written(yaml, environment).text;
}

bool has(const std::vector<std::string>& all, const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

TEST(AsWritten, AVariableStaysAndASecretThatStandsThereIsReplaced) {
  const std::string yaml = config_with("    api_key: ${OPENAI_API_KEY}\n    # the old one\n");
  EXPECT_EQ(shown(yaml), yaml);
  const std::string with_secret = config_with("    api_key: " + std::string(secret) + "   # ours\n");
  const std::string text = shown(with_secret);
  EXPECT_EQ(text.find(secret), std::string::npos);
  EXPECT_NE(text.find("api_key: \"${TOLLGATE_KEPT_1:?"), std::string::npos) << text;
  EXPECT_NE(text.find("   # ours\n"), std::string::npos) << "the rest stays";
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), std::count(with_secret.begin(), with_secret.end(), '\n')) << "lines keep their numbers";
}

TEST(AsWritten, AddressesOfStoresStayButForThoseThatHoldAPassword) {
  const std::string limits = "limits: [{name: l, each: key, requests_per_minute: 9}]\n";
  const std::string yaml = config_with("    api_key: ${OPENAI_API_KEY}\n", limits + "shared: {url: redis://redis:6379}\nledger: {url: postgresql://me@db/x, password: \"${OPENAI_API_KEY}\"}\n");
  EXPECT_EQ(shown(yaml), yaml);
  const std::string text = shown(config_with("    api_key: ${OPENAI_API_KEY}\n", limits + "shared: {url: \"redis://:" + std::string(secret) + "@redis:6379\"}\n"));
  EXPECT_EQ(text.find(secret), std::string::npos) << text;
  EXPECT_NE(text.find("TOLLGATE_KEPT_1"), std::string::npos) << text;
}

TEST(AsWritten, NoWayOfWritingASecretGetsItOut) {
  const std::string s(secret);
  const std::vector<std::string> ways{"    api_key: '" + s + "'\n", "    api_key: \"" + s + "\"\n", "    api_key: \"sk\\x2dlive-0123456789abcdef\"\n", "    api_key: >-\n      " + s + "\n",
                                      "    api_keys: [" + s + ", sk-live-another-0123456789]\n", "    api_key: ${OPENAI:-" + s + "}\n", "    api_key: &k " + s + "\n",
                                      "    api_key: " + s + "\n    # api_key: sk-old-9\n    # was " + s + "\n    # and AKIAIOSFODNN7EXAMPLE123\n"};
  for (const std::string& backend : ways) {
    const std::string text = shown(config_with(backend));
    for (const char* const part : {"sk-live", "x2dlive", "0123456789", "sk-old", "AKIA"}) EXPECT_EQ(text.find(part), std::string::npos) << backend << text;
  }
}

TEST(AsWritten, WhatLooksLikeACommentWithinQuotesStays) {
  const std::string yaml = config_with("    api_key: ${OPENAI_API_KEY}\n", "constraints:\n  - {name: c, when: {keywords: [\"top # token: classified\"]}, action: reject}\n");
  EXPECT_EQ(shown(yaml), yaml);
}

TEST(AsWritten, AShortSecretThatCannotBeFoundIsNotShownAtAll) {
  EXPECT_EQ(shown(config_with("    api_key: none\n")).find("api_key: none"), std::string::npos);
  EXPECT_EQ(shown(config_with("    api_key: >-\n      abc\n")), "");
}

TEST(AsWritten, WhatIsShownLoadsAgainWithMadeUpSecretsAndNothingElseOfTheEnvironment) {
  const std::string yaml = config_with("    api_key: " + std::string(secret) + "\n", "auth:\n  keys:\n    - {name: web, team: web, sha256: " + std::string(64, 'a') + "}\n");
  const AsWritten written = read_as_written(yaml, environment);
  const std::string edited = written.text + "# ${HOME:-x} ${NEW_KEY}\n";
  const std::vector<std::string> given = environment_for(edited, written);
  const Environment copy = [&](std::string_view name) -> std::optional<std::string> {
    for (const std::string& each : given) {
      if (each.starts_with(std::string(name) + "=")) return each.substr(name.size() + 1);
    }
    return std::nullopt;
  };
  const Result<ConfigPtr> again = load_text(edited, "edited", copy);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NE(again.value()->backends.front().api_key.reveal(), secret);
  EXPECT_FALSE(copy("HOME"));
  EXPECT_TRUE(copy("NEW_KEY"));
  EXPECT_FALSE(load_text(edited, "edited", environment)) << "deployed as it is, the copy says what is missing";
}

TEST(AsWritten, VariablesOutsideOfSecretsKeepTheirValues) {
  const AsWritten written = read_as_written(config_with("    url: ${GPU_URL}\n    api_key: ${OPENAI_API_KEY}\n"), environment);
  const std::vector<std::string> given = environment_for("a: ${OPENAI_API_KEY}\nb: ${GPU_URL}\nc: ${LD_PRELOAD}\n", written);
  EXPECT_TRUE(has(given, "GPU_URL=http://10.0.0.7:8000"));
  EXPECT_EQ(given.size(), 2U);
  EXPECT_FALSE(has(given, "OPENAI_API_KEY=sk-from-the-environment-1"));
}

TEST(AsWritten, FilesThatTheFileInForceDoesNotNameAreForeign) {
  AsWritten in_force;
  in_force.files = {"/run/secrets/openai"};
  EXPECT_TRUE(foreign_files("a: {api_key_file: /run/secrets/openai}", in_force).empty());
  const auto found = foreign_files("x: &f {api_key_file: /etc/shadow}\nprices: {file: /etc/passwd}\ny: {<<: *f}\n", in_force);
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found[0].path, "/etc/shadow");
  EXPECT_EQ(found[0].place.line, 1U);
  EXPECT_EQ(found[1].path, "/etc/passwd");
}

}  // namespace
}  // namespace tollgate
