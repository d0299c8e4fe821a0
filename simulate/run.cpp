#include "simulate/run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "metrics/pricing.hpp"
#include "router/complexity.hpp"
#include "router/forecast.hpp"
#include "router/serverless.hpp"
#include "simulate/budget_watch.hpp"
#include "simulate/last_turns.hpp"
#include "simulate/lives.hpp"
#include "simulate/steering.hpp"
#include "simulate/tally.hpp"

namespace tollgate::simulate {
namespace {

constexpr std::size_t warm_up_tries = 200;            // of a target: what was learned of it before the period is not known
constexpr std::int64_t down_holds_us = 5'000'000;     // a target seen down is taken to be so for others that come soon after
constexpr double loaded_refresh_us = 60e6;            // how often a pool's cost per token is taken from its bill
constexpr std::size_t progress_every = 8192;

class Simulation {
 public:
  Simulation(const Scenario& scenario, const Blocks& blocks)
      : in_(scenario), blocks_(blocks), config_(scenario.rules.config()), replayed_(scenario.rules), turns_(config_), steering_(config_), budgets_(config_, blocks.begin_us), tally_(world_, scenario.traffic, blocks, scenario.quality) {
    for (std::size_t i = 0; i < config_.backends.size(); ++i) {
      engines_.push_back(config_.backends[i].pool ? std::make_unique<Engine>(hardware_of(*config_.backends[i].pool, in_.traffic), in_.speeds.pools[i]) : nullptr);
    }
    lives_.resize(config_.targets.size());
    states_.resize(config_.targets.size());
    for (std::size_t i = 0; i < lives_.size(); ++i) {
      const Target& target = config_.targets[i];
      index_[target.id] = i;
      if (target.prices && target.prices->timed.empty()) lives_[i].rates.emplace(*target.prices);
    }
    pool_requests_.resize(config_.backends.size());
    tokens_served_.resize(config_.backends.size());
    for (const Constraint& constraint : config_.constraints) world_.constraints.push_back({constraint.name, 0, 0, 0});
    warm_up();
  }

  World run(const OnProgress& on_progress) {
    const std::size_t count = in_.traffic.requests.size();
    world_.served.resize(count);
    world_.blocks.resize(blocks_.count());
    for (const Target& target : config_.targets) world_.targets.emplace_back(text(target.id));
    const std::vector<Arrival> arrivals = arrivals_of(in_, blocks_);
    std::size_t done = 0;
    for (const Arrival& arrival : arrivals) {
      if (++done % progress_every == 0 && on_progress) on_progress(static_cast<double>(done) / static_cast<double>(arrivals.size()));
      reach(arrival.at_us);
      arrive(arrival);
    }
    const auto end = static_cast<double>(blocks_.end_us - blocks_.begin_us);
    reach(end);
    close_blocks_until(blocks_.count());
    note_pools(end);
    // Work under way at the end is finished for its own figures; its pools' bill is not counted any more.
    constexpr double a_day_us = 86'400e6;
    advance(end + a_day_us);
    world_.budgets = budgets_.results();
    return std::move(world_);
  }

