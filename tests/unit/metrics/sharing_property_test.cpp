// The law of shared budgets with several gateways and a network that loses, delays and repeats; gateways that die and come back,
// clocks that are apart, a store that forgets: what all have spent and hold never passes the limit.
#include <deque>

#include "metrics/shared/budget_share.hpp"
#include "model_store.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

using testing::ModelStore;
using Random = std::mt19937_64;

constexpr std::int64_t step_ms = 10, timeout_ms = 1'000, report_ms = 250, window_ms = 60'000;

struct Message {
  std::int64_t arrives, answered;  ///< at the store; back at the gateway
  std::uint64_t number;
  ShareSender sender;
  ShareReport report;
  std::int64_t window;
  bool lost = false, done = false;
};

/// A gateway's part of one window, in its ledger and in its memory.
struct Part {
  BudgetShare share;
  UsdSum spent;              ///< in the ledger
  std::deque<UsdSum> holds;  ///< in its slots: survive a crash too
  [[nodiscard]] UsdSum held() const {
    UsdSum sum;
    for (const UsdSum hold : holds) sum += hold;
    return sum;
  }
};

struct Gateway {
  ShareSender sender;
  std::int64_t skew = 0;
  std::map<std::int64_t, Part> parts;  ///< by window
  std::optional<Message> under_way;
  std::int64_t told_at = 0, answer_by = 0, down_until = 0;
  unsigned lives = 0;
};

