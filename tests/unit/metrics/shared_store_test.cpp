// budget.lua and rate.lua in a real server: they do what the model does, exactly, also beyond what a double holds.
#include "metrics/shared/redis_store.hpp"

#include "model_store.hpp"
#include "redis_server.hpp"

namespace tollgate {
namespace {

using testing::ModelStore;
using testing::RedisServer;
using Status = ShareReply::Status;

ShareSender sender_of(const std::string& gateway, const std::string& token) {
  ShareSender sender;
  sender.gateway = gateway;
  sender.token = token;
  return sender;
}

UsdSum pico(std::int64_t count) { return UsdSum{Usd{count}}; }

ShareReport report_of(std::int64_t spent, std::int64_t held, std::int64_t have, std::int64_t wish, std::int64_t need, std::int64_t limit) {
  ShareReport report;
  report.key = "budget:b:0:0";
  report.spent = pico(spent);
  report.held = pico(held);
  report.have = pico(have);
  report.wish = pico(wish);
  report.need = pico(need);
  report.limit = pico(limit);
  report.ttl_ms = 60'000;
  return report;
}

SharedConfig without_grace(SharedConfig config) {
  config.grace = std::chrono::milliseconds{0};
  return config;
}

ShareReply ask(RedisStore& store, ShareSender& sender, const ShareReport& report) {
  const Result<ShareAnswers> answers = store.exchange(sender, {report}, {});
  EXPECT_TRUE(answers.has_value()) << (answers ? "" : answers.error().message);
  return answers ? answers.value().shares.at(0) : ShareReply{};
}

TEST(SharedStore, TheScriptDoesWhatTheModelDoes) {
  RedisServer server;
  RedisStore store(without_grace(server.config()));
  ModelStore model;
  model.grace_ms = 0;
  std::mt19937_64 random(testing::seed());
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n)); };
  std::vector<ShareSender> senders{sender_of("a", "t1"), sender_of("b", "t2"), sender_of("c", "t3")};
  for (int i = 0; i < 2'000; ++i) {
    ShareSender& sender = senders[static_cast<std::size_t>(below(3))];
    if (below(40) == 0) {
      sender.token = "t" + std::to_string(10 + i);
      sender.is_first = below(4) != 0;   // else it is another process of the same name
      sender.number = 0;
    }
    const bool is_old = below(20) == 0 && sender.number > 3;
    if (is_old) sender.number -= 3;
    const std::int64_t limit = below(2) == 0 ? 9'223'372'036'854'775'807 : 20'000'000'000'000'003;
    const std::int64_t spent = below(limit / 8), held = below(limit / 16), have = spent + held + below(limit / 16);
    const std::int64_t wish = have + below(limit / 2), need = have - spent - held + below(limit / 2);
    ShareReport report = report_of(spent, held, have, wish, below(2) == 0 ? 0 : need, limit);
    report.key = "w" + std::to_string(below(3));
    report.known = below(2) == 0;
    ShareSender twin = sender;
    const Result<ShareAnswers> wanted = model.exchange(twin, {report}, {});
    const Result<ShareAnswers> got = store.exchange(sender, {report}, {});
    ASSERT_TRUE(got.has_value()) << got.error().message;
    const ShareReply& a = wanted.value().shares[0];
    const ShareReply& b = got.value().shares[0];
    ASSERT_EQ(a.status, b.status) << i;
    ASSERT_EQ(a.granted, b.granted) << i;
    ASSERT_EQ(a.others_granted, b.others_granted) << i;
    ASSERT_EQ(a.others_spent, b.others_spent) << i;
    ASSERT_EQ(a.others_held, b.others_held) << i;
    ASSERT_EQ(a.gateways, b.gateways) << i;
    ASSERT_EQ(a.number, b.number) << i;
    sender.is_first = false;
  }
}

TEST(SharedStore, AmountsBeyondADoubleAreExact) {
  RedisServer server;
  RedisStore store(without_grace(server.config()));
  ShareSender a = sender_of("a", "t1"), b = sender_of("b", "t2");
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();   // $9,223,372.036854775807
  EXPECT_EQ(ask(store, a, report_of(0, 0, 0, most - 1, most - 1, most)).granted, pico(most - 1));
  EXPECT_EQ(ask(store, b, report_of(0, 0, 0, 2, 2, most)).granted, pico(0));   // one picodollar is left, two are needed
  EXPECT_EQ(ask(store, b, report_of(0, 0, 0, 2, 1, most)).granted, pico(1));
  EXPECT_EQ(ask(store, b, report_of(1, 0, 1, 2, 1, most)).others_granted, pico(most - 1));
  // Two that have each passed a limit of 64 bits: the sum still is one number.
  ShareSender c = sender_of("c", "t3");
  EXPECT_EQ(ask(store, c, report_of(most, 0, most, most, 0, most)).others_granted, UsdSum{static_cast<Int128>(most)});
  EXPECT_EQ(ask(store, b, report_of(1, 0, 1, 1, 0, most)).others_granted, UsdSum{static_cast<Int128>(most) * 2 - 1});
}

