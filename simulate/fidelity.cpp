#include "simulate/fidelity.hpp"

#include <algorithm>
#include <queue>

#include "metrics/gpu_pool.hpp"
#include "metrics/learned.hpp"
#include "metrics/pricing.hpp"
#include "router/asked_facts.hpp"
#include "router/governors.hpp"
#include "simulate/last_turns.hpp"

namespace tollgate::simulate {
namespace {

constexpr std::size_t differences_max = 5;

/// A state in which is_saturated() holds, whatever the target's limits are.
void fill_up(const Target& target, const SpillOver& limits, TargetState& state) noexcept {
  state.in_flight = std::max(1U, target.concurrency_max);
  state.was_saturated = true;
  if (!limits.is_on) return;
  state.engine_waiting = static_cast<std::int32_t>(std::max(1U, limits.waiting_requests));
  state.kv_cache_usage = 1;
}

class Decisions {
 public:
  Decisions(const Rules& rules, const Traffic& traffic, Fidelity& into)
      : rules_(rules), config_(rules.config()), traffic_(traffic), into_(into), asked_(rules.original()), replayed_(rules), turns_(config_) {
    governors_.adopt(config_);
    learned_.resize(config_.targets.size());
    states_.resize(config_.targets.size());
    for (std::size_t i = 0; i < config_.targets.size(); ++i) index_[config_.targets[i].id] = i;
  }

  void replay() {
    for (const RecordedRequest& request : traffic_.requests) {
      const RecordedTry* const tries = traffic_.tries_of(request);
      learn_until(request.arrived_us);
      if (!request.has_facts) {
        ++into_.without_facts;
      } else {
        decide_again(request, tries);
      }
      for (std::uint8_t i = 0; i < request.tries; ++i) pending_.push({request.arrived_us + tries[i].ended_after_us, &request, &tries[i]});
    }
  }

 private:
  struct Ended {
    std::int64_t at_us;
    const RecordedRequest* request;
    const RecordedTry* one;
    friend bool operator>(const Ended& a, const Ended& b) noexcept { return a.at_us > b.at_us; }
  };

  /// What the gateway had learned by then, as far as the period tells.
  void learn_until(std::int64_t now_us) {
    while (!pending_.empty() && pending_.top().at_us <= now_us) {
      const Ended ended = pending_.top();
      pending_.pop();
      const RecordedTry& one = *ended.one;
      const auto found = index_.find(one.target);
      if (found == index_.end() || !one.result.is_ok()) continue;
      LearnedSums& learned = learned_[found->second];
      const std::int64_t tokens = one.usage.total_output().count();
      if (one.usage_source == UsageSource::exact) learned.learn(static_cast<std::int64_t>(ended.request->facts.text_bytes), 0, one.usage);
      learned.paced(one.took_us(), tokens);
      const std::int64_t first = one.first_token_after_us - one.started_after_us;
      if (one.first_token_after_us >= 0) learned.waited(first);
      const bool streams = ended.request->stream && one.first_token_after_us >= 0;
      learned.took(one.took_us(), streams ? one.took_us() - first : 0, streams ? tokens - 1 : 0, MonoTime{});
      if (ended.request->has_facts) {
        const std::uint64_t conversation = ended.request->facts.conversation;
        turns_.note(conversation, turns_.find(conversation, ended.request->arrived_us), one.target, one.usage, one.usage_source, ended.request->arrived_us);
      }
    }
  }

  void set_states(const RecordedRequest& request, const Rules::Translation& translation) {
    const auto clock = std::chrono::sys_seconds(std::chrono::seconds(request.arrived_us / 1'000'000));
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const Target& target = config_.targets[i];
      const Books::Learned learned = learned_[i].now();
      TargetState state;
      state.input_bytes_per_token = learned.input_bytes_per_token;
      state.output_tokens_mean = learned.output_tokens_mean;
      state.first_token_mean = learned.first_token_mean;
      state.output_token_mean = learned.output_token_mean;
      state.duration_mean = learned.duration_mean;
      state.seconds_per_output_token = learned.seconds_per_output_token;
      if (target.prices && !target.prices->timed.empty()) state.prices_now = &prices_at(*target.prices, clock);
      if (is_steered(target.backend)) state.stance = open_stance();
      states_[i] = state;
    }
    if (found_nothing_up(request)) {
      for (TargetState& state : states_) state.availability = Availability::unreachable;
    }
    for (std::size_t bit = 0; bit < translation.targets.size(); ++bit) {
      if (translation.targets[bit] < 0) continue;
      const auto index = static_cast<std::size_t>(translation.targets[bit]);
      if ((request.facts.down >> bit & 1U) != 0) states_[index].availability = Availability::unreachable;
      if ((request.facts.saturated >> bit & 1U) == 0) continue;
      if (states_[index].stance) {
        states_[index].stance = PoolStance{};   // kept behind: closed or full makes no difference to who comes first
      } else {
        fill_up(config_.targets[index], config_.spill_over, states_[index]);
      }
    }
  }

