// The pools' bill across restarts of the gateway: orderly ends and kills, time without a gateway, hours.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_sqlite.hpp"
#include "metrics/pool_recorder.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::at;
using testing::second_ns;

constexpr Int128 dollar = 1'000'000'000'000;
constexpr std::int64_t hour_ns = 3600 * second_ns;
constexpr std::int64_t day_0 = 20'000 * 24 * hour_ns;  // wall clock: a midnight

void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

/// One life of a gateway, as far as its pools are concerned. Its clock starts anew each time, as after a reboot.
class Life {
 public:
  Life(const std::string& path, const Config& config, std::int64_t wall_ns, const std::map<NameId, UsdSum>& lost = {})
      : path_(path), wall_at_start_(wall_ns), wall_ns_(wall_ns) {
    auto opened = SqliteLedger::open(path);
    if (!opened) throw std::runtime_error(opened.error().message);
    ledger_ = std::move(opened).value();
    must(ledger_->begin());
    must(take_in_pools(*ledger_, read_pool_file(path), lost));
    must(ledger_->write_names());
    must(ledger_->commit());
    auto clocks = ledger_->pool_clocks();
    auto file = PoolFile::create(path);
    if (!clocks || !file) throw std::runtime_error("cannot resume");
    pools_.resume(std::move(file).value(), std::move(clocks).value(), [this] { return wall_ns_; });
    pools_.adopt(config, now());
    record();
  }

  [[nodiscard]] MonoTime now() const { return at(hour_ns + wall_ns_ - wall_at_start_); }
  void pass(std::int64_t nanoseconds) { wall_ns_ += nanoseconds; }
  GpuPool& pool(const Config& config, std::size_t i = 0) { return pools_.of(*config.backends[i].pool, now()); }
  Pools& pools() { return pools_; }
  void record() {
    must(ledger_->begin());
    must(recorder_->write(*ledger_));
    must(ledger_->commit());
    recorder_->written();
  }
  /// Written, but killed before the commit or before the pools know of it.
  void record_and_die(bool committed) {
    must(ledger_->begin());
    must(recorder_->write(*ledger_));
    if (committed) {
      must(ledger_->commit());
    } else {
      ledger_->rollback();
    }
    die();
  }
  /// Killed: what stands in the pool file stays there.
  void die() {
    const std::string file = pool_file_path(path_), kept = file + ".kept";
    std::filesystem::copy_file(file, kept, std::filesystem::copy_options::overwrite_existing);
    recorder_.reset();
    std::filesystem::rename(kept, file);
  }

 private:
  const std::string path_;
  const std::int64_t wall_at_start_;
  std::int64_t wall_ns_;
  std::unique_ptr<SqliteLedger> ledger_;
  Pools pools_;
  MonoClock clock_ = [this] { return now(); };
  std::unique_ptr<PoolRecorder> recorder_ = std::make_unique<PoolRecorder>(pools_, clock_);
};

Config config_of(std::vector<Pool> pools) {
  Config config;
  for (Pool& pool : pools) {
    Backend backend;
    backend.name = pool.name;
    backend.pool = std::move(pool);
    config.backends.push_back(std::move(backend));
  }
  return config;
}

PoolHoursReport report_of(const std::string& path, std::vector<PoolDimension> by) {
  auto reader = LedgerReader::open(path);
  if (!reader) throw std::runtime_error(reader.error().message);
  auto report = reader.value()->pool_hours({0, INT64_MAX / 2, std::move(by)});
  if (!report) throw std::runtime_error(report.error().message);
  for (const PoolHoursRow& row : report.value().rows) EXPECT_EQ(row.lines.billed, row.lines.sum()) << row.labels[0];
  return std::move(report).value();
}
PoolLines total_of(const std::string& path) { return report_of(path, {PoolDimension::pool}).total; }

class PoolRestart : public ::testing::Test {
 protected:
  const testing::Folder folder_;
  const std::string path_ = folder_.file("a.db");
  const Config rented_ = config_of({testing::pool_of("rented", 3600 * dollar)});  // a dollar a second
};

