#include "config/snapshot.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::minimal;

const std::string broken = "version: 1\nbackends: {}\n";

class Snapshot : public ::testing::Test {
 protected:
  Snapshot() : holder_(testing::loaded(minimal), "test.yaml", testing::environment_of({})) {}
  ConfigHolder holder_;
};

TEST_F(Snapshot, AGoodReloadTakesEffect) {
  const auto outcome = holder_.reload_text(minimal + "attempts_max: 5\n", ReloadCause::asked);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome.value().changed);
  EXPECT_EQ(holder_.current()->attempts_max, 5U);
  EXPECT_EQ(holder_.generation(), 2U);
  EXPECT_EQ(holder_.status().reloads, 1U);
  EXPECT_TRUE(holder_.status().last_reload_ok);
}

TEST_F(Snapshot, ABadReloadKeepsTheOldOneAndSaysWhy) {
  const ConfigPtr before = holder_.current();
  const auto outcome = holder_.reload_text(broken, ReloadCause::asked);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().fault, Fault::bad_config);
  EXPECT_EQ(holder_.current(), before);
  EXPECT_EQ(holder_.generation(), 1U);
  EXPECT_FALSE(holder_.status().last_reload_ok);
  EXPECT_EQ(holder_.status().reloads_failed, 1U);
  EXPECT_THAT(holder_.status().last_error, HasSubstr("test.yaml:2:11: backends: names no backend"));
}

TEST_F(Snapshot, AnUnchangedFileIsNotLoadedAgain) {
  const auto outcome = holder_.reload_text(minimal, ReloadCause::file_changed);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome.value().changed);
  EXPECT_EQ(holder_.generation(), 1U);
}

TEST_F(Snapshot, WhoAsksGetsAReloadEvenOfTheSameText) {
  EXPECT_TRUE(holder_.reload_text(minimal, ReloadCause::asked).value().changed);
  EXPECT_EQ(holder_.generation(), 2U);
}

TEST_F(Snapshot, ARefusedFileIsRefusedOnce) {
  ASSERT_FALSE(holder_.reload_text(broken, ReloadCause::file_changed));
  EXPECT_FALSE(holder_.reload_text(broken, ReloadCause::file_changed).value().changed);
  EXPECT_EQ(holder_.status().reloads_failed, 1U);
  EXPECT_FALSE(holder_.status().last_reload_ok);
}

TEST_F(Snapshot, TakingABadEditBackMakesAllWell) {
  ASSERT_FALSE(holder_.reload_text(broken, ReloadCause::file_changed));
  ASSERT_TRUE(holder_.reload_text(minimal, ReloadCause::file_changed));
  EXPECT_TRUE(holder_.status().last_reload_ok);
  EXPECT_EQ(holder_.status().last_error, "");
}

TEST_F(Snapshot, WhatNeedsAStartIsNamed) {
  const auto outcome = holder_.reload_text(
      minimal + "server: {listen: \"127.0.0.1:8081\", drain_seconds: 1}\nledger: {url: \"sqlite:b.db\"}\n",
      ReloadCause::asked);
  EXPECT_THAT(outcome.value().at_next_start, ElementsAre("server.listen", "ledger.url"));
}

TEST_F(Snapshot, AMissingFileIsAFailedReload) {
  ConfigHolder holder(testing::loaded(minimal), "/nowhere/tollgate.yaml", testing::environment_of({}));
  EXPECT_FALSE(holder.reload(ReloadCause::asked));
  EXPECT_EQ(holder.status().reloads_failed, 1U);
  EXPECT_NE(holder.current(), nullptr);
}

TEST_F(Snapshot, AFileIsReadAgain) {
  const auto path =
      std::filesystem::temp_directory_path() / ("tollgate-snapshot-" + std::to_string(::getpid()) + ".yaml");
  std::ofstream(path) << minimal << "attempts_max: 2\n";
  ConfigHolder holder(testing::loaded(minimal), path.string(), testing::environment_of({}));
  ASSERT_TRUE(holder.reload(ReloadCause::file_changed));
  EXPECT_EQ(holder.current()->attempts_max, 2U);
  std::filesystem::remove(path);
}

TEST_F(Snapshot, AViewSeesTheNewOneAndKeepsTheOldAlive) {
  ConfigView view(holder_);
  const ConfigPtr old = view.current();
  ASSERT_TRUE(holder_.reload_text(minimal + "attempts_max: 5\n", ReloadCause::asked));
  EXPECT_EQ(view.current()->attempts_max, 5U);
  EXPECT_EQ(old->attempts_max, 3U);
}

TEST_F(Snapshot, ReadersAndReloadsMayMeet) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      ConfigView view(holder_);
      while (!stop) EXPECT_GE(view.current()->attempts_max, 1U);
    });
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(holder_.reload_text(minimal + "attempts_max: " + std::to_string(1 + i % 5) + "\n", ReloadCause::asked));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(holder_.generation(), 51U);
}

}  // namespace
}  // namespace tollgate
