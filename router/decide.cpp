// route → constraints → abilities → availability → choice. "Every request goes to the cheapest backend that may take it,
// can do it, and is up": the order of that sentence is the order here.

#include <algorithm>
#include <optional>
#include <string>

#include "router/abilities.hpp"
#include "router/choose.hpp"
#include "router/constraints.hpp"
#include "router/forecast.hpp"
#include "router/routes.hpp"
#include "router/screening.hpp"
#include "router/wording.hpp"

namespace tollgate {
namespace {

using Indices = boost::container::small_vector<std::size_t, 24>;

/// A target of which no state is given counts as up and idle: `explain` asks without a running gateway.
const TargetState& state_of(std::span<const TargetState> states, std::size_t index) noexcept {
  static constexpr TargetState unknown{};
  return index < states.size() ? states[index] : unknown;
}

Why why_of(Availability availability) noexcept {
  switch (availability) {
    case Availability::breaker_open:
      return Why::breaker_open;
    case Availability::unreachable:
      return Why::unreachable;
    default:
      return Why::draining;
  }
}

/// One decision under way. Each step takes the targets that the one before left.
class Decision {
 public:
  Decision(const RequestFacts& facts, const Config& config, std::span<const TargetState> states, Candidates candidates)
      : facts_(facts), config_(config), states_(states), candidates_(std::move(candidates)) {
    plan_.route = candidates_.route;
    plan_.rule = candidates_.rule;
    plan_.complexity = facts.complexity;
    left_.assign(candidates_.among.begin(), candidates_.among.end());
  }

  Result<Plan> decide() {
    const ActiveConstraints active = constraints_on(facts_, config_);
    if (const Constraint* const rejects = active.rejects()) return rejected(*rejects);
    may_take_it(active);
    if (left_.empty()) return nothing_allowed();
    can_do_it();
    if (left_.empty()) return nothing_able();
    is_good_enough();
    if (left_.empty()) return nothing_good_enough();
    is_up();
    if (left_.empty()) return nothing_up();
    order();
    return std::move(plan_);
  }

 private:
  void may_take_it(const ActiveConstraints& active) {
    if (active.empty()) return;
    keep([&](std::size_t index) {
      const Constraint* const forbids = active.forbids(config_.targets[index]);
      if (forbids != nullptr) rule_out(index, Why::constraint, forbids->name);
      return forbids == nullptr;
    });
  }

  void can_do_it() {
    keep([&](std::size_t index) {
      const std::optional<Why> lacks = lacking(*facts_.chat, config_.targets[index], state_of(states_, index));
      if (lacks) rule_out(index, *lacks);
      return !lacks;
    });
  }

  void is_good_enough() {
    if (candidates_.direct) return;  // who names a target has judged its capability
    if (candidates_.rule->min_capability > 0) {
      keep([&](std::size_t index) {
        const bool enough = config_.targets[index].capability >= candidates_.rule->min_capability;
        if (!enough) rule_out(index, Why::min_capability);
        return enough;
      });
    }
    // Trusted ones; where there is none, the most capable: better an answer than none.
    double most = 0;
    for (const std::size_t index : left_) most = std::max(most, config_.targets[index].capability);
    const float asked = std::min(facts_.complexity.score, static_cast<float>(most));
    keep([&](std::size_t index) {
      const bool trusted = is_trusted_with(config_.targets[index], asked);
      if (!trusted) rule_out(index, Why::capability);
      return trusted;
    });
  }

  void is_up() {
    keep([&](std::size_t index) {
      const Availability availability = state_of(states_, index).availability;
      const bool up = availability == Availability::up || availability == Availability::ejected || availability == Availability::connecting;
      if (!up) rule_out(index, why_of(availability));
      return up;
    });
    spare_those_at_rest();
  }