TEST_F(PoolRestart, RentedHardwareIsBilledWhileNoGatewayRuns) {
  {
    Life first(path_, rented_, day_0);
    first.pass(10 * second_ns);
    first.record();
  }
  {
    Life second(path_, rented_, day_0 + 100 * second_ns);
    second.pass(5 * second_ns);
    second.record();
  }
  const PoolLines lines = total_of(path_);
  EXPECT_EQ(lines.billed, UsdSum(105 * dollar));
  EXPECT_EQ(lines.idle, UsdSum(15 * dollar));
  EXPECT_EQ(lines.down, UsdSum(90 * dollar));
  EXPECT_EQ(lines.down_gpu_time, GpuTime{90'000'000});
}

TEST_F(PoolRestart, TimeWithoutAGatewayIsNotBilledWhereTheConfigurationSaysSo) {
  Config config = rented_;
  config.backends[0].pool->billed_while_down = false;
  {
    Life first(path_, config, day_0);
    first.pass(10 * second_ns);
    first.record();
  }
  Life second(path_, config, day_0 + 100 * second_ns);
  second.pass(5 * second_ns);
  second.record();
  EXPECT_EQ(total_of(path_).billed, UsdSum(15 * dollar));
}

TEST_F(PoolRestart, NoMoreThan31DaysWithoutAGatewayAreBilled) {
  { Life first(path_, rented_, day_0); }
  Life second(path_, rented_, day_0 + 40 * 24 * hour_ns);
  EXPECT_EQ(total_of(path_).billed, UsdSum(31 * 24 * 3600 * dollar));
}

TEST_F(PoolRestart, APoolThatWasNotConfiguredMeanwhileIsNotBilledForThatTime) {
  { Life first(path_, rented_, day_0); }
  { Life without(path_, config_of({}), day_0 + 10 * second_ns); }
  Life again(path_, rented_, day_0 + 1000 * second_ns);
  EXPECT_EQ(total_of(path_).billed, UsdSum{});
}

TEST_F(PoolRestart, EveryHourIsBilledExactlyOnce) {
  {
    Life first(path_, rented_, day_0 + hour_ns / 2);
    first.pass(3 * hour_ns);
    first.record();
  }
  Life second(path_, rented_, day_0 + 7 * hour_ns + 1);
  second.record();
  const PoolHoursReport report = report_of(path_, {PoolDimension::hour});
  ASSERT_EQ(report.rows.size(), 8U);
  EXPECT_EQ(report.rows[0].labels[0], "2024-10-04T00:00Z");
  EXPECT_EQ(report.rows[0].lines.billed, UsdSum(1800 * dollar));
  for (std::size_t i = 1; i < 7; ++i) EXPECT_EQ(report.rows[i].lines.billed, UsdSum(3600 * dollar)) << i;
  EXPECT_EQ(report.rows[3].lines.idle, UsdSum(1800 * dollar));
  EXPECT_EQ(report.rows[3].lines.down, UsdSum(1800 * dollar));
  EXPECT_EQ(report.rows[7].lines.billed, UsdSum(1000));  // a nanosecond
}

TEST_F(PoolRestart, AKilledGatewayLosesNothingOfWhatItHadSeen) {
  UsdSum lost;
  {
    Life first(path_, rented_, day_0);
    const GpuPool::Run ended = first.pool(rented_).begin(first.now());
    first.pass(10 * second_ns);
    EXPECT_EQ(first.pool(rented_).end(ended, first.now()).charge, Usd{static_cast<std::int64_t>(10 * dollar)});
    const GpuPool::Run open = first.pool(rented_).begin(first.now());
    first.pass(7 * second_ns);
    lost = UsdSum{} + GpuPool::charge_between(open.began_at, first.pool(rented_).touch(first.now()), open.weight);
    first.pass(100 * second_ns);  // nobody looks any more
    first.die();
  }
  Life second(path_, rented_, day_0 + 200 * second_ns, {{rented_.backends[0].pool->name, lost}});
  const PoolLines lines = total_of(path_);
  EXPECT_EQ(lines.billed, UsdSum(200 * dollar));
  EXPECT_EQ(lines.attributed, UsdSum(17 * dollar));
  EXPECT_EQ(lines.down, UsdSum(183 * dollar));
}

