#include "gateway/spool.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

PassThroughConfig rules(std::size_t bytes_max = 100'000'000) {
  PassThroughConfig made;
  made.spool_dir = ::testing::TempDir();
  made.spool_bytes_max = bytes_max;
  return made;
}

TEST(Spool, ASmallBodyStaysInMemory) {
  const PassThroughConfig config = rules();
  Spool spool(config);
  ASSERT_TRUE(spool.append("ab"));
  ASSERT_TRUE(spool.append("cd"));
  EXPECT_EQ(spool.whole().value(), "abcd");
  EXPECT_FALSE(spool.on_disk());
  EXPECT_EQ(Spool::bytes_on_disk(), 0U);
}

TEST(Spool, ALargeOneIsOnDiskAndReadAsOnePiece) {
  const PassThroughConfig config = rules();
  {
    Spool spool(config);
    std::string all;
    for (int i = 0; i < 40; ++i) {
      const std::string piece(65'537, static_cast<char>('a' + i % 26));
      ASSERT_TRUE(spool.append(piece));
      all += piece;
    }
    EXPECT_TRUE(spool.on_disk());
    EXPECT_EQ(Spool::bytes_on_disk(), all.size());
    EXPECT_TRUE(spool.whole().value() == all);
  }
  EXPECT_EQ(Spool::bytes_on_disk(), 0U) << "nothing of it is kept";
}

TEST(Spool, AllTogetherAreBounded) {
  const PassThroughConfig config = rules(3'000'000);
  Spool first(config), second(config);
  ASSERT_TRUE(first.append(std::string(2'000'000, 'x')));
  const Result<void> refused = second.append(std::string(2'000'000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(http_status_of(refused.error()), 503);
}

TEST(Spool, ADirectoryThatCannotBeWrittenIsTold) {
  PassThroughConfig config = rules();
  config.spool_dir = "/proc/nowhere";
  Spool spool(config);
  EXPECT_EQ(http_status_of(spool.append(std::string(2'000'000, 'x')).error()), 503);
}

}  // namespace
}  // namespace tollgate