  [[nodiscard]] bool is_steered(std::size_t backend) const {
    return std::any_of(governors_.all().begin(), governors_.all().end(), [backend](const Governors::Governed& each) { return each.backend == backend; });
  }
  static PoolStance open_stance() noexcept {
    PoolStance stance;
    stance.places = stance.workers = UINT32_MAX;
    stance.why = PoolStance::Why::above;
    return stance;
  }

  /// Without a plan nobody noted which targets were down: all that were asked.
  [[nodiscard]] static bool found_nothing_up(const RecordedRequest& request) noexcept {
    return request.tries == 0 && request.facts.first == DecisionFacts::no_target && request.result.value == static_cast<std::uint8_t>(Fault::no_target_up);
  }

  [[nodiscard]] bool excluded(const RecordedRequest& request, const Rules::Translation& translation, const Target* target) const {
    for (std::size_t bit = 0; bit < translation.targets.size(); ++bit) {
      if ((request.facts.excluded >> bit & 1U) != 0 && translation.targets[bit] == target - config_.targets.data()) return true;
    }
    return false;
  }

  void decide_again(const RecordedRequest& request, const RecordedTry* tries) {
    const Rules::Translation& translation = rules_.translation_of(request.facts.asked);
    if (request.facts.asked != asked_.name()) ++into_.other_configuration;
    replayed_.assign(request, tries);
    const RequestFacts::Conversation conversation = turns_.find(request.facts.conversation, request.arrived_us);
    replayed_.set_conversation(conversation);
    set_states(request, translation);
    const RequestFacts& facts = replayed_.facts();
    const Result<Plan> plan = decide(facts, config_, states_);
    const Target* first = nullptr;
    if (plan) {
      for (const Step& step : plan.value().steps) {
        if (first == nullptr && !excluded(request, translation, step.target)) first = step.target;
      }
    }
    const std::string_view recorded = request.facts.first < translation.target_names.size() ? std::string_view(translation.target_names[request.facts.first]) : "";
    const Depends depends = depends_on(facts, plan, request);
    const bool same_route = !plan || plan.value().route == request.route;
    const bool same_fault = plan || (request.tries == 0 && !request.result.is_ok() && request.result.value == static_cast<std::uint8_t>(plan.error().fault));
    const bool same = same_route && same_fault && recorded == (first == nullptr ? std::string_view() : text(first->id));
    Fidelity::Count& count = into_.by[static_cast<std::size_t>(depends)];
    ++count.decisions;
    count.same += same ? 1 : 0;
    if (same || depends != Depends::recorded || into_.differences.size() == differences_max) return;
    const auto place = [](NameId route, std::string_view target, RowResult result) {
      return target.empty() ? "none (" + std::string(result.name()) + ")" : std::string(text(route)).append(": ").append(target);
    };
    into_.differences.push_back({request.id, place(request.route, recorded, request.result),
                                 plan ? place(plan.value().route, first == nullptr ? "" : text(first->id), RowResult::ok())
                                      : place({}, "", RowResult::of(plan.error().fault))});
  }

  /// The first thing that is not recorded and may have turned the decision.
  Depends depends_on(const RequestFacts& facts, const Result<Plan>& plan, const RecordedRequest& request) {
    if (replayed_.has_unknown() && turns_by_unknown(plan)) return Depends::unknown_facts;
    if (!plan && plan.error().fault == Fault::no_target_up) return Depends::load;
    for (const Route& route : config_.routes) {
      if (route.when.load && (route.when.models.empty() || !plan || plan.value().rule != nullptr)) return Depends::load;
      if (plan && &route == plan.value().rule) break;
    }
    if (near_context_limit(facts)) return Depends::learned_lengths;
    if (!plan || plan.value().steps.size() < 2) return Depends::recorded;
    return depends_of_choice(plan.value(), request);
  }