TEST_F(PoolRestart, AKillBetweenWritingAndKnowingBillsNothingTwiceAndLosesNothing) {
  std::int64_t wall = day_0;
  for (const bool committed : {true, false, true}) {
    Life life(path_, rented_, wall);
    life.pass(40 * second_ns);
    life.record();
    life.pass(20 * second_ns);
    (void)life.pool(rented_).touch(life.now());
    life.record_and_die(committed);
    wall += 100 * second_ns;
  }
  Life last(path_, rented_, wall);
  const PoolLines lines = total_of(path_);
  EXPECT_EQ(lines.billed, UsdSum(300 * dollar));
  EXPECT_EQ(lines.idle, UsdSum(180 * dollar));
  EXPECT_EQ(lines.down, UsdSum(120 * dollar));
}

TEST_F(PoolRestart, AWorkerThatWasUpIdlesOutWithoutAGateway) {
  Pool pool = testing::pool_of("serverless", 3600 * dollar);
  pool.billing = Billing::serverless;
  pool.serverless.cold_start = std::chrono::seconds{4};
  pool.serverless.idle_timeout = std::chrono::seconds{60};
  const Config config = config_of({pool});
  {
    Life first(path_, config, day_0);
    const GpuPool::Run run = first.pool(config).begin(first.now());
    first.pass(14 * second_ns);
    (void)first.pool(config).end(run, first.now());
    first.pass(20 * second_ns);
    first.record();
  }
  Life second(path_, config, day_0 + hour_ns);
  const PoolLines lines = total_of(path_);
  EXPECT_EQ(lines.billed, UsdSum(74 * dollar));
  EXPECT_EQ(lines.attributed, UsdSum(10 * dollar));
  EXPECT_EQ(lines.idle, UsdSum(20 * dollar));
  EXPECT_EQ(lines.down, UsdSum(40 * dollar));
}

/// Random lives of a gateway with one pool of every kind.
class RandomLives {
 public:
  RandomLives(std::string path, std::uint64_t seed) : path_(std::move(path)), random_(seed) {
    Pool rented = testing::pool_of("r", 3 * 4'980'000'000'017, 7, 6);  // three replicas of two GPUs
    Pool owned = testing::pool_of("o", 1'331'811'263'318'113, 8760);
    owned.billing = Billing::owned;
    Pool serverless = testing::pool_of("s", 3'949'200'000'001);
    serverless.billing = Billing::serverless;
    serverless.serverless = {
        milliseconds{7'300}, below(2) == 0, milliseconds{31'000}, milliseconds{45'000}, milliseconds{1'000}, 3, 2};
    Pool reported = testing::pool_of("c", 2'610'000'000'000);
    reported.billing = Billing::reported;
    config_ = config_of({rented, owned, serverless, reported});
  }

  void live(int lives) {
    for (int i = 0; i < lives; ++i) {
      Life life(path_, config_, wall_, lost_);
      lost_.clear();
      last_wall_ = wall_;
      go(life);
      end(life);
      wall_ += below(3) == 0 ? 0 : below(4 * hour_ns);
    }
    Life last(path_, config_, wall_, lost_);
    last_wall_ = wall_;
  }

  const Config& config() const { return config_; }
  UsdSum charged(std::size_t pool) const { return charged_[pool]; }
  std::int64_t began() const { return began_; }
  std::int64_t ended() const { return last_wall_; }

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }

