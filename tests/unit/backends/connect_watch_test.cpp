#include "backends/connect_watch.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

using Now = ConnectWatch::Now;
const Now start = Now{} + std::chrono::hours{1};
const Now later = start + ConnectWatch::slow_after + std::chrono::milliseconds{1};

TEST(ConnectWatch, AConnectThatTakesLongIsStuckAndItsEndIsNot) {
  ConnectWatch watch;
  EXPECT_FALSE(watch.stuck(later));
  {
    const ConnectWatch::Making making(&watch, start);
    EXPECT_FALSE(watch.stuck(start + ConnectWatch::slow_after));
    EXPECT_TRUE(watch.stuck(later));
  }
  EXPECT_FALSE(watch.stuck(later)) << "it failed, or its client left: nobody is trying";
}

TEST(ConnectWatch, OneThatComesAboutClearsTheOthers) {
  ConnectWatch watch;
  const ConnectWatch::Making old(&watch, start);
  ConnectWatch::Making fresh(&watch, later);
  ASSERT_TRUE(watch.stuck(later));
  fresh.made();
  EXPECT_FALSE(watch.stuck(later));
}

TEST(ConnectWatch, AnotherThatFailsDoesNot) {
  ConnectWatch watch;
  const ConnectWatch::Making old(&watch, start);
  { const ConnectWatch::Making fresh(&watch, later); }
  EXPECT_TRUE(watch.stuck(later));
}

TEST(ConnectWatch, NobodyNeedsToWatch) {
  ConnectWatch::Making making(nullptr, start);
  making.made();
}

}  // namespace
}  // namespace tollgate