  bool turns_by_unknown(const Result<Plan>& plan) {
    const Result<Plan> other = decide(replayed_.facts(Unknown::holds), config_, states_);
    const bool turns = plan.has_value() != other.has_value() ||
                       (plan && (plan.value().route != other.value().route || plan.value().steps.front().target != other.value().steps.front().target));
    static_cast<void>(replayed_.facts());
    return turns;
  }

  /// How many tokens a text makes is learned of each target.
  [[nodiscard]] bool near_context_limit(const RequestFacts& facts) const {
    const auto bytes = static_cast<double>(facts.chat->text_bytes);
    return std::any_of(config_.targets.begin(), config_.targets.end(), [bytes](const Target& target) {
      const auto limit = static_cast<double>(target.context_tokens);
      return limit > 0 && bytes / 8 < limit && bytes / 1.5 > limit * 0.9;
    });
  }

  [[nodiscard]] Depends depends_of_choice(const Plan& plan, const RecordedRequest& request) const {
    const Route* const rule = plan.rule;
    const Choose choose = rule != nullptr ? rule->choose : Choose::cheapest;
    if (choose == Choose::fastest || (rule != nullptr && (rule->first_token.count() > 0 || rule->deadline.count() > 0))) return Depends::speed;
    if (rule != nullptr && rule->sticky && request.facts.conversation != 0) return Depends::conversation;
    if (choose != Choose::cheapest) return Depends::recorded;
    if (rule != nullptr && rule->autopilot && plan.steps[0].standing != plan.steps[1].standing) {
      return plan.steps[0].standing == Standing::paid_for || plan.steps[0].is_saturated != plan.steps[1].is_saturated ? Depends::recorded : Depends::autopilot;
    }
    // Forecasts are what answers' lengths were learned for; that an idle pool costs nothing more needs no lengths.
    const Step &first = plan.steps[0], &second = plan.steps[1];
    if (first.is_saturated != second.is_saturated) return Depends::recorded;
    if (!first.forecast_known || !second.forecast_known) return rule != nullptr && rule->cost_basis == CostBasis::loaded ? Depends::learned_lengths : Depends::recorded;
    // Whether a worker was up is not recorded.
    const auto is_serverless = [this](const Step& step) {
      const std::optional<Pool>& pool = config_.backend_of(*step.target).pool;
      return pool && pool->billing == Billing::serverless;
    };
    if (is_serverless(first) || is_serverless(second)) return Depends::load;
    const bool free_pool = first.forecast == Usd{} && config_.backend_of(*first.target).pool.has_value();
    return free_pool ? Depends::recorded : Depends::learned_lengths;
  }

  const Rules& rules_;
  const Config& config_;
  const Traffic& traffic_;
  Fidelity& into_;
  AskedFacts asked_;
  Replayed replayed_;
  LastTurns turns_;
  Governors governors_;               // of whom only which pools they are is asked
  std::map<NameId, std::size_t> index_;
  std::vector<LearnedSums> learned_;
  std::vector<TargetState> states_;
  std::priority_queue<Ended, std::vector<Ended>, std::greater<>> pending_;
};

/// The ledger's own attempts, priced once more.
class Prices {
 public:
  Prices(const Config& config, const Traffic& traffic, const Blocks& blocks, Fidelity& into)
      : config_(config), traffic_(traffic), blocks_(blocks), into_(into), replayed_(blocks.count()) {
    for (std::size_t i = 0; i < config.targets.size(); ++i) index_[config.targets[i].id] = i;
  }

  void replay(std::uint64_t seed) {
    for (const RecordedRequest& request : traffic_.requests) {
      for (std::uint8_t i = 0; i < request.tries; ++i) price(request, traffic_.tries_of(request)[i]);
    }
    for (std::size_t backend = 0; backend < config_.backends.size(); ++backend) share_pool(backend);
    UsdSum sum;
    std::vector<double> blocks;
    for (const UsdSum& block : replayed_) {
      sum += block;
      blocks.push_back(static_cast<double>(block.picodollars()) * 1e-12);
    }
    into_.replayed_usd = sum;
    into_.replayed_interval = interval_of_sum(blocks, seed);
  }

 private:
  void add(const RecordedRequest& request, UsdSum replayed, UsdSum recorded) {
    replayed_[blocks_.of(request.arrived_us)] += replayed;
    into_.recorded_usd += recorded;
  }