  void pass(Life& life) {
    const std::int64_t step = below(20) == 0 ? below(2 * hour_ns) : below(30 * second_ns);
    life.pass(step);
    wall_ += step;
  }
  void go(Life& life) {
    open_.assign(4, {});
    for (int event = 0; event < 300; ++event) {
      pass(life);
      const auto i = static_cast<std::size_t>(below(4));
      GpuPool& pool = life.pool(config_, i);
      std::vector<GpuPool::Run>& open = open_[i];
      if (below(40) == 0) {
        life.record();
      } else if (open.empty() || below(2) == 0) {
        open.push_back(pool.begin(life.now(), static_cast<std::uint32_t>(1 + below(70'000))));
      } else {
        std::swap(open[static_cast<std::size_t>(below(static_cast<std::int64_t>(open.size())))], open.back());
        close(life, i, open.back());
        open.pop_back();
      }
    }
  }
  void close(Life& life, std::size_t i, const GpuPool::Run& run) {
    GpuPool& pool = life.pool(config_, i);
    Usd charge;
    if (config_.backends[i].pool->billing == Billing::reported) {
      charge = pool.end_reported(run, GpuTime{below(90'000'000)}, life.now()).value();
    } else {
      charge = pool.end(run, life.now()).charge;
    }
    EXPECT_GE(charge, Usd{});
    charged_[i] += charge;
  }
  /// An orderly end closes all; a kill leaves runs open, which are charged up to the last thing that was seen.
  void end(Life& life) {
    if (below(2) == 0) {
      for (std::size_t i = 0; i < open_.size(); ++i) {
        for (const GpuPool::Run& run : open_[i]) close(life, i, run);
      }
      life.record();
      return;
    }
    pass(life);
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (config_.backends[i].pool->billing == Billing::reported) continue;  // nobody knows what they cost
      const GpuPool::Value seen = life.pool(config_, i).touch(life.now());
      for (const GpuPool::Run& run : open_[i]) {
        const Usd charge = GpuPool::charge_between(run.began_at, seen, run.weight);
        charged_[i] += charge;
        lost_[config_.backends[i].pool->name] += charge;
      }
    }
    pass(life);
    below(3) == 0 ? life.die() : life.record_and_die(below(2) == 0);
  }

  const std::string path_;
  std::mt19937_64 random_;
  Config config_;
  const std::int64_t began_ = day_0 + 1234567891;
  std::int64_t wall_ = began_, last_wall_ = began_;
  std::vector<std::vector<GpuPool::Run>> open_;
  std::array<UsdSum, 4> charged_{};
  std::map<NameId, UsdSum> lost_;
};

TEST_F(PoolRestart, MoneyIsConservedToThePicodollarThroughRandomLives) {
  for (std::uint64_t round = 0; round < 4; ++round) {
    const std::string path = folder_.file("round" + std::to_string(round) + ".db");
    constexpr int lives = 12;
    RandomLives lived(path, testing::seed() + round);
    lived.live(lives);
    const PoolHoursReport report = report_of(path, {PoolDimension::pool});  // and every row sums to its bill
    (void)report_of(path, {PoolDimension::pool, PoolDimension::hour});
    ASSERT_EQ(report.rows.size(), 4U);
    for (const PoolHoursRow& row : report.rows) {
      for (std::size_t i = 0; i < 4; ++i) {
        const Pool& pool = *lived.config().backends[i].pool;
        if (text(pool.name) != row.labels[0]) continue;
        EXPECT_EQ(row.lines.attributed, lived.charged(i)) << row.labels[0];
        if (pool.billing != Billing::dedicated && pool.billing != Billing::owned) continue;
        // Whatever happened: all the time from the first start to the last is in it once.
        const Int128 time = lived.ended() - lived.began();
        const Int128 exact = pool.rate_picodollars * time / (Int128{hour_ns} * pool.rate_denominator);
        const Int128 off = row.lines.billed.picodollars() - exact;
        EXPECT_LE(off, Int128{0}) << row.labels[0];
        EXPECT_GE(off, Int128{-lives - 1}) << row.labels[0] << ": less than a picodollar a start";
      }
    }
  }
}

}  // namespace
}  // namespace tollgate