  /// Targets whose provider's rate limit is used up, those ejected as outliers, and those to which no connection comes about, get nothing while others can; if there are none,
  /// they are better than nothing.
  void spare_those_at_rest() {
    const auto rest_of = [&](std::size_t index) -> std::optional<RuledOut> {
      const TargetState& state = state_of(states_, index);
      RuledOut out{&config_.targets[index], Why::rate_limited, {}, state.limited_for};
      if (state.limited_for.count() > 0) return out;
      if (state.tokens_left >= 0) {
        const std::int64_t lacking_tokens = input_tokens_of(*facts_.chat, state).count() - state.tokens_left;
        if (lacking_tokens > 0) {
          if (state.tokens_per_second > 0) out.expected = std::chrono::microseconds{lacking_tokens * 1'000'000 / state.tokens_per_second};
          return out;
        }
      }
      if (state.availability != Availability::ejected && state.availability != Availability::connecting) return std::nullopt;
      out.why = state.availability == Availability::ejected ? Why::ejected : Why::connecting;
      return out;
    };
    if (!std::any_of(left_.begin(), left_.end(), [&](std::size_t index) { return !rest_of(index); })) return;
    keep([&](std::size_t index) {
      const std::optional<RuledOut> rests = rest_of(index);
      if (rests) plan_.ruled_out.push_back(*rests);
      return !rests;
    });
  }

  void order() {
    Usables usable;
    for (const std::size_t index : left_) usable.push_back(usable_of(index));
    const bool none_in_time = !keep_those_in_time(usable);
    choose(usable, candidates_, facts_.dice, plan_);
    if (none_in_time) plan_.steps.front().why = Why::in_time;
  }

  [[nodiscard]] Usable usable_of(std::size_t index) const {
    const Target& target = config_.targets[index];
    const Backend& backend = config_.backend_of(target);
    const TargetState& state = state_of(states_, index);
    const ChatView& chat = *facts_.chat;
    const CostBasis basis = candidates_.cost_basis;
    Usable usable{};
    usable.target = &target;
    usable.saturated = is_saturated(target, state, config_.spill_over);
    usable.in_conversation = stays_in_conversations() && facts_.conversation.target == target.id;
    usable.without_cache = forecast_of(chat, target, backend, state, basis, usable.saturated);
    usable.forecast = usable.if_free = usable.without_cache;
    if (usable.in_conversation) {
      usable.cached = std::min(facts_.conversation.cached, input_tokens_of(chat, state));
      usable.forecast = forecast_of(chat, target, backend, state, basis, usable.saturated, usable.cached);
    }
    if (is_steered(candidates_)) steer(usable, target, backend, state);
    if (usable.saturated) usable.if_free = forecast_of(chat, target, backend, state, basis, false, usable.cached);
    if (asks_for_speed()) {
      usable.waits = waits_of(chat, target, state);
      if (usable.stance != nullptr && !usable.stance->warm) wait_for_boot(*usable.stance, usable.waits);
      usable.wait = usable.wait_if_free = usable.waits.until_answer(chat);
      if (usable.wait > usable.waits.queue) usable.wait_if_free -= usable.waits.queue;
    }
    usable.weight = weight_of(index);
    return usable;
  }

  void steer(Usable& usable, const Target& target, const Backend& backend, const TargetState& state) const {
    if (backend.pool && backend.pool->billing == Billing::serverless) {
      usable.stance = state.stance ? &*state.stance : nullptr;
      usable.standing = !state.stance || !state.stance->open() ? Standing::closed
                        : at_pool(target.backend) < state.stance->places ? Standing::open
                                                                         : Standing::full;
      return;
    }
    if (backend.pool && backend.pool->billing != Billing::reported) return;
    // Billed by the call: what it costs is known by what its calls cost so far.
    if (backend.pool) usable.forecast = usable.without_cache = usable.if_free = forecast_of(*facts_.chat, target, backend, state, CostBasis::marginal, true);
    usable.standing = usable.forecast.known ? Standing::priced : Standing::unpriced;
  }

  /// Requests of this gateway under way at a pool, whatever the model.
  [[nodiscard]] std::uint32_t at_pool(std::size_t backend) const noexcept {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < config_.targets.size(); ++i) {
      if (config_.targets[i].backend == backend) sum += state_of(states_, i).in_flight;
    }
    return sum;
  }