 private:
  /// An attempt under way.
  struct Job {
    std::uint32_t request = 0;
    std::uint16_t copy = 0;
    std::uint16_t target = 0;
    Usage usage;
    UsageSource source = UsageSource::none;
    double began_us = 0, first_us = 0;
    Usd tokens;
    bool unpriced = false, exact = false, cold = false;
    RequestFacts::Conversation before;
  };
  void warm_up() {
    std::vector<std::size_t> learned(lives_.size(), 0);
    for (const RecordedRequest& request : in_.traffic.requests) {
      const RecordedTry* const tries = in_.traffic.tries_of(request);
      for (std::uint8_t i = 0; i < request.tries; ++i) {
        const auto found = index_.find(tries[i].target);
        if (found == index_.end() || learned[found->second] >= warm_up_tries) continue;
        if (!tries[i].result.is_ok() || tries[i].usage_source != UsageSource::exact) continue;
        ++learned[found->second];
        const std::int64_t bytes = request.has_facts ? static_cast<std::int64_t>(request.facts.text_bytes) : 0;
        lives_[found->second].learned.learn(bytes, 0, tries[i].usage);
      }
    }
    for (std::size_t target = 0; target < lives_.size(); ++target) {
      const TargetSpeed& speed = in_.speeds.of(target);
      if (speed.source == SpeedSource::everything) continue;
      const double output = lives_[target].learned.now().output_tokens_mean;
      const ServiceTime time = speed.time(500, output);
      lives_[target].learned.waited(static_cast<std::int64_t>(time.first_token_us));
      lives_[target].learned.took(static_cast<std::int64_t>(time.whole_us), static_cast<std::int64_t>(time.whole_us - time.first_token_us),
                                  static_cast<std::int64_t>(output), MonoTime{});
      steering_.know(config_.targets[target].backend, time.whole_us * 1e-6);
    }
    for (const RecordedPool& pool : in_.traffic.pools) {
      for (std::size_t i = 0; i < config_.backends.size(); ++i) {
        if (text(config_.backends[i].name) != pool.pool) continue;
        std::int64_t tokens = 0;
        for (const RecordedTry& one : in_.traffic.tries) {
          const auto found = index_.find(one.target);
          if (found != index_.end() && config_.targets[found->second].backend == i) tokens += one.usage.total_input().count() + one.usage.total_output().count();
        }
        if (tokens > 0) set_loaded(i, pool.lines.billed, tokens);
      }
    }
  }

  void set_loaded(std::size_t backend, UsdSum billed, std::int64_t tokens) {
    const Int128 per_million = billed.picodollars() * 1'000'000 / tokens;
    const auto bounded = static_cast<std::int64_t>(std::min<Int128>(per_million, std::numeric_limits<std::int64_t>::max()));
    for (std::size_t i = 0; i < config_.targets.size(); ++i) {
      if (config_.targets[i].backend == backend) states_[i].loaded_usd_per_million_tokens = Usd{bounded};
    }
  }

  // -- time --

  /// Everything that happens until then, block by block.
  void reach(double to_us) {
    const std::size_t block = blocks_.of(blocks_.begin_us + static_cast<std::int64_t>(to_us));
    close_blocks_until(block);
    advance(to_us);
    if (to_us - loaded_at_us_ < loaded_refresh_us) return;
    loaded_at_us_ = to_us;
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      if (engines_[i] && tokens_served_[i] > 0) set_loaded(i, engines_[i]->status(to_us).billed, tokens_served_[i]);
    }
  }

  void close_blocks_until(std::size_t block) {
    for (; closed_blocks_ < block; ++closed_blocks_) {
      const double end = std::min(static_cast<double>(closed_blocks_ + 1) * static_cast<double>(blocks_.block_us),
                                  static_cast<double>(blocks_.end_us - blocks_.begin_us));
      advance(end);
      UsdSum billed;
      for (const auto& engine : engines_) {
        if (engine) billed += engine->status(end).billed;
      }
      world_.blocks[closed_blocks_].pools_usd = billed - billed_before_;
      billed_before_ = billed;
    }
  }

  void advance(double to_us) {
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      if (engines_[i]) engines_[i]->advance(to_us, [&](const Engine::Finished& done) { finish(done.request, done.ended_us, done.charge); });
    }
    while (!managed_.empty() && managed_.top().at_us <= to_us) {
      const Ending next = managed_.top();
      managed_.pop();
      finish(next.job, next.at_us, Usd{});
    }
  }

  // -- one request --

