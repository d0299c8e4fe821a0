#include "config/file_watch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tollgate {
namespace {

namespace fs = std::filesystem;

class FileWatching : public ::testing::Test {
 protected:
  FileWatching() : folder_(fs::temp_directory_path() / ("tollgate-watch-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write(file(), "one");
  }
  ~FileWatching() override { fs::remove_all(folder_); }
  [[nodiscard]] fs::path file(const std::string& name = "tollgate.yaml") const { return folder_ / name; }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static int changes(FileWatch& watch, int polls) {
    int changes = 0;
    for (int i = 0; i < polls; ++i) changes += watch.poll() ? 1 : 0;
    return changes;
  }
  fs::path folder_;
};

TEST_F(FileWatching, AQuietFileIsNoChange) {
  FileWatch watch(file());
  EXPECT_EQ(changes(watch, 5), 0);
}

TEST_F(FileWatching, AWriteIsToldOnceAndOnlyWhenItHasSettled) {
  FileWatch watch(file());
  write(file(), "two, longer");
  EXPECT_FALSE(watch.poll());
  write(file(), "three, longer still");
  EXPECT_FALSE(watch.poll()) << "still being written";
  EXPECT_TRUE(watch.poll());
  EXPECT_EQ(changes(watch, 3), 0);
}

TEST_F(FileWatching, ARenameOverItIsAChange) {
  FileWatch watch(file());
  write(file("new"), "two");  // same size, other inode
  fs::rename(file("new"), file());
  EXPECT_EQ(changes(watch, 4), 1);
}

TEST_F(FileWatching, ASwappedLinkIsAChange) {  // as Kubernetes updates a mounted ConfigMap
  fs::create_directories(folder_ / "v1");
  fs::create_directories(folder_ / "v2");
  write(folder_ / "v1" / "c.yaml", "one");
  write(folder_ / "v2" / "c.yaml", "two");
  fs::create_directory_symlink("v1", folder_ / "..data");
  fs::create_symlink("..data/c.yaml", folder_ / "c.yaml");
  FileWatch watch(folder_ / "c.yaml");
  fs::create_directory_symlink("v2", folder_ / "..tmp");
  fs::rename(folder_ / "..tmp", folder_ / "..data");
  EXPECT_EQ(changes(watch, 4), 1);
}

TEST_F(FileWatching, AMissingFileIsNoChangeUntilItIsBack) {
  FileWatch watch(file());
  fs::rename(file(), file("kept"));
  EXPECT_EQ(changes(watch, 3), 0);
  fs::rename(file("kept"), file());
  EXPECT_EQ(changes(watch, 3), 0) << "the same file came back";
  fs::remove(file());
  write(file(), "another text");
  EXPECT_EQ(changes(watch, 3), 1);
}

}  // namespace
}  // namespace tollgate
