#include "simulate/compare.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace tollgate::simulate {
namespace {

double usd(UsdSum sum) noexcept { return static_cast<double>(sum.picodollars()) * 1e-12; }

Latency latency_of(const World& world, float Served::*member) {
  std::vector<float> all;
  double sum = 0;
  for (const Served& served : world.served) {
    if (!served.result.is_ok() || served.*member < 0) continue;
    all.push_back(served.*member);
    sum += static_cast<double>(served.*member);
  }
  Latency latency;
  latency.known = static_cast<std::int64_t>(all.size());
  if (all.empty()) return latency;
  const auto quantile = [&all](double share) {
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), at, all.end());
    return static_cast<double>(*at);
  };
  latency.mean_ms = sum / static_cast<double>(all.size());
  latency.p50_ms = quantile(0.5);
  latency.p95_ms = quantile(0.95);
  return latency;
}

std::string reason(const Served& after, const Served& before) {
  std::string why;
  switch (after.lost) {
    case Lost::nothing:
      why = before.target == Served::nowhere ? "was refused" : "another attempt answered";
      break;
    case Lost::gone:
      why = "the target is gone";
      break;
    case Lost::not_among:
      why = "not among the route's targets";
      break;
    case Lost::ruled_out:
      why = "ruled out: " + std::string(name_of(after.lost_why));
      if (after.lost_by != NameId::none) why += " " + std::string(text(after.lost_by));
      break;
    case Lost::behind:
      why = "another comes first: " + std::string(name_of(after.why));
      break;
    case Lost::saturated:
      why = "saturated";
      break;
    case Lost::refused:
      why = std::string(after.result.name());
      break;
  }
  return why;
}

class Comparing {
 public:
  Comparing(const World& before, const World& after, const Scenario& scenario, std::uint64_t seed) : before_(before), after_(after), in_(scenario), seed_(seed) {}

  Comparison compare() {
    out_.requests = static_cast<std::int64_t>(after_.served.size());
    for (std::size_t i = 0; i < after_.served.size(); ++i) request(i);
    for (auto& [key, move] : moves_) out_.moves.push_back(std::move(move));
    std::stable_sort(out_.moves.begin(), out_.moves.end(), [](const Move& a, const Move& b) { return a.requests > b.requests; });
    sums();
    cost();
    latency();
    quality();
    out_.not_known.cached = in_.traffic.cached_requests;
    out_.not_known.folded = in_.traffic.folded_requests;
    never_full();
    return std::move(out_);
  }

 private:
  [[nodiscard]] static const std::string& name(const World& world, std::int16_t target) {
    static const std::string none = "(refused)";
    return target == Served::nowhere ? none : world.targets[static_cast<std::size_t>(target)];
  }
  [[nodiscard]] static const std::string& place(const World& world, const Served& served) {
    return name(world, served.result.is_ok() ? served.target : Served::nowhere);
  }
  [[nodiscard]] double capability(const std::string& target) const {
    const Target* const found = in_.rules.config().find_target(target);
    if (found == nullptr) return -1;
    if (in_.trusted_capability.empty()) return found->capability;
    return in_.trusted_capability[static_cast<std::size_t>(found - in_.rules.config().targets.data())];
  }

  void request(std::size_t i) {
    const Served &before = before_.served[i], &after = after_.served[i];
    NotKnown& unknown = out_.not_known;
    unknown.unpriced += after.unpriced ? 1 : 0;
    unknown.guessed_usage += after.guessed_usage ? 1 : 0;
    unknown.as_recorded += after.as_recorded ? 1 : 0;
    if (!in_.traffic.requests[i].has_facts) {
      ++unknown.without_facts;
    } else if (after.unknown_facts) {
      ++unknown.unknown_facts;
    }
    if (after.target != Served::nowhere && after.result.is_ok()) {
      const auto target = static_cast<std::size_t>(after.target);
      if (after.unpriced) unpriced_.insert(after.target);
      if (in_.speeds.of(target).source == SpeedSource::everything) {
        ++unknown.unseen;
        unseen_.insert(after.target);
      }
    }
    const std::string &from = place(before_, before), &to = place(after_, after);
    if (from == to) return;
    ++out_.changed;
    const double was = capability(from), is = capability(to);
    const bool weaker = was >= 0 && is >= 0 && is < was;
    out_.weaker += weaker ? 1 : 0;
    out_.stronger += was >= 0 && is > was ? 1 : 0;
    const auto key = std::make_tuple(before.result.is_ok() ? before.target : Served::nowhere, after.result.is_ok() ? after.target : Served::nowhere,
                                     static_cast<int>(after.lost), static_cast<int>(after.lost == Lost::ruled_out ? after.lost_why : after.why), after.lost_by,
                                     after.result.value);
    Move& move = moves_[key];
    if (move.requests++ == 0) {
      move.from = from;
      move.to = to;
      move.why = reason(after, before);
    }
    move.tokens_before += before.tokens;
    move.tokens_after += after.tokens;
    move.usd_before += before.tokens + before.gpu;
    move.usd_after += after.tokens + after.gpu;
    move.weaker += weaker ? 1 : 0;
  }