  void arrive(const Arrival& arrival) {
    const RecordedRequest& request = in_.traffic.requests[arrival.request];
    const RecordedTry* const tries = in_.traffic.tries_of(request);
    Served served;
    served.route = request.route;
    if (refused_for_good(request)) {
      served.as_recorded = true;
      served.result = request.result;
      return keep(arrival, served);
    }
    replayed_.assign(request, tries);
    const RequestFacts::Conversation before = request.has_facts ? turns_.find(request.facts.conversation, request.arrived_us) : RequestFacts::Conversation{};
    replayed_.set_conversation(before);
    steering_.reach(arrival.at_us, clock(request), engines_);
    bring_up_states(request, arrival.at_us);
    const Result<Plan> plan = decide_it(request, served);
    note_coverage(request, plan);
    if (!plan) {
      served.result = RowResult::of(plan.error().fault);
      if (request.tries > 0) served.lost = Lost::refused;
      return keep(arrival, served);
    }
    served.route = plan.value().route;
    steering_.decided(plan.value());
    serve(arrival, request, tries, plan.value(), before, served);
  }

  Result<Plan> decide_it(const RecordedRequest& request, Served& served) {
    Result<Plan> plan = decide(replayed_.facts(), config_, states_);
    if (!replayed_.has_unknown() || !request.has_facts) {
      served.unknown_facts = !request.has_facts;
      return plan;
    }
    const Result<Plan> other = decide(replayed_.facts(Unknown::holds), config_, states_);
    served.unknown_facts = plan.has_value() != other.has_value() ||
                           (plan && (plan.value().route != other.value().route || plan.value().steps.front().target != other.value().steps.front().target));
    static_cast<void>(replayed_.facts());
    return plan;
  }

  void note_coverage(const RecordedRequest& request, const Result<Plan>& plan) {
    if (config_.constraints.empty()) return;
    const std::uint64_t covered = covered_by(replayed_.facts(), config_);
    const std::uint64_t perhaps = replayed_.has_unknown() ? covered_by(replayed_.facts(Unknown::holds), config_) : covered;
    if (replayed_.has_unknown()) static_cast<void>(replayed_.facts());
    const bool refused = !plan && plan.error().fault == Fault::constraint_unsatisfied;
    for (std::size_t i = 0; i < world_.constraints.size() && i < constraints_max; ++i) {
      const bool is = (covered >> i & 1U) != 0;
      world_.constraints[i].covered += is ? 1 : 0;
      world_.constraints[i].refused += is && refused ? 1 : 0;
      world_.constraints[i].unknown += (!is && (perhaps >> i & 1U) != 0) || !request.has_facts ? 1 : 0;
    }
  }

  void bring_up_states(const RecordedRequest& request, double now_us) {
    note_health(request, now_us);
    for (std::size_t i = 0; i < states_.size(); ++i) {
      TargetState& state = states_[i];
      TargetLife& life = lives_[i];
      const Target& target = config_.targets[i];
      const Backend& backend = config_.backend_of(target);
      state.availability = life.down_until_us > now_us ? Availability::unreachable : Availability::up;
      state.in_flight = life.in_flight;
      if (steering_.is_on()) state.stance = steering_.stance_of(target.backend);
      if (const Engine* const engine = engines_[target.backend].get(); engine != nullptr && backend.is_scraped()) {
        state.engine_running = static_cast<std::int32_t>(engine->running());
        state.engine_waiting = static_cast<std::int32_t>(engine->waiting());
      }
      if (backend.pool && backend.pool->billing == Billing::serverless) {
        const PoolStatus pool = engines_[target.backend]->status(now_us);
        note_workers(*backend.pool, {pool.workers_up, pool.workers_booting, pool.in_flight}, state);
      }
      state.was_saturated = life.was_saturated;
      life.was_saturated = state.was_saturated = is_saturated(target, state, config_.spill_over);
      const Books::Learned learned = life.learned.now();
      state.input_bytes_per_token = learned.input_bytes_per_token;
      state.output_tokens_mean = learned.output_tokens_mean;
      state.first_token_mean = learned.first_token_mean;
      state.output_token_mean = learned.output_token_mean;
      state.duration_mean = learned.duration_mean;
      state.seconds_per_output_token = learned.seconds_per_output_token;
      if (target.prices && !target.prices->timed.empty()) state.prices_now = &prices_at(*target.prices, clock(request));
    }
  }

