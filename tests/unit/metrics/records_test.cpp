#include "metrics/records.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "testing.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t noon = 1'800'000'000'000'000;  // a moment of 2027, far from the clock of this test's run

TEST(RequestId, RisesEvenWhenTheClockGoesBack) {
  RequestId last = next_request_id(200, noon);
  for (const std::int64_t now : {noon + 1, noon, noon - 3'600'000'000, noon + 5'000}) {
    const RequestId next = next_request_id(200, now);
    EXPECT_GT(next, last);
    last = next;
  }
}

TEST(RequestId, IsUniqueOverReactorsAndThreads) {
  std::vector<std::vector<RequestId>> ids(4);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&mine = ids[i], i] {
      for (int n = 0; n < 20'000; ++n)
        mine.push_back(next_request_id(210 + i / 2, noon));  // two threads per reactor, one moment
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<RequestId> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 80'000U);
}

TEST(RequestId, IsAboveWhatTheLedgerHolds) {
  const RequestId used = next_request_id(220, noon + 10'000'000);
  raise_request_ids_above(used);
  for (unsigned reactor = 0; reactor < reactors_max; ++reactor) EXPECT_GT(next_request_id(reactor), used);
}

TEST(RequestId, HasATextOfSeventeenCharacters) {
  EXPECT_EQ(text(RequestId{0}).view(), "req_0000000000000");
  EXPECT_EQ(text(RequestId{31}).view(), "req_000000000000Z");
  EXPECT_EQ(text(RequestId{32}).view(), "req_0000000000010");
  EXPECT_EQ(text(RequestId{INT64_MAX}).view(), "req_7ZZZZZZZZZZZZ");
}

TEST(RowResult, IsOkOrAFault) {
  EXPECT_TRUE(RowResult::ok().is_ok());
  EXPECT_EQ(RowResult::ok().name(), "ok");
  EXPECT_EQ(RowResult::of(Fault::client_gone).name(), "client_gone");
}

TEST(OpenRequest, CostsWhatItsAttemptsCost) {
  OpenRequest request;
  request.row.attempts = 2;
  request.attempts[0].charge[ChargeKind::input] = Usd{3};
  request.attempts[1].charge[ChargeKind::gpu] = Usd{4};
  request.attempts[2].charge[ChargeKind::gpu] = Usd{100};  // left from an earlier use of the slot
  EXPECT_EQ(request.total(), Usd{7});
}

}  // namespace
}  // namespace tollgate
