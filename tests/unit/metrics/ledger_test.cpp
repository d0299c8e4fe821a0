// The ledger as the gateway sees it: through Accounts. Group commits, full slots, full disks, restarts.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "metrics/ledger_slots.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::closing;
using testing::ended;
using testing::Folder;
using testing::ledger_at;
using testing::must_open;
using testing::opened;
using testing::Reader;
using testing::usage_of;

struct Sums {
  Int128 charged = 0;
  std::int64_t requests = 0, attempts = 0;
};

/// One random request from open to settle, by the rules a gateway keeps.
void random_request(Accounts& accounts, unsigned reactor, std::mt19937_64& random, Sums& sums) {
  static const Target managed = [] {
    Target target = testing::target_of("cloud/large");
    target.prices = testing::prices_of(2'500'000, 10'000'001);
    target.prices->cached_input = UsdPerToken{1'250'003};
    return target;
  }();
  static const Target local = testing::target_of("pool/small");
  static const Backend cloud{};
  static const Backend pool = [] {
    Backend backend;
    backend.pool = testing::pool_of("pool", 4'980'000'000'123, 7);
    return backend;
  }();
  Books& books = accounts.books(reactor);
  OpenRequest& request = must_open(books, accounts, opened(reactor, random() % 2 == 0 ? "red" : "blue"));
  books.decided(request, Names::global().intern("auto"), 0.3F, Tier::medium);
  const auto attempts = random() % 4;
  for (std::uint64_t i = 0; i < attempts; ++i) {
    const bool is_local = random() % 2 == 0;
    books.begin_attempt(request, is_local ? local : managed, is_local ? pool : cloud, std::chrono::steady_clock::now());
    Usage usage = usage_of(static_cast<std::int64_t>(random() % 100'000), static_cast<std::int64_t>(random() % 5'000));
    usage.cached_input = TokenCount{static_cast<std::int64_t>(random() % 1'000)};
    if (random() % 3 == 0) books.progress(request, usage, UsageSource::continuous);
    const RowResult result = random() % 2 == 0 ? RowResult::ok() : RowResult::of(static_cast<Fault>(random() % 26));
    const auto source = static_cast<UsageSource>(random() % 4);
    sums.charged +=
        books.end_attempt(request, ended(result, usage, source), std::chrono::steady_clock::now()).total().count();
  }
  sums.attempts += static_cast<std::int64_t>(attempts);
  ++sums.requests;
  books.settle(request, closing());
}

/// All samples of a family in an exposition, added up.
double sum_of(const std::string& exposition, const std::string& family) {
  double sum = 0;
  for (std::size_t at = exposition.find("\n" + family + "{"); at != std::string::npos;
       at = exposition.find("\n" + family + "{", at + 1)) {
    sum += std::stod(exposition.substr(exposition.find("} ", at) + 2));
  }
  return sum;
}

TEST(Ledger, HoldsExactlyWhatWasSettledFromEveryReactor) {
  const Folder folder;
  const auto accounts = testing::start(ledger_at(folder.file("a.db"), 64), 3);
  std::vector<Sums> sums(3);
  std::vector<std::thread> reactors;
  for (unsigned i = 0; i < 3; ++i) {
    reactors.emplace_back([&accounts, &mine = sums[i], i] {
      std::mt19937_64 random(testing::seed() + i);
      for (int n = 0; n < 1'000; ++n) random_request(*accounts, i, random, mine);
    });
  }
  for (std::thread& reactor : reactors) reactor.join();
  accounts->flush();
  Sums all;
  for (const Sums& mine : sums) {
    all.charged += mine.charged;
    all.requests += mine.requests;
    all.attempts += mine.attempts;
  }
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.number("SELECT count(*) FROM request"), all.requests);
  EXPECT_EQ(reader.number("SELECT count(*) FROM attempt"), all.attempts);
  EXPECT_EQ(reader.number(testing::sum_pusd), static_cast<std::int64_t>(all.charged));
  const LedgerStatus status = accounts->ledger();
  EXPECT_EQ(status.rows_committed, static_cast<std::uint64_t>(all.requests + all.attempts));
  EXPECT_EQ(status.requests_waiting, 0U);
  EXPECT_EQ(status.duplicates, 0U);
  const std::string exposition = accounts->render_metrics();
  EXPECT_NEAR(sum_of(exposition, "tollgate_spend_usd_total"), static_cast<double>(all.charged) / 1e12, 1e-9);
  EXPECT_EQ(sum_of(exposition, "tollgate_requests_total"), static_cast<double>(all.requests));
  const PoolStatus pool = accounts->pools().at(0);
  EXPECT_EQ(pool.attributed, UsdSum(Int128{reader.number("SELECT sum(gpu_pusd) FROM attempt")}));
  EXPECT_EQ(pool.billed, pool.attributed + pool.idle + pool.cold_start + pool.rounding);
}

TEST(Ledger, CommitsOnItsOwnWithinAnInterval) {
  const Folder folder;
  const auto accounts = testing::start(ledger_at(folder.file("a.db")));
  std::mt19937_64 random(1);
  Sums sums;
  for (int round = 0; round < 3; ++round) {  // each round wakes a thread that went to sleep
    random_request(*accounts, 0, random, sums);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (accounts->ledger().requests_waiting > 0 && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    EXPECT_EQ(accounts->ledger().requests_waiting, 0U);
  }
}

TEST(Ledger, AFullSetOfSlotsMakesTheNextWaitNotFail) {
  const Folder folder;
  LedgerConfig config = ledger_at(folder.file("a.db"), 2);
  config.commit_interval = std::chrono::seconds{100};
  const auto accounts = testing::start(config);
  Books& books = accounts->books(0);
  OpenRequest* const first = books.open(opened());
  ASSERT_NE(first, nullptr);
  ASSERT_NE(books.open(opened()), nullptr);
  EXPECT_EQ(books.open(opened()), nullptr);
  EXPECT_TRUE(books.can_record());
  books.settle(*first, closing());
  accounts->flush();
  EXPECT_NE(books.open(opened()), nullptr);
}

TEST(Ledger, RunningShortOfSlotsCommitsBeforeTheIntervalIsOver) {
  const Folder folder;
  LedgerConfig config = ledger_at(folder.file("a.db"), 8);
  config.commit_interval = std::chrono::seconds{3'600};
  const auto accounts = testing::start(config);
  Books& books = accounts->books(0);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  int done = 0;
  while (done < 200 && std::chrono::steady_clock::now() < give_up) {
    if (OpenRequest* const request = books.open(opened())) {
      books.settle(*request, closing());
      ++done;
    } else {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(done, 200);
}

TEST(Ledger, ARequestThatFindsNoSlotHurriesTheCommit) {
  const Folder folder;
  LedgerConfig config = ledger_at(folder.file("a.db"), 8);
  config.commit_interval = std::chrono::seconds{3'600};
  const auto accounts = testing::start(config);
  Books& books = accounts->books(0);
  for (int i = 0; i < 7; ++i) (void)books.open(opened());  // long streams
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  int done = 0;
  while (done < 20 && std::chrono::steady_clock::now() < give_up) {
    if (OpenRequest* const request = books.open(opened())) {
      books.settle(*request, closing());
      ++done;
    } else {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(done, 20);
}

TEST(Ledger, AnOrderlyEndCommitsEverythingAndLeavesNoSlots) {
  const Folder folder;
  std::mt19937_64 random(testing::seed());
  Sums sums;
  {
    const auto accounts = testing::start(ledger_at(folder.file("a.db")), 2);
    for (int i = 0; i < 100; ++i) random_request(*accounts, static_cast<unsigned>(i % 2), random, sums);
  }
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.number("SELECT count(*) FROM request"), 100);
  EXPECT_EQ(reader.number(testing::sum_pusd), static_cast<std::int64_t>(sums.charged));
  EXPECT_FALSE(std::filesystem::exists(slot_file_path(folder.file("a.db"), 0)));
  EXPECT_FALSE(std::filesystem::exists(slot_file_path(folder.file("a.db"), 1)));
}

TEST(Ledger, ARequestStillOpenAtTheEndIsSettledByTheNextStart) {
  const Folder folder;
  {
    const auto accounts = testing::start(ledger_at(folder.file("a.db")), 2);
    ASSERT_NE(accounts->books(1).open(opened(1)), nullptr);
  }
  const auto accounts = testing::start(ledger_at(folder.file("a.db")), 1);  // fewer reactors now
  EXPECT_EQ(accounts->recovery().open, 1U);
  Reader reader(folder.file("a.db"));
  EXPECT_EQ(reader.text("SELECT result||recovered||team FROM requests"), "internal1red");
  EXPECT_FALSE(std::filesystem::exists(slot_file_path(folder.file("a.db"), 1)));
}

TEST(Ledger, IdsOfANewRunAreAboveThoseOfTheLedger) {
  const Folder folder;
  const RequestId far = next_request_id(0, 3'500'000'000'000'000);  // an earlier run whose clock was decades ahead
  {
    const auto accounts = testing::start(ledger_at(folder.file("a.db")));
    RequestOpened request = opened();
    request.id = far;
    accounts->books(0).settle(*accounts->books(0).open(request), closing());
  }
  const auto accounts = testing::start(ledger_at(folder.file("a.db")));
  EXPECT_GT(next_request_id(17), far);
}

TEST(Ledger, RefusesASecondProcess) {
  const Folder folder;
  const auto accounts = testing::start(ledger_at(folder.file("a.db")));
  const auto second = Accounts::start(ledger_at(folder.file("a.db")), 1);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

TEST(Ledger, RefusesNumbersThatMakeNoSense) {
  const Folder folder;
  EXPECT_FALSE(Accounts::start(ledger_at(folder.file("a.db")), 0).has_value());
  EXPECT_FALSE(Accounts::start(ledger_at(folder.file("a.db")), reactors_max + 1).has_value());
  EXPECT_FALSE(Accounts::start(ledger_at(folder.file("a.db"), 0), 1).has_value());
}

TEST(Ledger, AMovedFileStopsTheRecordingAndSaysWhy) {
  const Folder folder;
  const auto accounts = testing::start(ledger_at(folder.file("a.db")));
  std::filesystem::rename(folder.file("a.db"), folder.file("b.db"));
  Books& books = accounts->books(0);
  books.settle(*books.open(opened()), closing());
  accounts->flush();
  EXPECT_FALSE(books.can_record());
  EXPECT_EQ(books.open(opened()), nullptr);
  EXPECT_NE(accounts->ledger().error.find("moved or deleted"), std::string::npos);
  EXPECT_EQ(accounts->ledger().requests_waiting, 1U);
  std::filesystem::rename(folder.file("b.db"), folder.file("a.db"));
  accounts->flush();
  EXPECT_TRUE(books.can_record());
  EXPECT_EQ(accounts->ledger().requests_waiting, 0U);
}

/// Runs in a process of its own: nothing may be written past a file size, until it may again. Returns 0 if all went
/// well.
int live_through_a_full_disk(const std::string& path) {
  ::signal(SIGXFSZ, SIG_IGN);
  const auto accounts = testing::start(ledger_at(path, 4096));
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = 256 * 1024;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::mt19937_64 random(7);
  Sums sums;
  Books& books = accounts->books(0);
  for (int i = 0; i < 200'000 && books.can_record(); ++i) {
    if (OpenRequest* const request = books.open(opened())) {
      books.settle(*request, closing());
      ++sums.requests;
    } else if (books.can_record()) {
      accounts->flush();
    }
  }
  if (books.can_record()) return 1;
  if (books.open(opened()) != nullptr) return 2;
  if (accounts->ledger().error.empty() || accounts->ledger().writable) return 3;
  limit.rlim_cur = before;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  accounts->flush();
  if (!books.can_record()) return 4;
  if (Reader(path).number("SELECT count(*) FROM request") != sums.requests) return 5;
  return books.open(opened()) == nullptr ? 6 : 0;
}

TEST(Ledger, AFullDiskRefusesNewRequestsAndLosesNone) {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(live_through_a_full_disk(folder.file("a.db")));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Ledger, DamageIsReportedAndTheRestIsTaken) {
  const Folder folder;
  const std::string path = folder.file("a.db");
  (void)opened();   // interns its names before the ledger starts, as a configuration does: a name made later dies with its process
  const pid_t child = ::fork();
  if (child == 0) {
    LedgerConfig config = ledger_at(path, 16);
    config.commit_interval = std::chrono::seconds{3'600};
    const auto accounts = testing::start(config);
    accounts->books(0).settle(*accounts->books(0).open(opened()), closing());
    (void)accounts->books(0).open(opened());
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  {
    std::fstream file(slot_file_path(path, 0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(slot_header_bytes + offsetof(RequestRow, arrived_us)));
    file.put('\x55');
  }
  const auto accounts = testing::start(ledger_at(path));
  EXPECT_EQ(accounts->recovery().damaged, 1U);
  EXPECT_EQ(accounts->recovery().open, 1U);
  ASSERT_EQ(accounts->recovery().set_aside.size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(accounts->recovery().set_aside[0]));
}

}  // namespace
}  // namespace tollgate