  void price(const RecordedRequest& request, const RecordedTry& one) {
    const auto found = index_.find(one.target);
    if (one.pricing == Pricing::not_billed) return;
    if (found == index_.end()) {
      ++into_.unpriced;
      return;
    }
    const Target& target = config_.targets[found->second];
    if (target.prices) {
      const auto clock = std::chrono::sys_seconds(std::chrono::seconds(request.arrived_us / 1'000'000));
      const AskedTier tier = request.has_facts ? request.facts.service_tier : AskedTier::none;
      const TokenPrices* const prices = prices_of_tier(prices_at(*target.prices, clock), name_of(tier));
      const bool known = prices != nullptr && one.usage_source != UsageSource::none && TokenRates(*prices).cover(one.usage);
      if (known != (one.pricing == Pricing::priced)) ++into_.unpriced;
      if (known && one.pricing == Pricing::priced) add(request, UsdSum{token_charge(one.usage, *prices).total()}, UsdSum{one.charge - one.gpu});
    } else if (!config_.backend_of(target).pool && one.pricing == Pricing::priced) {
      ++into_.unpriced;
    }
  }

  /// The pool's time shared once more between its attempts, at their recorded times.
  void share_pool(std::size_t backend) {
    if (!config_.backends[backend].pool || config_.backends[backend].pool->billing == Billing::reported) return;
    struct Event {
      std::int64_t at_us;
      bool begins;
      std::size_t run;
    };
    struct Run {
      const RecordedRequest* request;
      const RecordedTry* one;
      GpuPool::Run run;
    };
    std::vector<Event> events;
    std::vector<Run> runs;
    for (const RecordedRequest& request : traffic_.requests) {
      for (std::uint8_t i = 0; i < request.tries; ++i) {
        const RecordedTry& one = traffic_.tries_of(request)[i];
        const auto found = index_.find(one.target);
        if (found == index_.end() || config_.targets[found->second].backend != backend || one.pool_method == PoolMethod::none) continue;
        events.push_back({request.arrived_us + one.started_after_us - blocks_.begin_us, true, runs.size()});
        events.push_back({request.arrived_us + one.ended_after_us - blocks_.begin_us, false, runs.size()});
        runs.push_back({&request, &one, {}});
      }
    }
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at_us != b.at_us ? a.at_us < b.at_us : a.begins && !b.begins; });
    GpuPool pool(hardware_of(*config_.backends[backend].pool, traffic_), MonoTime{});
    for (const Event& event : events) {
      const MonoTime now = MonoTime{} + std::chrono::microseconds(event.at_us);
      Run& run = runs[event.run];
      if (event.begins) {
        run.run = pool.begin(now);
      } else {
        add(*run.request, UsdSum{pool.end(run.run, now).charge}, UsdSum{run.one->gpu});
      }
    }
  }

  const Config& config_;
  const Traffic& traffic_;
  const Blocks& blocks_;
  Fidelity& into_;
  std::map<NameId, std::size_t> index_;
  std::vector<UsdSum> replayed_;
};

}  // namespace

std::string_view name_of(Depends depends) noexcept {
  static constexpr std::array<std::string_view, depends_count> names{"recorded facts", "learned lengths of answers", "learned speeds", "load or health",
                                                                     "prompt caches of conversations", "facts that were not asked then",
                                                                     "what the autopilot held of serverless pools"};
  return names[static_cast<std::size_t>(depends)];
}

Fidelity::Count Fidelity::of_state() const noexcept {
  Count sum;
  for (std::size_t i = 1; i < by.size(); ++i) {
    sum.decisions += by[i].decisions;
    sum.same += by[i].same;
  }
  return sum;
}

bool Fidelity::cost_holds() const noexcept {
  const double recorded = static_cast<double>(recorded_usd.picodollars()) * 1e-12;
  constexpr double rounding = 1e-9;   // of one charge each
  return recorded >= replayed_interval.low - rounding && recorded <= replayed_interval.high + rounding;
}

Fidelity fidelity(const Rules& rules, const Traffic& traffic, const Blocks& blocks, std::uint64_t seed) {
  Fidelity result;
  Decisions(rules, traffic, result).replay();
  Prices(rules.original(), traffic, blocks, result).replay(seed);
  return result;
}

}  // namespace tollgate::simulate