  void note_health(const RecordedRequest& request, double now_us) {
    if (!request.has_facts) return;
    const Rules::Translation& translation = in_.rules.translation_of(request.facts.asked);
    for (std::size_t bit = 0; bit < translation.targets.size(); ++bit) {
      const std::int16_t target = translation.targets[bit];
      if (target < 0) continue;
      TargetLife& life = lives_[static_cast<std::size_t>(target)];
      if ((request.facts.down >> bit & 1U) != 0) life.down_until_us = now_us + static_cast<double>(down_holds_us);
      if (request.facts.first == bit) life.down_until_us = -1;
    }
  }

  static std::chrono::sys_seconds clock(const RecordedRequest& request) noexcept {
    return std::chrono::sys_seconds(std::chrono::seconds(request.arrived_us / 1'000'000));
  }

  /// The plan's targets in order, until one answers.
  void serve(const Arrival& arrival, const RecordedRequest& request, const RecordedTry* tries, const Plan& plan, const RequestFacts::Conversation& before, Served& served) {
    served.why = plan.steps.front().why;
    note_lost(request, tries, plan, served);
    unsigned attempts = 0;
    bool answered = false;
    for (const Step& step : plan.steps) {
      if (attempts++ == config_.attempts_max) break;
      const auto target = static_cast<std::size_t>(step.target - config_.targets.data());
      const RecordedTry* recorded = nullptr;
      for (std::uint8_t i = 0; i < request.tries; ++i) {
        if (tries[i].target == step.target->id) recorded = &tries[i];
      }
      served.target = static_cast<std::int16_t>(target);
      if (recorded != nullptr && recorded->result.is_lost_hedge()) {
        // Slow there, as it was; without hedges it would have answered all the same.
        if (plan.rule != nullptr && plan.rule->hedge.is_on && &step != &plan.steps.back()) {
          charge_tokens(*recorded, target, request, served);
          continue;
        }
        recorded = nullptr;
      }
      if (recorded != nullptr && !recorded->result.is_ok()) {
        served.result = recorded->result;
        charge_failure(*recorded, target, request, served);
        if (recorded->result.value == static_cast<std::uint8_t>(Fault::client_gone) || facts_of(static_cast<Fault>(recorded->result.value)).again == Again::no) break;
        continue;
      }
      served.result = RowResult::ok();
      if (plan.rule != nullptr && plan.rule->hedge.is_on) charge_later_hedge(request, tries, recorded, served);
      begin(arrival, request, tries, recorded, target, before, served);
      answered = true;
      break;
    }
    if (!answered) keep(arrival, served);
  }

  void note_lost(const RecordedRequest& request, const RecordedTry* tries, const Plan& plan, Served& served) const {
    const NameId was = request.tries > 0 ? tries[0].target : request.target;
    if (was == NameId::none || plan.steps.front().target->id == was) return;
    served.lost = index_.contains(was) ? Lost::not_among : Lost::gone;
    for (const Step& step : plan.steps) {
      if (step.target->id == was) served.lost = step.is_saturated && !plan.steps.front().is_saturated ? Lost::saturated : Lost::behind;
    }
    for (const RuledOut& out : plan.ruled_out) {
      if (out.target->id != was) continue;
      served.lost = Lost::ruled_out;
      served.lost_why = out.why;
      served.lost_by = out.why == Why::constraint ? out.constraint : NameId::none;
    }
  }

  /// What failed there fails there: at the same cost in tokens. The time of pools it took is not counted again.
  void charge_failure(const RecordedTry& recorded, std::size_t target, const RecordedRequest& request, Served& served) {
    ++world_.failed_attempts;
    charge_tokens(recorded, target, request, served);
  }