  /// No worker is up, or it boots still: nothing comes sooner, whatever was learned while one was up.
  static void wait_for_boot(const PoolStance& stance, Waits& waits) noexcept {
    const std::chrono::microseconds boot{stance.cold_start_us};
    waits.first_token = std::max(waits.first_token, boot);
    waits.whole = std::max(waits.whole, boot);
  }

  [[nodiscard]] bool asks_for_speed() const noexcept {
    const Route* const rule = candidates_.rule;
    return rule != nullptr && (rule->choose == Choose::fastest || rule->first_token.count() > 0 || rule->deadline.count() > 0);
  }

  [[nodiscard]] bool stays_in_conversations() const noexcept {
    if (candidates_.rule == nullptr || !candidates_.rule->sticky) return false;
    return candidates_.choose == Choose::cheapest || candidates_.choose == Choose::weighted;
  }

  [[nodiscard]] std::uint32_t weight_of(std::size_t index) const noexcept {
    for (std::size_t i = 0; i < candidates_.weights.size(); ++i) {
      if (candidates_.among[i] == index) return candidates_.weights[i];
    }
    return 1;
  }

  /// Rules out what is expected to take too long; what is not known is given its chance. If nothing were left, the
  /// fastest stays: late is better than never. False: that is so.
  bool keep_those_in_time(Usables& usable) {
    const Route* const rule = candidates_.rule;
    if (rule == nullptr || (rule->first_token.count() == 0 && rule->deadline.count() == 0)) return true;
    const auto over = [](std::chrono::microseconds expected, milliseconds limit) {
      return limit.count() > 0 && expected > limit;
    };
    const auto too_late = [&](const Usable& each) {
      return over(each.waits.first_token, rule->first_token) || over(each.waits.whole, rule->deadline);
    };
    const auto rule_out_late = [&](const Usable& each) {
      const bool by_first = over(each.waits.first_token, rule->first_token);
      plan_.ruled_out.push_back({each.target, by_first ? Why::first_token : Why::deadline, {},
                                 by_first ? each.waits.first_token : each.waits.whole});
    };
    const bool any = !std::all_of(usable.begin(), usable.end(), too_late);
    const Target* fastest = nullptr;
    if (!any) {
      const bool by_first = rule->first_token.count() > 0;
      const auto wait = [by_first](const Usable& each) { return by_first ? each.waits.first_token : each.waits.whole; };
      fastest = std::min_element(usable.begin(), usable.end(), [&](const Usable& a, const Usable& b) {
                  return (wait(a).count() == 0) != (wait(b).count() == 0) ? wait(b).count() == 0 : wait(a) < wait(b);
                })->target;
    }
    const auto goes = [&](const Usable& each) { return each.target != fastest && too_late(each); };
    for (const Usable& each : usable) {
      if (goes(each)) rule_out_late(each);
    }
    usable.erase(std::remove_if(usable.begin(), usable.end(), goes), usable.end());
    return any;
  }

  template <class Keeps>
  void keep(Keeps keeps) {
    left_.erase(std::remove_if(left_.begin(), left_.end(), [&](std::size_t index) { return !keeps(index); }),
                left_.end());
  }
  void rule_out(std::size_t index, Why why, NameId constraint = {}) {
    plan_.ruled_out.push_back({&config_.targets[index], why, constraint, {}});
  }

  /// Names the constraint and the kinds that were found, never a value.
  Error rejected(const Constraint& constraint) const {
    std::string message = "constraint " + std::string(text(constraint.name)) + " rejects this request";
    if (facts_.screening != nullptr && !facts_.screening->readable()) {
      message += ": it holds a part that cannot be read, such as token numbers or a file";
    } else if (constraint.when.pii.any() && facts_.screening != nullptr) {
      message += ": it holds " + text_of(facts_.screening->kinds() & constraint.when.pii) + "; remove it and send the request again";
    } else if (constraint.when.keywords) {
      message += ": it holds a word that the constraint lists";
    }
    Error error = fail(Fault::constraint_unsatisfied, std::move(message), facts_.chat->surface == Surface::chat ? "messages" : "");
    error.code = "constraint_rejected";
    return error;
  }