class World {
 public:
  World(std::uint64_t seed, UsdSum limit) : random_(seed), limit_(limit), gateways_(3) {
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
      gateways_[i].sender.gateway = "gw-" + std::to_string(i);
      gateways_[i].skew = below(400) - 200;
      be_born(gateways_[i]);
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      store_.now_ms += step_ms;
      trouble();
      deliver();
      for (Gateway& gateway : gateways_) {
        if (store_.now_ms >= gateway.down_until) live(gateway);
      }
      check();
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  /// The greatest share of a whole window's limit that was spent, in percent.
  [[nodiscard]] int best_use() const {
    std::map<std::int64_t, UsdSum> spent;
    for (const Gateway& gateway : gateways_) {
      for (const auto& [window, part] : gateway.parts) spent[window] += part.spent;
    }
    Int128 most = 0;
    for (const auto& [window, sum] : spent) most = std::max(most, sum.picodollars() * 100 / limit_.picodollars());
    return static_cast<int>(most);
  }
  int granted_requests = 0, losses = 0, crashes = 0;
  bool calm = false;  ///< no trouble but the network's delays

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  bool one_in(std::int64_t n) { return below(n) == 0; }

  void be_born(Gateway& gateway) {
    gateway.sender.token = "token" + std::to_string(++lives_);
    gateway.sender.is_first = true;
    gateway.sender.number = 0;
    gateway.under_way.reset();
    for (auto& [window, part] : gateway.parts) {
      // Recovery: what the slots held becomes what it had cost.
      for (const UsdSum hold : part.holds) part.spent += UsdSum{Usd{below(static_cast<std::int64_t>(hold.picodollars()) + 1)}};
      part.holds.clear();
      part.share = BudgetShare();
    }
  }

  void trouble() {
    if (calm) return;
    bool all_up = true;
    for (const Gateway& gateway : gateways_) all_up = all_up && store_.now_ms > gateway.down_until + 3'000;
    if (one_in(3'000)) {
      Gateway& victim = gateways_[static_cast<std::size_t>(below(3))];
      if (store_.now_ms > quiet_until_ && store_.now_ms >= victim.down_until) {
        ++crashes;
        victim.down_until = store_.now_ms + below(20'000);
        be_born(victim);
      }
    }
    // The store forgets all, or comes back as it was a moment ago. Then every gateway that runs gets through in time.
    if (all_up && one_in(2'000)) {
      ++losses;
      if (one_in(2)) {
        store_.lose_everything();
      } else {
        store_.windows = snapshot_;
      }
      store_.run = "run-" + std::to_string(losses + 1);
      quiet_until_ = store_.now_ms + store_.grace_ms + 500;
      for (Gateway& gateway : gateways_) gateway.under_way.reset();   // its connections broke
      late_.clear();
    }
    if (one_in(50)) snapshot_ = store_.windows;
  }

  [[nodiscard]] bool is_quiet() const { return store_.now_ms < quiet_until_; }

  void send(Gateway& gateway, std::int64_t window) {
    Part& part = gateway.parts[window];
    Message message;
    message.window = window;
    message.report.key = std::to_string(window);
    part.share.report(part.spent, part.held(), limit_, true, message.report);
    message.number = ++gateway.sender.number;
    message.sender = gateway.sender;
    const bool is_slow = !is_quiet() && one_in(20);
    message.arrives = store_.now_ms + below(is_slow ? 3'000 : 60);
    message.answered = message.arrives + below(is_slow ? 1'500 : 60);
    message.lost = !is_quiet() && one_in(15);
    gateway.answer_by = store_.now_ms + timeout_ms;
    gateway.told_at = store_.now_ms;
    gateway.under_way = message;
  }

  void deliver() {
    const auto arrive = [&](Message& message, ShareReply& reply) {
      if (message.done || message.lost || store_.now_ms < message.arrives) return;
      reply = store_.apply(message.sender, message.number, message.report);
      message.done = true;
    };
    for (Message& message : late_) {
      ShareReply nobody;
      arrive(message, nobody);
    }
    std::erase_if(late_, [&](const Message& message) { return message.done || message.lost; });
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
      Gateway& gateway = gateways_[i];
      if (!gateway.under_way) continue;
      arrive(*gateway.under_way, replies_[i]);
      if (gateway.under_way->done && store_.now_ms >= gateway.under_way->answered) {
        gateway.parts[gateway.under_way->window].share.take(replies_[i], MonoTime{});
        if (replies_[i].status != ShareReply::Status::fenced) gateway.sender.is_first = false;
        if (replies_[i].status == ShareReply::Status::stale) gateway.sender.number = std::max(gateway.sender.number, replies_[i].number);
        gateway.under_way.reset();
      } else if (store_.now_ms > gateway.answer_by) {   // it gives up; what it sent may still arrive
        if (!gateway.under_way->done) late_.push_back(*gateway.under_way);
        gateway.under_way.reset();
      }
    }
  }

  void live(Gateway& gateway) {
    const std::int64_t window = (store_.now_ms + gateway.skew) / window_ms;
    Part& part = gateway.parts[window];
    for (auto& [number, each] : gateway.parts) {
      if (each.holds.empty() || !one_in(4)) continue;
      const UsdSum hold = each.holds.front();
      each.holds.pop_front();
      each.spent += UsdSum{Usd{below(static_cast<std::int64_t>(hold.picodollars()) + 1)}};
    }
    for (int i = 0; i < 3; ++i) {
      const UsdSum need{Usd{1 + below(static_cast<std::int64_t>(limit_.picodollars() / 100))}};
      const UsdSum used = part.spent + part.held();
      if (part.share.covers(used + need)) {
        part.holds.push_back(need);
        static_cast<void>(part.share.note_used(used + need));
        ++granted_requests;
      } else {
        part.share.lacked(need);
      }
    }
    const bool due = store_.now_ms - gateway.told_at >= report_ms || part.share.urgent();
    if (gateway.under_way || !due) return;
    // Now and then of the window before, which may still hold something.
    const bool before = one_in(5) && gateway.parts.contains(window - 1);
    send(gateway, before ? window - 1 : window);
  }

  void check() {
    std::map<std::int64_t, UsdSum> used;
    for (const Gateway& gateway : gateways_) {
      for (const auto& [window, part] : gateway.parts) used[window] += part.spent + part.held();
    }
    for (const auto& [window, sum] : used) {
      ASSERT_LE(sum, limit_) << "window " << window << " at " << store_.now_ms << " ms";
    }
  }

  Random random_;
  const UsdSum limit_;
  ModelStore store_;
  std::map<std::string, ModelStore::Window> snapshot_;
  std::vector<Gateway> gateways_;
  std::vector<Message> late_;
  std::array<ShareReply, 3> replies_;
  std::int64_t quiet_until_ = 0;
  unsigned lives_ = 0;
};

TEST(SharingProperty, NoLimitIsPassedWhateverIsLostDelayedOrForgotten) {
  const std::uint64_t seed = testing::seed();
  int granted = 0, losses = 0, crashes = 0;
  for (std::uint64_t run = 0; run < 40; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    World world(seed + run, UsdSum{Usd{run % 2 == 0 ? 1'000'000'000'000 : 9'100'000'000'000'000'007}});
    world.run(20'000);
    if (HasFatalFailure()) return;
    granted += world.granted_requests;
    losses += world.losses;
    crashes += world.crashes;
  }
  EXPECT_GT(granted, 10'000);
  EXPECT_GT(losses, 40);
  EXPECT_GT(crashes, 40);
}

TEST(SharingProperty, InQuietTimesNearlyAllOfABudgetIsUsed) {
  const std::uint64_t seed = testing::seed();
  World world(seed, UsdSum{Usd{1'000'000'000'000}});
  world.calm = true;
  world.run(30'000);
  EXPECT_GE(world.best_use(), 90);
}

}  // namespace
}  // namespace tollgate