TEST(SharedStore, AStoreThatLostEverythingGrantsNothingUntilOthersHaveReported) {
  RedisServer server;
  SharedConfig config = server.config();
  config.grace = std::chrono::milliseconds{300};
  RedisStore store(config);
  ShareSender a = sender_of("a", "t1"), b = sender_of("b", "t2");
  EXPECT_EQ(ask(store, a, report_of(0, 0, 0, 90, 90, 100)).status, Status::grace);
  ShareReply reply;
  const auto until_granted = [&](ShareSender& sender, const ShareReport& report) {
    do {
      reply = ask(store, sender, report);
    } while (reply.status == Status::grace);
  };
  until_granted(a, report_of(0, 0, 0, 90, 90, 100));
  EXPECT_EQ(reply.granted, pico(90));
  until_granted(b, report_of(0, 0, 0, 10, 10, 100));
  const std::string remembered = reply.lines;
  EXPECT_TRUE(remembered.starts_with("a=t1 ")) << remembered;
  // It restarts empty. Gateway a is gone; b remembers it.
  server.stop();
  server.start();
  ASSERT_FALSE(store.exchange(b, {report_of(0, 0, 10, 100, 90, 100)}, {}).has_value());   // the connection was broken
  ShareReport again = report_of(0, 0, 10, 100, 90, 100);
  again.known = true;
  EXPECT_EQ(ask(store, b, again).status, Status::grace);
  again.remembered = remembered;
  until_granted(b, again);
  EXPECT_EQ(reply.others_granted, pico(90));
  EXPECT_EQ(reply.granted, pico(10));
}

TEST(SharedStore, ANewStoreWaitsForAsManyGatewaysAsItIsTold) {
  RedisServer server;
  SharedConfig config = without_grace(server.config());
  config.gateways_min = 2;
  RedisStore store(config);
  ShareSender a = sender_of("a", "t1"), b = sender_of("b", "t2");
  EXPECT_EQ(ask(store, a, report_of(0, 0, 0, 90, 90, 100)).granted, pico(0));
  EXPECT_EQ(ask(store, b, report_of(70, 0, 70, 70, 0, 100)).status, Status::ok);
  EXPECT_EQ(ask(store, a, report_of(0, 0, 0, 90, 20, 100)).granted, pico(30));
}

TEST(SharedStore, ASuccessorTakesThePlaceOverAndAnOlderProcessIsFenced) {
  RedisServer server;
  RedisStore store(without_grace(server.config()));
  ShareSender old = sender_of("a", "t1"), next = sender_of("a", "t2"), other = sender_of("b", "t3");
  EXPECT_EQ(ask(store, old, report_of(10, 0, 10, 60, 50, 100)).granted, pico(60));
  old.is_first = false;
  // Its ledger says 15 when it comes back: the lease of 60 is free again.
  EXPECT_EQ(ask(store, next, report_of(15, 0, 15, 15, 0, 100)).granted, pico(15));
  next.is_first = false;
  EXPECT_EQ(ask(store, old, report_of(20, 0, 20, 80, 60, 100)).status, Status::fenced);
  EXPECT_EQ(ask(store, other, report_of(0, 0, 0, 85, 85, 100)).granted, pico(85));
  // A successor whose ledger has lost what its predecessor had spent: it stays spent.
  ShareSender third = sender_of("a", "t4");
  EXPECT_EQ(ask(store, third, report_of(5, 0, 5, 5, 0, 100)).status, Status::ok);
  const ShareReply seen = ask(store, other, report_of(0, 0, 85, 85, 0, 100));
  EXPECT_EQ(seen.others_spent, pico(15));
}

RateReport rate_of(std::int64_t used, std::int64_t have, std::int64_t wish, std::int64_t need, std::int64_t per_minute, bool places = false) {
  RateReport report;
  report.key = places ? "limit:l:all::concurrent" : "limit:l:all::requests";
  report.used = used;
  report.have = have;
  report.wish = wish;
  report.need = need;
  report.per_minute = per_minute;
  report.places = places;
  return report;
}