  /// The second attempt beside one that answered: it was cut off, and is again.
  void charge_later_hedge(const RecordedRequest& request, const RecordedTry* tries, const RecordedTry* answered, Served& served) {
    for (const RecordedTry* each = answered; each != nullptr && each < tries + request.tries; ++each) {
      if (!each->result.is_lost_hedge()) continue;
      if (const auto target = index_.find(each->target); target != index_.end()) charge_tokens(*each, target->second, request, served);
    }
  }

  void charge_tokens(const RecordedTry& recorded, std::size_t target, const RecordedRequest& request, Served& served) {
    if (nothing_sent(recorded.result) || refused_unbilled(recorded.result) || recorded.usage_source == UsageSource::none) return;
    const std::optional<Usd> charge = token_charge_of(target, recorded.usage, request);
    if (charge) served.tokens += *charge;
  }

  /// nullopt: not known. Zero where tokens are not billed.
  std::optional<Usd> token_charge_of(std::size_t target, const Usage& usage, const RecordedRequest& request) const {
    const Target& to = config_.targets[target];
    if (!to.prices) return config_.backend_of(to).pool ? std::optional(Usd{}) : std::nullopt;
    const AskedTier tier = request.has_facts ? request.facts.service_tier : AskedTier::none;
    if (tier == AskedTier::none && lives_[target].rates) {
      if (!lives_[target].rates->cover(usage)) return std::nullopt;
      return token_charge(usage, *lives_[target].rates).total();
    }
    const TokenPrices* const prices = prices_of_tier(prices_at(*to.prices, clock(request)), name_of(tier));
    if (prices == nullptr) return std::nullopt;
    const TokenRates rates(*prices);
    if (!rates.cover(usage)) return std::nullopt;
    return token_charge(usage, rates).total();
  }

  void begin(const Arrival& arrival, const RecordedRequest& request, const RecordedTry* tries, const RecordedTry* here, std::size_t target,
             const RequestFacts::Conversation& before, Served& served) {
    Job job;
    job.request = arrival.request;
    job.copy = arrival.copy;
    job.target = static_cast<std::uint16_t>(target);
    job.before = before;
    const RecordedTry* const known = here != nullptr && here->usage_source != UsageSource::none ? here : answering(request, tries);
    if (known != nullptr) {
      job.usage = known == here ? known->usage : without_cache(known->usage);
      job.source = known->usage_source;
    } else {
      job.usage.input = input_tokens_of(replayed_.chat(), states_[target]);
      job.usage.output = output_tokens_of(replayed_.chat(), states_[target]);
      served.guessed_usage = true;
    }
    const std::optional<Usd> charge = token_charge_of(target, job.usage, request);
    served.tokens += charge.value_or(Usd{});
    served.unpriced = !charge;
    const ServiceTime work = in_.speeds.of(target).time(static_cast<double>(job.usage.total_input().count()), static_cast<double>(job.usage.total_output().count()));
    job.began_us = arrival.at_us;
    const std::uint64_t number = jobs_begun_++;
    ++lives_[target].in_flight;
    const std::size_t backend = config_.targets[target].backend;
    if (engines_[backend]) {
      const std::uint64_t booted = engines_[backend]->cold_starts();
      job.first_us = engines_[backend]->begin(number, work, arrival.at_us);
      job.cold = engines_[backend]->cold_starts() != booted;
      ++pool_requests_[backend];
    } else {
      job.first_us = work.first_us_or_whole();
      managed_.push({arrival.at_us + std::max(1.0, work.whole_us), number});
    }
    jobs_.emplace(number, job);
    keep(arrival, served);
  }

