// The law of pools as a property: whatever happens in whatever order, what is billed is what is attributed, idle or
// rounding.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "metrics/gpu_pool.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;

struct Event {
  enum class What { begin, end, withdraw, rate } what = What::begin;
  int run = 0;
  std::int64_t at_ns = 0;
  std::uint32_t weight = 1;
  Int128 rate = 0;
  std::int64_t hours = 1;
};

struct Outcome {
  std::map<int, Usd> charges;
  PoolStatus status;
  friend bool operator==(const Outcome& a, const Outcome& b) {
    return a.charges == b.charges && a.status.billed == b.status.billed && a.status.attributed == b.status.attributed &&
           a.status.idle == b.status.idle && a.status.busy_gpu_time == b.status.busy_gpu_time;
  }
};

void expect_law(GpuPool& pool, MonoTime now) {
  const GpuPool::Audit audit = pool.audit(now);
  ASSERT_EQ(audit.billed - audit.settled - audit.running - audit.idle - audit.carried, Int128{0});
  ASSERT_GE(audit.carried, Int128{0});
  const PoolStatus status = pool.status(now);
  ASSERT_EQ(status.billed, status.attributed + status.idle + status.cold_start + status.rounding);
  const Int128 bound = static_cast<Int128>(audit.charges) / 2 + 4;
  ASSERT_LE(status.rounding.picodollars(), bound);
  ASSERT_GE(status.rounding.picodollars(), -bound);
}

Outcome play(const std::vector<Event>& events, std::int64_t end_ns) {
  GpuPool pool(testing::pool_of("law", 4'980'000'000'017, 7), at(0));
  std::map<int, GpuPool::Run> runs;
  Outcome outcome;
  UsdSum charged;
  for (const Event& event : events) {
    const MonoTime now = at(event.at_ns);
    switch (event.what) {
      case Event::What::begin:
        runs[event.run] = pool.begin(now, event.weight);
        break;
      case Event::What::end:
        charged += outcome.charges[event.run] = pool.end(runs.at(event.run), now).charge;
        break;
      case Event::What::withdraw:
        pool.withdraw(runs.at(event.run), now);
        break;
      case Event::What::rate:
        pool.change_rate(testing::pool_of("law", event.rate, event.hours), now);
        break;
    }
    expect_law(pool, now);
  }
  outcome.status = pool.status(at(end_ns));
  EXPECT_EQ(outcome.status.in_flight, 0);
  EXPECT_EQ(outcome.status.attributed, charged);
  expect_law(pool, at(end_ns));
  return outcome;
}

std::vector<Event> schedule(std::mt19937_64& random, int runs, std::int64_t span_ns, std::int64_t grain_ns) {
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  const auto moment = [&] { return below(span_ns / grain_ns) * grain_ns; };
  std::vector<Event> events;
  for (int run = 0; run < runs; ++run) {
    const std::int64_t begin = moment();
    const std::int64_t end = std::min(begin + moment() / 10, span_ns);
    const auto weight = static_cast<std::uint32_t>(below(3) == 0 ? 1 + below(1000) : 1);
    events.push_back({Event::What::begin, run, begin, weight});
    events.push_back({below(20) == 0 ? Event::What::withdraw : Event::What::end, run, end});
  }
  for (int i = 0; i < 3; ++i) {
    Event change{Event::What::rate, 0, moment()};
    change.rate = below(3) == 0 ? 0 : static_cast<Int128>(below(1'000'000'000'000'000)) * (1 + below(100));
    change.hours = 1 + below(9000);
    events.push_back(change);
  }
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at_ns < b.at_ns; });
  return events;
}

/// Events of one moment in another order; a run still begins before it ends.
void shuffle_ties(std::vector<Event>& events, std::mt19937_64& random) {
  for (std::size_t from = 0; from < events.size();) {
    std::size_t to = from;
    while (to < events.size() && events[to].at_ns == events[from].at_ns) ++to;
    const auto first = events.begin() + static_cast<std::ptrdiff_t>(from);
    const auto last = events.begin() + static_cast<std::ptrdiff_t>(to);
    // Rate changes of one moment keep their order: the last one holds.
    std::vector<Event> rates;
    std::copy_if(first, last, std::back_inserter(rates), [](const Event& e) { return e.what == Event::What::rate; });
    std::shuffle(first, last, random);
    std::size_t next_rate = 0;
    for (auto event = first; event != last; ++event) {
      if (event->what == Event::What::rate) *event = rates[next_rate++];
    }
    for (auto event = first; event != last; ++event) {
      if (event->what == Event::What::begin || event->what == Event::What::rate) continue;
      const auto begin = std::find_if(
          event, last, [&](const Event& e) { return e.what == Event::What::begin && e.run == event->run; });
      if (begin != last) std::iter_swap(event, begin);
    }
    from = to;
  }
}

