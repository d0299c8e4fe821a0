#include "gateway/stored_objects.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tollgate {
namespace {

NameId name(const char* text) { return Names::global().intern(text); }

class StoredObjectsFile : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }
  const std::string path_ = ::testing::TempDir() + "objects-" + std::to_string(::getpid());
};

TEST_F(StoredObjectsFile, WhoMadeItAndWhereOutlivesTheProcess) {
  {
    StoredObjects objects;
    EXPECT_EQ(objects.open(path_).value(), 0U);
    objects.add("file-1", {name("red"), name("openai")});
    objects.add("file-2", {name("red"), name("openai")});
    objects.remove("file-2");
  }
  StoredObjects objects;
  EXPECT_EQ(objects.open(path_).value(), 0U);
  EXPECT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects.find("file-1")->team, name("red"));
  EXPECT_EQ(objects.find("file-1")->backend, name("openai"));
  EXPECT_FALSE(objects.find("file-2"));
}

TEST_F(StoredObjectsFile, TheFirstOwnerStays) {
  StoredObjects objects;
  objects.add("file-1", {name("red"), name("openai")});
  objects.add("file-1", {name("blue"), name("openai")});
  EXPECT_EQ(objects.find("file-1")->team, name("red"));
}

TEST_F(StoredObjectsFile, NoFileIsMadeForNothing) {
  StoredObjects objects;
  EXPECT_TRUE(objects.open(path_));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(StoredObjectsFile, HalfALineIsLeftOutAndCounted) {
  {
    StoredObjects objects;
    EXPECT_TRUE(objects.open(path_));
    objects.add("file-1", {name("red"), name("openai")});
  }
  std::ofstream(path_, std::ios::app) << "{\"id\":\"file-2\",\"te";
  StoredObjects objects;
  EXPECT_EQ(objects.open(path_).value(), 1U);
  EXPECT_TRUE(objects.find("file-1"));
}

}  // namespace
}  // namespace tollgate