  void finish(std::uint64_t number, double at_us, Usd gpu) {
    const auto found = jobs_.find(number);
    const Job job = found->second;
    jobs_.erase(found);
    const RecordedRequest& request = in_.traffic.requests[job.request];
    TargetLife& life = lives_[job.target];
    --life.in_flight;
    const std::int64_t tokens = job.usage.total_input().count() + job.usage.total_output().count();
    tokens_served_[config_.targets[job.target].backend] += tokens;
    const double took = at_us - job.began_us;
    steering_.served(config_.targets[job.target].backend, !job.cold, took);
    if (job.source == UsageSource::exact) {
      life.learned.learn(request.has_facts ? static_cast<std::int64_t>(request.facts.text_bytes) : 0, 0, job.usage);
    }
    life.learned.paced(static_cast<std::int64_t>(took), job.usage.total_output().count());
    life.learned.waited(static_cast<std::int64_t>(job.first_us));
    const bool streams = request.stream && took > job.first_us;
    life.learned.took(static_cast<std::int64_t>(took), streams ? static_cast<std::int64_t>(took - job.first_us) : 0,
                      streams ? job.usage.total_output().count() - 1 : 0, MonoTime{});
    if (request.has_facts) turns_.note(request.facts.conversation, job.before, config_.targets[job.target].id, job.usage, job.source, request.arrived_us);
    tally_.answered(request, took);
    if (gpu != Usd{}) {
      tally_.add_gpu(request, static_cast<std::int16_t>(job.target), world_.served[job.request].route, tier_of_world(request), gpu);
      budgets_.spend(request, config_.targets[job.target].id, gpu, false);
    }
    if (job.copy != 0) return;
    Served& served = world_.served[job.request];
    served.gpu += gpu;
    served.whole_ms = static_cast<float>(took / 1000);
    served.first_token_ms = static_cast<float>(std::min(job.first_us, took) / 1000);
  }

  [[nodiscard]] Tier tier_of_world(const RecordedRequest& request) const noexcept {
    return tier_of(request.has_facts ? request.facts.score : request.score, config_.tiers);
  }

  /// Everything of a request that is known when it is decided.
  void keep(const Arrival& arrival, const Served& served) {
    const RecordedRequest& request = in_.traffic.requests[arrival.request];
    NameId target{};
    double capability = 1;
    if (served.target != Served::nowhere) {
      const auto index = static_cast<std::size_t>(served.target);
      target = config_.targets[index].id;
      capability = in_.trusted_capability.empty() ? config_.targets[index].capability : in_.trusted_capability[index];
      budgets_.spend(request, target, served.tokens, true);
    }
    tally_.decided(request, served, target, capability, tier_of_world(request));
    if (arrival.copy == 0) world_.served[arrival.request] = served;
  }

  // -- the end --

  void note_pools(double end_us) {
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      if (!engines_[i]) continue;
      PoolWorld pool = pool_world(*engines_[i], in_.speeds.pools[i].full_speed, end_us);
      pool.backend = i;
      pool.requests = pool_requests_[i];
      steering_.note(i, end_us, pool);
      world_.pools.push_back(pool);
    }
  }

  const Scenario& in_;
  const Blocks& blocks_;
  const Config& config_;
  Replayed replayed_;
  LastTurns turns_;
  Steering steering_;
  std::vector<std::unique_ptr<Engine>> engines_;   // by backend; nullptr: no pool
  std::vector<TargetLife> lives_;
  std::vector<TargetState> states_;
  std::map<NameId, std::size_t> index_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> managed_;
  std::unordered_map<std::uint64_t, Job> jobs_;
  std::uint64_t jobs_begun_ = 0;
  std::vector<std::int64_t> pool_requests_, tokens_served_;
  BudgetWatch budgets_;
  World world_;
  Tally tally_;
  std::size_t closed_blocks_ = 0;
  UsdSum billed_before_;
  double loaded_at_us_ = 0;
};

}  // namespace

World run(const Scenario& scenario, const Blocks& blocks, const OnProgress& on_progress) { return Simulation(scenario, blocks).run(on_progress); }

}  // namespace tollgate::simulate
