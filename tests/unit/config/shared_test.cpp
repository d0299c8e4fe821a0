// The section `shared`.
#include <gtest/gtest.h>

#include <fstream>

#include "loading.hpp"

namespace tollgate {
namespace {

using testing::error_of;
using testing::loaded;
using testing::minimal;

std::string shared(const std::string& members) {
  return minimal + "budgets: [{name: b, limit_usd: 1, per: day}]\nshared: {" + members + "}\n";
}

bool says(const std::string& message, std::string_view part) { return message.find(part) != std::string::npos; }

TEST(SharedSection, AUrlSaysWhereTheStoreIs) {
  const SharedConfig plain = *loaded(shared("url: \"redis://redis\""))->shared;
  EXPECT_EQ(plain.host, "redis");
  EXPECT_EQ(plain.port, 6379);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.on_loss, OnLoss::refuse);
  EXPECT_EQ(plain.where, "redis://redis:6379");
  const SharedConfig full = *loaded(shared("url: \"rediss://ann:p%40ss@[fd00::1]:7000/3\""))->shared;
  EXPECT_EQ(full.host, "fd00::1");
  EXPECT_EQ(full.port, 7000);
  EXPECT_TRUE(full.tls);
  EXPECT_EQ(full.database, 3U);
  EXPECT_EQ(full.user, "ann");
  EXPECT_EQ(full.password.reveal(), "p@ss");
  EXPECT_EQ(full.where, "rediss://[fd00::1]:7000");
  const SharedConfig socket = *loaded(shared("url: \"unix:///run/redis.sock?db=2\""))->shared;
  EXPECT_EQ(socket.socket_path, "/run/redis.sock");
  EXPECT_EQ(socket.database, 2U);
}

TEST(SharedSection, WhatIsNoUrlIsNeverQuoted) {
  for (const char* const wrong : {"http://secret@x", "redis://", "redis://secret@x:99999", "redis://x/one", "unix://redis.sock", "redis://%zz@x", "redis"}) {
    const std::string error = error_of(shared("url: \"" + std::string(wrong) + "\""));
    EXPECT_TRUE(says(error, "was expected")) << wrong << ": " << error;
    EXPECT_FALSE(says(error, "secret")) << error;
  }
}

TEST(SharedSection, EveryMemberIsRead) {
  const SharedConfig all = *loaded(shared("url: \"rediss://x\", user: ann, password: p, ca_file: ca.pem, key_prefix: \"t:\", gateway: gw-1, on_loss: local, "
                                          "timeout_seconds: 2, report_seconds: 0.5, grant_wait_seconds: 4, grace_seconds: 5, gateways_min: 3"))
                               ->shared;
  EXPECT_EQ(all.user, "ann");
  EXPECT_EQ(all.password.reveal(), "p");
  EXPECT_EQ(all.ca_file, "ca.pem");
  EXPECT_EQ(all.key_prefix, "t:");
  EXPECT_EQ(all.gateway, "gw-1");
  EXPECT_EQ(all.on_loss, OnLoss::local);
  EXPECT_EQ(all.timeout, std::chrono::seconds{2});
  EXPECT_EQ(all.report, std::chrono::milliseconds{500});
  EXPECT_EQ(all.grant_wait, std::chrono::seconds{4});
  EXPECT_EQ(all.grace, std::chrono::seconds{5});
  EXPECT_EQ(all.gateways_min, 3U);
}

TEST(SharedSection, APasswordMayStandInAFile) {
  const std::string path = ::testing::TempDir() + "tollgate-shared-password";
  std::ofstream(path) << "from-a-file\n";
  EXPECT_EQ(loaded(shared("url: \"redis://x\", password_file: \"" + path + "\""))->shared->password.reveal(), "from-a-file");
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", password: p, password_file: \"" + path + "\"")), "keep one of the two"));
  std::remove(path.c_str());
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", password_file: \"" + path + "\"")), "cannot be opened"));
}

TEST(SharedSection, AnErrorSaysWhatWouldBeRight) {
  EXPECT_TRUE(says(error_of(shared("on_loss: refuse")), "url"));
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", user: ann")), "a user has a password"));
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", ca_file: a")), "only rediss://"));
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", grace_seconds: 0.3")), "at least twice report_seconds"));
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", gateway: \"a b\"")), "letters, digits"));
  EXPECT_TRUE(says(error_of(shared("url: \"redis://x\", key_prefix: \"a b\"")), "printable"));
  EXPECT_TRUE(says(error_of(minimal + "shared: {url: \"redis://x\"}\n"), "neither budgets nor limits"));
  EXPECT_TRUE(says(error_of(minimal + "air_gap: true\nbudgets: [{name: b, limit_usd: 1, per: day}]\nshared: {url: \"redis://cache.example.com\"}\n"), "no private address"));
}

TEST(SharedSection, ABudgetOrALimitMayStayThisGatewaysOwn) {
  const ConfigPtr config = loaded(minimal + "budgets: [{name: b, limit_usd: 1, per: day, shared: false}]\nlimits: [{name: l, requests_per_minute: 1, shared: false}]\n");
  EXPECT_FALSE(config->budgets[0].shared);
  EXPECT_FALSE(config->limits[0].shared);
  EXPECT_TRUE(loaded(shared("url: \"redis://x\""))->budgets[0].shared);
}

}  // namespace
}  // namespace tollgate
