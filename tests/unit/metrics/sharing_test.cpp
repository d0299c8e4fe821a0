// Several gateways' budgets and limits in one process, each with its own ledger, over one real store: requests from many threads
// never pass what all of them share.
#include "metrics/shared/sharing.hpp"

#include <atomic>

#include "metrics/shared/redis_store.hpp"
#include "redis_server.hpp"

namespace tollgate {
namespace {

using testing::RedisServer;

NameId id(std::string_view name) { return Names::global().intern(name); }

Budget day_budget(std::string_view name, std::int64_t picodollars) {
  Budget budget;
  budget.name = id(name);
  budget.limit = Usd{picodollars};
  budget.period = BudgetPeriod::day;
  budget.zone = find_time_zone("UTC").value();
  return budget;
}

SharedConfig quick(SharedConfig config) {
  config.report = std::chrono::milliseconds{20};
  config.grace = std::chrono::milliseconds{100};
  config.grant_wait = std::chrono::milliseconds{2'000};
  config.timeout = std::chrono::milliseconds{500};
  return config;
}

/// A gateway as far as money goes.
struct Station {
  Station(const SharedConfig& shared, const std::string& name, std::vector<Budget> all, std::vector<RateLimit> rates = {}) {
    config.ledger = testing::ledger_at(folder.file("ledger.db"));
    testing::start(config.ledger)->flush();
    config.budgets = std::move(all);
    config.limits = std::move(rates);
    const auto wake = [this] {
      if (Sharing* const there = waker.load()) there->wake();
    };
    budgets.share_with(shared, wake);
    limits.share_with(wake);
    EXPECT_TRUE(budgets.adopt(config, [] {}, BudgetClock::now()).has_value());
    limits.adopt(config, std::chrono::steady_clock::now());
    sharing = std::make_unique<Sharing>(std::make_unique<RedisStore>(shared), shared, Sharing::Shared{budgets, limits}, name,
                                        [](const SharingStatus&) {});
    waker = sharing.get();
  }
  ~Station() { waker = nullptr; }

  /// As a request does: looks again until it holds or is refused.
  Admission admit(BudgetHold& hold, Usd worst) {
    std::vector<StepNeed> steps{{id("a/x"), worst, true, worst, true, NameId::none}};
    const Payer payer{id("key"), id("team"), id("auto"), id("direct")};
    const MonoTime begun = std::chrono::steady_clock::now();
    for (;;) {
      const BudgetClock now = BudgetClock::now();
      const Admission admission = hold.admit(payer, next_request_id(0), now.wall_us, steps, now);
      if (admission.outcome != Admission::Outcome::wait || now.mono - begun > std::chrono::seconds{3}) return admission;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  }
  [[nodiscard]] BudgetStatus status(std::size_t index = 0) { return budgets.status(BudgetClock::now()).at(index); }

  testing::Folder folder;
  Config config;
  Budgets budgets;
  RateLimits limits;
  std::atomic<Sharing*> waker{nullptr};
  std::unique_ptr<Sharing> sharing;
};

template <class Question>
bool soon(const Question& question) {
  for (int i = 0; i < 2'000; ++i) {
    if (question()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

TEST(Sharing, ThreeGatewaysNeverPassOneBudgetAndUseNearlyAllOfIt) {
  const std::uint64_t seed = testing::seed();
  RedisServer server;
  const SharedConfig shared = quick(server.config());
  constexpr std::int64_t limit = 3'000'000'000'000;
  std::vector<std::unique_ptr<Station>> stations;
  for (const char* const name : {"a", "b", "c"}) {
    stations.push_back(std::make_unique<Station>(shared, name, std::vector<Budget>{day_budget("all", limit), day_budget("roomy", limit * 10)}));
  }
  std::atomic<std::int64_t> spent{0}, held{0}, refused{0};
  std::atomic<bool> passed{false};
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 12; ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(seed + i);
      Station& station = *stations[i % 3];
      for (int refusals = 0; refusals < 3;) {
        const std::int64_t worst = 1'000'000'000 + static_cast<std::int64_t>(random() % 20'000'000'000);
        BudgetHold hold(station.budgets);
        const Admission admission = station.admit(hold, Usd{worst});
        if (admission.outcome != Admission::Outcome::held) {
          ++refusals;
          ++refused;
          EXPECT_TRUE(admission.refusal->shared);
          continue;
        }
        held += worst;
        if (spent + held > limit) passed = true;
        AttemptCost cost;
        cost.target = id("a/x");
        cost.usd = Usd{static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(worst + 1))};
        held -= worst;
        spent += static_cast<std::int64_t>(cost.usd.picodollars());
        hold.charge(cost);
        hold.settle();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(passed);
  EXPECT_LE(spent.load(), limit);
  EXPECT_GE(spent.load(), limit / 10 * 9);
  EXPECT_GE(refused.load(), 36);
  for (const auto& station : stations) {
    EXPECT_TRUE(soon([&] { return station->status().spent == UsdSum{Usd{spent.load()}}; })) << "all know what all have spent";
    EXPECT_EQ(station->status().shared->gateways, 3U);
  }
  // What is not spent goes back when a gateway stops; the others can have it.
  stations[1]->sharing->stop();
  stations[2]->sharing->stop();
  const std::int64_t left = limit - spent;
  if (left > 1) {
    BudgetHold rest(stations[0]->budgets);
    EXPECT_EQ(stations[0]->admit(rest, Usd{left}).outcome, Admission::Outcome::held);
  }
}

TEST(Sharing, AGatewayThatNeverReachedTheStoreHoldsNothing) {
  testing::Folder folder;
  SharedConfig nowhere;
  nowhere.socket_path = folder.file("nobody.sock");
  nowhere.where = "nowhere";
  nowhere = quick(nowhere);
  nowhere.grant_wait = std::chrono::milliseconds{100};
  Station station(nowhere, "a", {day_budget("all", 1'000)});
  BudgetHold hold(station.budgets);
  const Admission admission = station.admit(hold, Usd{10});
  EXPECT_NE(admission.outcome, Admission::Outcome::held);
  EXPECT_TRUE(admission.refusal->unreachable);
  EXPECT_TRUE(soon([&] { return !station.sharing->status().error.empty(); }));
  EXPECT_FALSE(station.sharing->status().reached);
  nowhere.on_loss = OnLoss::local;
  Station alone(nowhere, "b", {day_budget("all", 1'000)});
  BudgetHold held(alone.budgets);
  EXPECT_EQ(alone.admit(held, Usd{1'000}).outcome, Admission::Outcome::held);
  BudgetHold more(alone.budgets);
  EXPECT_NE(alone.admit(more, Usd{1}).outcome, Admission::Outcome::held);
}

TEST(Sharing, ARollingBudgetCountsWhatOthersSpent) {
  RedisServer server;
  const SharedConfig shared = quick(server.config());
  Budget rolls = day_budget("rolls", 1'000);
  rolls.period = BudgetPeriod::rolling;
  rolls.rolling = std::chrono::hours{24};
  rolls.zone = nullptr;
  Station a(shared, "a", {rolls}), b(shared, "b", {rolls});
  {
    BudgetHold hold(a.budgets);
    ASSERT_EQ(a.admit(hold, Usd{700}).outcome, Admission::Outcome::held);
    AttemptCost cost;
    cost.target = id("a/x");
    cost.usd = Usd{600};
    hold.charge(cost);
  }
  ASSERT_TRUE(soon([&] { return b.status().spent == UsdSum{Usd{600}}; }));
  BudgetHold too_much(b.budgets), fits(b.budgets);
  const Admission refused = b.admit(too_much, Usd{401});
  EXPECT_EQ(refused.outcome, Admission::Outcome::refused);
  EXPECT_NE(refused.refusal->resets_us, BudgetWindows::never);
  EXPECT_EQ(b.admit(fits, Usd{400}).outcome, Admission::Outcome::held);
}

TEST(Sharing, AGatewayWithNothingToReportKnowsWhetherTheStoreIsThere) {
  RedisServer server;
  const SharedConfig shared = quick(server.config());
  RateLimit limit;
  limit.name = id("all");
  limit.each = RateLimit::Each::all;
  limit.requests_per_minute = 200;
  Station idle(shared, "idle", {}, {limit});
  EXPECT_TRUE(soon([&] { return idle.sharing->status().reached; }));
  server.stop();
  EXPECT_TRUE(soon([&] { return !idle.sharing->status().reached; }));
  server.start();
  EXPECT_TRUE(soon([&] { return idle.sharing->status().reached; }));
}

TEST(Sharing, OneBucketServesAllGateways) {
  RedisServer server;
  const SharedConfig shared = quick(server.config());
  RateLimit limit;
  limit.name = id("all");
  limit.each = RateLimit::Each::all;
  limit.requests_per_minute = 200;
  limit.tokens_per_minute = 1'000'000;
  Station a(shared, "a", {}, {limit}), b(shared, "b", {}, {limit});
  std::atomic<int> served{0};
  const MonoTime begun = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      Station& station = i % 2 == 0 ? a : b;
      const Payer payer{id("key"), id("team"), id("auto"), id("direct")};
      for (int refusals = 0; refusals < 20;) {
        RatePermit permit(station.limits);
        const std::optional<RateRefusal> refused = permit.admit(payer, 10, std::chrono::steady_clock::now());
        if (!refused) {
          ++served;
          permit.settle(12, std::chrono::steady_clock::now());
          continue;
        }
        if (!refused->for_lease) ++refusals;
        EXPECT_TRUE(refused->retry_after.has_value());
        std::this_thread::sleep_for(std::chrono::milliseconds{2});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto passed_ms = (std::chrono::steady_clock::now() - begun) / std::chrono::milliseconds{1};
  EXPECT_LE(served.load(), 200 + 200 * passed_ms / 60'000 + 1);
  EXPECT_GE(served.load(), 190);
}

}  // namespace
}  // namespace tollgate