  Error nothing_allowed() const {
    if (plan_.ruled_out.empty()) {
      return fail(Fault::unsupported,
                  "route \"" + std::string(text(plan_.route)) + "\" has no targets; name some in `among`");
    }
    std::string names;
    boost::container::small_vector<NameId, 4> named;
    for (const RuledOut& out : plan_.ruled_out) {
      if (std::find(named.begin(), named.end(), out.constraint) != named.end()) continue;
      named.push_back(out.constraint);
      if (!names.empty()) names += ", ";
      names += text(out.constraint);
    }
    return fail(Fault::constraint_unsatisfied, (named.size() == 1 ? "constraint " : "constraints ") + names + " leave" +
                                                   (named.size() == 1 ? "s" : "") +
                                                   " no target for this request on route \"" +
                                                   std::string(text(plan_.route)) + "\"");
  }

  Error nothing_able() const {
    boost::container::small_vector<Why, 6> lacks;
    bool constrained = false;
    for (const RuledOut& out : plan_.ruled_out) {
      if (out.why == Why::constraint) {
        constrained = true;
      } else if (std::find(lacks.begin(), lacks.end(), out.why) == lacks.end()) {
        lacks.push_back(out.why);
      }
    }
    std::string message = "no target ";
    if (candidates_.direct) {
      message.append("of model \"")
          .append(facts_.chat->model)
          .append("\" ");  // a name of the configuration: it was found there
    } else {
      message.append("on route \"").append(text(plan_.route)).append("\" ");
    }
    for (std::size_t i = 0; i < lacks.size(); ++i) {
      if (i > 0) message += i + 1 < lacks.size() ? ", " : " and also ";
      message += ability_text(lacks[i]);
    }
    if (constrained) message += ", after constraints had ruled out others";
    const bool one = lacks.size() == 1;
    return fail(Fault::unsupported, std::move(message), one ? std::string(param_of(lacks.front())) : std::string());
  }

  /// Only where constraints or abilities took the better ones: a route without any is refused when it is loaded.
  [[nodiscard]] Error nothing_good_enough() const {
    return fail(Fault::unsupported, "no target on route \"" + std::string(text(plan_.route)) +
                                        "\" that may take this request and can do it reaches the route's min_capability of " +
                                        score_text(candidates_.rule->min_capability));
  }

  [[nodiscard]] std::string_view param_of(Why why) const noexcept {
    switch (why) {
      case Why::tools:
        return facts_.chat->tools > 0 ? "tools" : "messages";
      case Why::schema:
        return "response_format";
      case Why::images:
        return "messages";
      case Why::context:
        return facts_.chat->surface == Surface::chat ? "messages" : "";
      default:
        return "model";
    }
  }

  Error nothing_up() const {
    std::string message = "no target is usable now:";
    bool first = true;
    for (const RuledOut& out : plan_.ruled_out) {
      if (out.why != Why::breaker_open && out.why != Why::unreachable && out.why != Why::draining) continue;
      message += first ? " " : ", ";
      message.append(text(out.target->id)).append(" (").append(name_of(out.why)).append(")");
      first = false;
    }
    return fail(Fault::no_target_up, std::move(message));
  }

  const RequestFacts& facts_;
  const Config& config_;
  std::span<const TargetState> states_;
  Candidates candidates_;
  Indices left_;
  Plan plan_;
};

}  // namespace

Result<Plan> decide(const RequestFacts& facts, const Config& config, std::span<const TargetState> states) {
  TOLLGATE_TRY(Candidates candidates, find_route(facts, config, states));
  return Decision(facts, config, states, std::move(candidates)).decide();
}

}  // namespace tollgate