  template <class Key, class Name>
  static std::vector<Change> changes(const std::map<Key, Sums>& before, const std::map<Key, Sums>& after, Name name_of_key) {
    std::map<std::string, Change> all;
    for (const auto& [key, sums] : before) all[name_of_key(key, true)].before = sums;
    for (const auto& [key, sums] : after) all[name_of_key(key, false)].after = sums;
    std::vector<Change> out;
    for (auto& [label, change] : all) {
      change.name = label;
      out.push_back(std::move(change));
    }
    return out;
  }

  void sums() {
    out_.targets = changes(before_.by_target, after_.by_target, [&](std::int16_t target, bool is_before) { return name(is_before ? before_ : after_, target); });
    const auto text_of_name = [](NameId id, bool) { return id == NameId::none ? std::string("(none)") : std::string(text(id)); };
    out_.teams = changes(before_.by_team, after_.by_team, text_of_name);
    out_.routes = changes(before_.by_route, after_.by_route, text_of_name);
    for (std::size_t tier = 0; tier < tier_count; ++tier) {
      if (before_.by_tier[tier].requests == 0 && after_.by_tier[tier].requests == 0) continue;
      out_.tiers.push_back({std::string(tollgate::name_of(static_cast<Tier>(tier))), before_.by_tier[tier], after_.by_tier[tier]});
    }
  }

  void cost() {
    std::vector<double> before, after, difference;
    for (std::size_t i = 0; i < after_.blocks.size(); ++i) {
      before.push_back(usd(before_.blocks[i].usd()));
      after.push_back(usd(after_.blocks[i].usd()));
      difference.push_back(after.back() - before.back());
    }
    out_.cost = {before_.usd(), after_.usd(), interval_of_sum(before, seed_), interval_of_sum(after, seed_), interval_of_sum(difference, seed_)};
  }

  void latency() {
    out_.first_before = latency_of(before_, &Served::first_token_ms);
    out_.first_after = latency_of(after_, &Served::first_token_ms);
    out_.whole_before = latency_of(before_, &Served::whole_ms);
    out_.whole_after = latency_of(after_, &Served::whole_ms);
    std::vector<double> more, answered;
    for (std::size_t i = 0; i < after_.blocks.size(); ++i) {
      const Block &before = before_.blocks[i], &after = after_.blocks[i];
      if (before.answered == 0 || after.answered == 0) continue;
      const double mean = after.whole_ms / static_cast<double>(after.answered) - before.whole_ms / static_cast<double>(before.answered);
      more.push_back(mean * static_cast<double>(after.answered));
      answered.push_back(static_cast<double>(after.answered));
    }
    out_.whole_mean_difference = interval_of_ratio(more, answered, seed_);
  }

  void quality() {
    out_.at_risk_before = before_.total.at_risk;
    out_.at_risk_after = after_.total.at_risk;
    out_.bad_before = before_.total.risk;
    out_.bad_after = after_.total.risk;
    out_.bad_known_before = before_.total.risk_known;
    out_.bad_known_after = after_.total.risk_known;
    out_.outcomes_known = in_.quality.known();
  }

  void never_full() {
    for (const std::int16_t target : unpriced_) out_.not_known.unpriced_targets.push_back(name(after_, target));
    for (const std::int16_t target : unseen_) out_.not_known.unseen_targets.push_back(name(after_, target));
    const Config& config = in_.rules.config();
    for (std::size_t i = 0; i < config.backends.size(); ++i) {
      if (config.backends[i].pool && !in_.speeds.pools[i].seen_full) out_.not_known.never_full.emplace_back(text(config.backends[i].name));
    }
  }

  const World &before_, &after_;
  const Scenario& in_;
  const std::uint64_t seed_;
  std::map<std::tuple<std::int16_t, std::int16_t, int, int, NameId, std::uint8_t>, Move> moves_;
  std::set<std::int16_t> unpriced_, unseen_;
  Comparison out_;
};

}  // namespace

Comparison compare(const World& before, const World& after, const Scenario& scenario, std::uint64_t seed) { return Comparing(before, after, scenario, seed).compare(); }

}  // namespace tollgate::simulate
