// A process that writes requests is killed at a random moment, again and again, on one ledger. What it said it had
// settled (through a pipe, before and after each settle) must be in the ledger once, with the charge it was told.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <thread>

#include "testing.hpp"

namespace tollgate {
namespace {

struct Word {
  enum class What : std::int64_t { opened, settling, settled } what;
  std::int64_t id;
  std::int64_t charge;
};

void say(int pipe, Word::What what, RequestId id, Usd charge = {}) {
  const Word word{what, static_cast<std::int64_t>(id), charge.count()};
  if (::write(pipe, &word, sizeof word) != sizeof word) ::_exit(1);
}

/// Writes requests until it is killed. Opens several at once, so that some are open at any moment.
[[noreturn]] void write_requests(const std::string& path, int pipe, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  LedgerConfig config = testing::ledger_at(path, 128);
  config.commit_interval = std::chrono::milliseconds{random() % 4};
  const auto accounts = testing::start(config, 1 + static_cast<unsigned>(random() % 3));
  Books& books = accounts->books(0);
  Target managed = testing::target_of("cloud/m" + std::to_string(random() % 5));  // names in another order each run
  managed.prices = testing::prices_of(1'000, 3'000);
  const Target local = testing::target_of("pool/small");
  Backend cloud, home;
  home.pool = testing::pool_of("pool", 3'600'000'000'000'000);
  for (const char* team : {"red", "blue"})
    (void)testing::opened(0, team);  // interns its names, as loading a configuration does
  auto config_now = std::make_shared<Config>();
  config_now->backends = {cloud, home};
  if (!accounts->adopt(config_now)) ::_exit(2);
  std::vector<OpenRequest*> open;
  for (;;) {
    const bool take = open.size() < 20 && (open.empty() || random() % 2 == 0);
    if (take) {
      const RequestOpened request = testing::opened(0, random() % 2 == 0 ? "red" : "blue");
      OpenRequest* const slot = books.open(request);
      if (slot == nullptr) continue;
      say(pipe, Word::What::opened, request.id);
      const bool is_local = random() % 2 == 0;
      books.begin_attempt(*slot, is_local ? local : managed, is_local ? home : cloud, std::chrono::steady_clock::now());
      books.progress(*slot, testing::usage_of(10, static_cast<std::int64_t>(random() % 50)), UsageSource::continuous);
      // Of some two attempts are open at once; their pools and prices differ. No slot free: none is begun.
      if (random() % 3 == 0 && books.begin_hedge(*slot, is_local ? managed : local, is_local ? cloud : home, std::chrono::steady_clock::now())) {
        books.progress(*slot, testing::usage_of(10, static_cast<std::int64_t>(random() % 50)), UsageSource::continuous, 2);
      }
      open.push_back(slot);
    } else {
      std::swap(open[random() % open.size()], open.back());
      OpenRequest& request = *open.back();
      open.pop_back();
      const auto end = testing::ended(
          RowResult::ok(), testing::usage_of(10, static_cast<std::int64_t>(random() % 1'000)), UsageSource::exact);
      auto first = end;
      first.number = 1;
      books.end_attempt(request, first, std::chrono::steady_clock::now());
      auto lost = testing::ended(RowResult::of(Fault::hedge_lost), testing::usage_of(10, 0), UsageSource::estimated);
      if (request.row.attempts == 2) books.end_attempt(request, lost, std::chrono::steady_clock::now());
      const Usd charge = request.total();
      const RequestId id = request.row.id;
      say(pipe, Word::What::settling, id, charge);
      books.settle(request, testing::closing());
      say(pipe, Word::What::settled, id, charge);
    }
  }
}

struct Said {
  std::map<std::int64_t, std::int64_t> settled, settling;
  std::map<std::int64_t, bool> opened;
};

/// Lets a child write for a while, kills it, and reads what it had said.
void run_and_kill(const std::string& path, std::uint64_t seed, std::chrono::microseconds life, Said& said) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    write_requests(path, ends[1], seed);
  }
  ::close(ends[1]);
  std::thread killer;
  Word word{};
  while (::read(ends[0], &word, sizeof word) == sizeof word) {
    if (!killer.joinable()) {
      killer = std::thread([child, life] {
        std::this_thread::sleep_for(life);
        ::kill(child, SIGKILL);
      });
    }
    switch (word.what) {
      case Word::What::opened:
        said.opened[word.id] = true;
        break;
      case Word::What::settling:
        said.settling[word.id] = word.charge;
        break;
      case Word::What::settled:
        said.settled[word.id] = word.charge;
        break;
    }
  }
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (killer.joinable()) killer.join();
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended on its own: " << status;
}

TEST(KillAndRecover, NothingIsLostAndNothingIsDoubled) {
  std::mt19937_64 random(testing::seed());
  const testing::Folder folder;
  const std::string path = folder.file("a.db");
  Said said;
  constexpr int kills = 25;
  for (int i = 0; i < kills; ++i) {
    run_and_kill(path, random(), std::chrono::microseconds{random() % 25'000}, said);
    if (HasFatalFailure()) return;
  }
  testing::start(testing::ledger_at(path)).reset();  // takes in what the last one left
  testing::Reader reader(path);
  ASSERT_FALSE(said.settled.empty());
  EXPECT_GE(reader.number("SELECT count(*) FROM request"), static_cast<std::int64_t>(said.opened.size()));
  EXPECT_LE(reader.number("SELECT count(*) FROM request"),
            static_cast<std::int64_t>(said.opened.size()) + kills);  // opened, not yet said
  EXPECT_EQ(reader.number("SELECT sum(attempts) FROM request"), reader.number("SELECT count(*) FROM attempt"));
  EXPECT_GT(reader.number("SELECT count(*) FROM request WHERE attempts=2 AND flags=2"), 0) << "none was killed with two attempts open";
  std::int64_t recovered = 0;
  for (const auto& [id, yes] : said.opened) {
    const std::string where = " FROM attempt a JOIN request r ON r.id=a.request WHERE r.id=" + std::to_string(id);
    if (said.settled.contains(id)) {
      EXPECT_EQ(reader.number("SELECT sum(input_pusd+output_pusd+gpu_pusd)" + where), said.settled[id]) << id;
      EXPECT_EQ(reader.number("SELECT flags" + where), 0) << id;
    } else {
      EXPECT_EQ(reader.number("SELECT count(*) FROM request WHERE id=" + std::to_string(id)), 1) << id;
      ++recovered;
    }
  }
  std::cout << said.opened.size() << " opened, " << said.settled.size() << " settled, " << recovered << " cut off by "
            << kills << " kills" << std::endl;
  EXPECT_EQ(reader.text("SELECT group_concat(DISTINCT team) FROM (SELECT team FROM requests ORDER BY team)"),
            "blue,red");
  EXPECT_EQ(reader.number("SELECT count(*) FROM attempts WHERE target NOT LIKE 'cloud/m%' AND target<>'pool/small'"),
            0);
}

TEST(KillAndRecover, AnAttemptThatWasUnderWayIsPricedByItsLastProgress) {
  const testing::Folder folder;
  const std::string path = folder.file("a.db");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto accounts = testing::start(testing::ledger_at(path));
    Target managed = testing::target_of("cloud/large");
    managed.prices = testing::prices_of(1'000, 2'000);
    Books& books = accounts->books(0);
    (void)testing::opened();
    auto config = std::make_shared<Config>();
    if (!accounts->adopt(config)) ::_exit(2);
    OpenRequest& request = *books.open(testing::opened());
    books.begin_attempt(request, managed, Backend{}, std::chrono::steady_clock::now());
    books.end_attempt(request, testing::ended(RowResult::of(Fault::upstream_status)), std::chrono::steady_clock::now());
    books.begin_attempt(request, managed, Backend{}, std::chrono::steady_clock::now());
    books.progress(request, testing::usage_of(10, 1), UsageSource::continuous);
    books.progress(request, testing::usage_of(10, 21), UsageSource::continuous);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto accounts = testing::start(testing::ledger_at(path));
  EXPECT_EQ(accounts->recovery().open, 1U);
  testing::Reader reader(path);
  EXPECT_EQ(reader.text("SELECT group_concat(result||' '||usage_source||' '||pricing||' '||usd, '; ') FROM attempts"),
            "upstream_status none not_billed 0.000000000000; internal continuous priced 0.000000000052");
  EXPECT_EQ(reader.text("SELECT target||' '||result||' '||recovered FROM requests"), "cloud/large internal 1");
}

// Two at once: each is priced with its own prices and its own progress, none is lost or doubled, and the slot beside is no request.
TEST(KillAndRecover, OfTwoAttemptsThatWereUnderWayEachIsPricedByItself) {
  const testing::Folder folder;
  const std::string path = folder.file("a.db");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto accounts = testing::start(testing::ledger_at(path));
    Target managed = testing::target_of("cloud/large"), other = testing::target_of("other/large");
    managed.prices = testing::prices_of(1'000, 2'000);
    other.prices = testing::prices_of(10'000, 20'000);
    Books& books = accounts->books(0);
    (void)testing::opened();
    if (!accounts->adopt(std::make_shared<Config>())) ::_exit(2);
    OpenRequest& request = *books.open(testing::opened());
    books.begin_attempt(request, managed, Backend{}, std::chrono::steady_clock::now());
    if (!books.begin_hedge(request, other, Backend{}, std::chrono::steady_clock::now())) ::_exit(3);
    books.progress(request, testing::usage_of(10, 21), UsageSource::continuous, 1);
    books.progress(request, testing::usage_of(10, 5), UsageSource::continuous, 2);
    OpenRequest& over = *books.open(testing::opened());          // another one, whose second attempt alone is left
    books.begin_attempt(over, managed, Backend{}, std::chrono::steady_clock::now());
    if (!books.begin_hedge(over, other, Backend{}, std::chrono::steady_clock::now())) ::_exit(3);
    AttemptEnd end = testing::ended(RowResult::of(Fault::upstream_status));
    end.number = 1;
    books.end_attempt(over, end, std::chrono::steady_clock::now());
    books.progress(over, testing::usage_of(10, 7), UsageSource::continuous, 2);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  const auto accounts = testing::start(testing::ledger_at(path));
  EXPECT_EQ(accounts->recovery().open, 2U);
  EXPECT_EQ(accounts->recovery().damaged, 0U);
  testing::Reader reader(path);
  EXPECT_EQ(reader.text("SELECT group_concat(target||' '||result||' '||usage_source||' '||pricing||' '||usd, '; ') FROM (SELECT * FROM attempts ORDER BY request, number)"),
            "cloud/large internal continuous priced 0.000000000052; other/large internal continuous priced 0.000000000200; "
            "cloud/large upstream_status none not_billed 0.000000000000; other/large internal continuous priced 0.000000000240");
  EXPECT_EQ(reader.text("SELECT count(*)||' '||sum(recovered) FROM requests"), "2 2");
}

// Found by killing the gateway 200 times: the name of a route was made by the first request that needed it.
TEST(KillAndRecover, ANameThatWasMadeAfterTheLastCommitCostsARequestItsNameAndNothingElse) {
  const testing::Folder folder;
  const std::string path = folder.file("a.db");
  const pid_t child = ::fork();
  if (child == 0) {
    LedgerConfig config = testing::ledger_at(path);
    config.commit_interval = std::chrono::hours{1};
    const auto accounts = testing::start(config);
    (void)testing::opened();
    if (!accounts->adopt(std::make_shared<Config>())) ::_exit(2);
    Books& books = accounts->books(0);
    OpenRequest& request = *books.open(testing::opened());
    books.decided(request, Names::global().intern("made-later"), 0.5F, Tier::medium);
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto accounts = testing::start(testing::ledger_at(path));
  EXPECT_EQ(accounts->recovery().open, 1U);
  EXPECT_EQ(accounts->recovery().damaged, 0U);
  EXPECT_EQ(testing::Reader(path).text("SELECT route||' '||team FROM requests"), "unknown red");
}

TEST(KillAndRecover, AGpuShareIsCountedUpToTheLastEventOfItsPool) {
  const testing::Folder folder;
  const std::string path = folder.file("a.db");
  const pid_t child = ::fork();
  if (child == 0) {
    const std::int64_t t = 1'000'000 * testing::second_ns;
    const auto accounts = testing::start(testing::ledger_at(path), 1, [&] { return testing::at(t); });
    Backend home;
    home.pool = testing::pool_of("pool", Int128{3600} * 1'000'000'000'000);  // a dollar a second
    const Target local = testing::target_of("pool/small");
    Books& books = accounts->books(0);
    (void)testing::opened();
    auto config = std::make_shared<Config>();
    config->backends.push_back(home);
    if (!accounts->adopt(config)) ::_exit(2);
    OpenRequest& first = *books.open(testing::opened());
    OpenRequest& second = *books.open(testing::opened());
    books.begin_attempt(first, local, home, testing::at(t));
    books.begin_attempt(second, local, home, testing::at(t + 2 * testing::second_ns));
    books.end_attempt(second, testing::ended(RowResult::ok()), testing::at(t + 6 * testing::second_ns));
    books.settle(second, testing::closing());
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  testing::start(testing::ledger_at(path)).reset();
  testing::Reader reader(path);
  EXPECT_EQ(reader.text("SELECT usd||' '||pool_method FROM attempts ORDER BY request_id LIMIT 1"),
            "4.000000000000 time");
  EXPECT_EQ(reader.text("SELECT usd FROM attempts ORDER BY request_id DESC LIMIT 1"), "2.000000000000");
}

}  // namespace
}  // namespace tollgate