RateReply ask(RedisStore& store, ShareSender& sender, const RateReport& report) {
  const Result<ShareAnswers> answers = store.exchange(sender, {}, {report});
  EXPECT_TRUE(answers.has_value()) << (answers ? "" : answers.error().message);
  return answers ? answers.value().rates.at(0) : RateReply{};
}

TEST(SharedStore, ABucketHoldsNoMoreForSeveralThanForOne) {
  RedisServer server;
  RedisStore store(server.config());
  ShareSender a = sender_of("a", "t1"), b = sender_of("b", "t2");
  EXPECT_EQ(ask(store, a, rate_of(0, 0, 40, 1, 60)).granted, 40);
  EXPECT_EQ(ask(store, b, rate_of(0, 0, 40, 1, 60)).granted, 20);          // what is leased is not there twice
  EXPECT_EQ(ask(store, b, rate_of(20, 20, 40, 5, 60)).granted, 20);
  EXPECT_EQ(ask(store, a, rate_of(10, 20, 20, 0, 60)).granted, 20);        // a gives 20 back
  EXPECT_EQ(ask(store, b, rate_of(20, 20, 40, 5, 60)).granted, 40);
  // A debt: more was used than was leased.
  EXPECT_LT(ask(store, a, rate_of(100, 100, 100, 0, 60)).level, 0);
  EXPECT_EQ(ask(store, b, rate_of(40, 40, 50, 1, 60)).granted, 40);
}

TEST(SharedStore, PlacesComeBackWhenRequestsEnd) {
  RedisServer server;
  RedisStore store(server.config());
  ShareSender a = sender_of("a", "t1"), b = sender_of("b", "t2");
  EXPECT_EQ(ask(store, a, rate_of(0, 0, 3, 1, 4, true)).granted, 3);
  EXPECT_EQ(ask(store, b, rate_of(0, 0, 3, 1, 4, true)).granted, 1);
  EXPECT_EQ(ask(store, a, rate_of(3, 3, 3, 0, 4, true)).level, 1);
  EXPECT_EQ(ask(store, b, rate_of(1, 1, 2, 1, 4, true)).granted, 1);
  EXPECT_EQ(ask(store, a, rate_of(1, 1, 1, 0, 4, true)).level, 2);
  EXPECT_EQ(ask(store, b, rate_of(1, 1, 3, 1, 4, true)).granted, 3);
}

TEST(SharedStore, PasswordsUsersAndDatabasesAreSaid) {
  RedisServer server({"--requirepass", "right"});
  SharedConfig config = server.config();
  RedisLink without(config);
  const auto refused = without.ask({{"PING"}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("set shared.password"), std::string::npos) << refused.error().message;
  config.password = Secret("wrong");
  RedisLink wrong(config);
  const auto denied = wrong.ask({{"PING"}});
  ASSERT_FALSE(denied.has_value());
  EXPECT_NE(denied.error().message.find("refuses user or password"), std::string::npos) << denied.error().message;
  config.password = Secret("right");
  config.database = 3;
  RedisLink right(config);
  ASSERT_TRUE(right.ask({{"SET", "here", "yes"}}).has_value());
  ASSERT_TRUE(right.ask({{"ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all"}}).has_value());
  config.user = "ann";
  config.password = Secret("secret");
  RedisLink ann(config);
  const auto read = ann.ask({{"GET", "here"}});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read.value()[0].text, "yes");
  EXPECT_FALSE(ann.server_run().empty());
}

TEST(SharedStore, AServerThatDoesNotAnswerIsLeftInTime) {
  testing::Folder folder;
  SharedConfig config;
  config.socket_path = folder.file("nobody.sock");
  config.where = "unix://" + config.socket_path;
  config.timeout = std::chrono::milliseconds{50};
  RedisLink nobody(config);
  EXPECT_FALSE(nobody.ask({{"PING"}}).has_value());
  RedisServer server;
  config = server.config();
  config.timeout = std::chrono::milliseconds{50};
  RedisLink link(config);
  ASSERT_TRUE(link.ask({{"PING"}}).has_value());
  RedisLink other(server.config());
  ASSERT_TRUE(other.ask({{"CLIENT", "PAUSE", "400", "ALL"}}).has_value());
  const auto late = link.ask({{"PING"}});
  ASSERT_FALSE(late.has_value());
  EXPECT_NE(late.error().message.find("no answer within 50 ms"), std::string::npos) << late.error().message;
}

}  // namespace
}  // namespace tollgate