TEST(Conservation, HoldsAtEveryInstantOfRandomSchedules) {
  std::mt19937_64 random(testing::seed());
  for (int round = 0; round < 60; ++round) {
    const std::int64_t span = round % 3 == 0 ? 86'400'000'000'000 : 50'000'000'000;
    play(schedule(random, 200, span, round % 2 == 0 ? 1 : 1'000'000'000), span);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Conservation, TheOrderOfEventsAtOneMomentDoesNotMatter) {
  std::mt19937_64 random(testing::seed() + 1);
  for (int round = 0; round < 40; ++round) {
    std::vector<Event> events = schedule(random, 150, 30'000'000'000, 1'000'000'000);  // 300 events in 30 moments
    const Outcome first = play(events, 30'000'000'000);
    for (int again = 0; again < 3; ++again) {
      shuffle_ties(events, random);
      ASSERT_EQ(play(events, 30'000'000'000), first);
    }
  }
}

TEST(Conservation, HoldsWhileWeightsFollowTheTokens) {
  std::mt19937_64 random(testing::seed() + 3);
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
  };
  for (int round = 0; round < 20; ++round) {
    Pool rented = testing::pool_of("law", 4'980'000'000'017, 7, 3);
    rented.token_weights = {1 + below(50'000), 1 + below(5'000)};
    GpuPool pool(rented, at(0));
    std::vector<GpuPool::Run> runs;
    UsdSum charged;
    std::int64_t now = 0;
    for (int event = 0; event < 2000; ++event) {
      now += below(3) == 0 ? 0 : below(2'000'000'000);
      const auto any = [&]() -> GpuPool::Run& { return runs[static_cast<std::size_t>(below(std::ssize(runs)))]; };
      switch (runs.empty() ? 0 : below(6)) {
        case 0:
          runs.push_back(pool.begin(at(now), ExpectedWork{below(200'000), below(2'000), below(3) != 0}));
          break;
        case 1:
          (void)pool.first_token(any(), at(now));
          break;
        case 2:
        case 3:
          (void)pool.decoded(any(), below(500), std::chrono::nanoseconds{below(1'000'000'000)}, at(now));
          break;
        case 4:
          std::swap(any(), runs.back());
          below(10) == 0 ? pool.withdraw(runs.back(), at(now)) : void(charged += pool.end(runs.back(), at(now)).charge);
          runs.pop_back();
          break;
        default:  // another calibration while they run
          if (below(20) == 0) {
            rented.token_weights = {1 + below(50'000), 1 + below(5'000)};
            if (below(3) == 0) rented.token_weights = {};
          }
          pool.change_rate(rented, at(now));
      }
      expect_law(pool, at(now));
      if (::testing::Test::HasFatalFailure()) return;
    }
    for (const GpuPool::Run& run : runs) {
      const Usd charge = pool.end(run, at(now)).charge;
      EXPECT_GE(charge, Usd{});
      charged += charge;
    }
    EXPECT_EQ(pool.status(at(now)).attributed, charged);
  }
}

TEST(Conservation, LookingDoesNotChangeTheBill) {
  std::mt19937_64 random(testing::seed() + 2);
  GpuPool watched(testing::pool_of("w", 999'999'999'937, 8760), at(0));
  GpuPool alone(testing::pool_of("a", 999'999'999'937, 8760), at(0));
  std::int64_t now = 0;
  for (int i = 0; i < 20'000; ++i) (void)watched.status(at(now += static_cast<std::int64_t>(random() % 100'000)));
  EXPECT_EQ(watched.status(at(now)).billed, alone.status(at(now)).billed);
  EXPECT_EQ(watched.status(at(now)).idle, alone.status(at(now)).idle);
}

}  // namespace
}  // namespace tollgate
