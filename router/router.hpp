#pragma once
// The folder's public header: classify, decide, reasons (router/explain.hpp prints whole decisions). Knows: features, complexity,
// constraints, routes, forecasts, plans.
// Knows nothing of: sockets, wire formats, clocks. Everything here is a pure function of its arguments, in microseconds, on the
// caller's thread; the same code replays recorded traffic.
//
//    Complexity complexity = classify(chat, config.tiers);
//    Result<Plan> plan = decide(facts, config, states);     // errors: model_not_found, constraint_unsatisfied, no_target_up, unsupported
//    for (const Step& step : plan.value().steps) …

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "router/autopilot.hpp"
#include "router/chat_view.hpp"
#include "router/target_state.hpp"

namespace tollgate {

struct Complexity {
  float score = 0;         ///< [0,1]
  Tier tier = Tier::simple;
};
/// Bounded: looks at no more than `classify_bytes_max` bytes of text, however long the request is.
[[nodiscard]] Complexity classify(const ChatView& chat, const TierBounds& bounds) noexcept;
inline constexpr std::size_t classify_bytes_max = 16 * 1024;

class Screening;

struct HeaderField {
  std::string_view name, value;   ///< name in any case
};

/// All a decision may depend on.
struct RequestFacts {
  const ChatView* chat;
  Complexity complexity;
  std::span<const HeaderField> headers;
  NameId team{}, key{};
  const Screening* screening = nullptr;   ///< what stands in the text (router/screening.hpp); without it the chat's texts are read anew
  std::int64_t arrived_us = 0;             ///< since the Unix epoch: what conditions on time compare
  std::uint64_t dice = 0;                  ///< the same for the same request: what weighted choices are made by
  /// Where this conversation's last turn went, if that is not too long ago, and how much of this one its prompt cache should hold.
  struct Conversation {
    NameId target{};                       ///< none: a new one
    TokenCount cached;                     ///< 0: the provider was seen not to cache it
  } conversation = {};
};

enum class Why : std::uint8_t {
  // a step's reason for its place
  cheapest, first_listed, only_one, asked_for, fallback,
  // reasons to be ruled out
  constraint, capability, context, tools, images, schema, surface, breaker_open, unreachable, draining, saturated,
  // more reasons for a step's place
  fastest, weighted, sticky, spill_over, in_time,
  // more reasons to be ruled out
  min_capability, first_token, deadline, max_cost, budget, rate_limited, ejected, connecting,
  // a step's place on a route with autopilot
  autopilot
};
/// Where the autopilot puts a target that has room, the best first.
enum class Standing : std::uint8_t {
  paid_for,    ///< rented or owned: one more request costs nothing
  open,        ///< serverless, and its workers earn what they cost
  priced,      ///< billed by token or by call
  full,        ///< serverless, open, and all places that earn what they cost are taken
  closed,      ///< serverless, and it would cost more than it saves, or that is not known
  unpriced
};
[[nodiscard]] std::string_view name_of(Why why) noexcept;

struct Step {
  const Target* target;
  Usd forecast;                 ///< expected charge on the route's cost basis
  bool forecast_known = true;   ///< false: unpriced; such targets compete last
  Why why;
  bool is_saturated = false;
  TokenCount cached;            ///< of the input: expected to be read from the conversation's prompt cache
  std::chrono::microseconds first_token{0};   ///< expected, with the wait in a queue; 0: not known
  std::chrono::microseconds whole{0};         ///< expected time to the whole answer; 0: not known
  std::chrono::microseconds wait{0};          ///< what `fastest` compares: one of the two, as the client asked for a stream or not
  std::uint32_t weight = 1;     ///< of a weighted route
  Standing standing = Standing::paid_for;     ///< on a route with autopilot
  /// The autopilot keeps it behind what is billed by token.
  [[nodiscard]] bool is_held() const noexcept { return standing == Standing::full || standing == Standing::closed; }
};

struct RuledOut {
  const Target* target;
  Why why;
  NameId constraint{};          ///< which, if why is constraint; or which budget
  std::chrono::microseconds expected{0};      ///< if why is first_token or deadline; if rate_limited, for how long still; 0: not known
};

/// The ordered targets for one request and everything that was ruled out; points into the Config it was decided with.
struct Plan {
  NameId route{};               ///< "direct" when the client named a target
  Complexity complexity;
  const Route* rule = nullptr;  ///< nullptr: direct
  const Target* spilled_from = nullptr;   ///< saturated: would have come first otherwise
  /// Autopilot: the serverless pool that the choice turned on, and what was held of it.
  struct Steering {
    const Target* target;
    std::optional<PoolStance> stance;     ///< nullopt: nothing was known
  };
  std::optional<Steering> steering;       ///< none: no such route, or something paid for had room
  boost::container::small_vector<Step, 3> steps;
  boost::container::small_vector<RuledOut, 4> ruled_out;
};

[[nodiscard]] Result<Plan> decide(const RequestFacts& facts, const Config& config, std::span<const TargetState> states);

/// The kinds whose values must be replaced in the bytes that go to a target (router/mask.hpp); none: it gets the original.
struct MaskOrder {
  PiiKinds kinds;
  bool restore = false;         ///< put them back in the answer
};
/// What the constraints say of one request at one target.
struct Permission {
  NameId forbidden_by{};        ///< the constraint that keeps the request from the target in any form; none: none does
  MaskOrder mask;               ///< what must be masked on the way there
  /// The target may see the request's bytes as they came.
  explicit operator bool() const noexcept { return forbidden_by == NameId::none && !mask.kinds.any(); }
};
/// THE question before anything of a request leaves for a target: asked once more before every attempt of whatever kind (first tries,
/// retries, fallbacks, spill-over, cascades, hedges, shadow evaluations, judges, caches), never remembered from an earlier one.
///   - An attempt of the plan goes through Exchange::forward, which asks and masks.
///   - Every other call sends the request, or anything derived from it, only `if (permits(facts, config, target))`: it does not mask.
/// Either way the ledger row that holds the attempt has been given Books::covered(), or `tollgate prove` knows nothing of it.
/// `facts.screening` must be that of the request (it answers also when the text is gone; what it was never asked then counts as found).
[[nodiscard]] Permission permits(const RequestFacts& facts, const Config& config, const Target& target);
/// Its parts, where only one is wanted.
[[nodiscard]] NameId forbidden_by(const RequestFacts& facts, const Config& config, const Target& target);
[[nodiscard]] MaskOrder mask_order(const RequestFacts& facts, const Config& config, const Target& target);
/// Which constraints cover the request: bit i is Config::constraints[i].
[[nodiscard]] std::uint64_t covered_by(const RequestFacts& facts, const Config& config);

/// A step in words, for the x-tollgate-reason header and logs: "cheapest of 2 that can: $0.000012 against $0.0031". Printable ASCII.
[[nodiscard]] std::string reason_text(const Plan& plan, std::size_t step);

}  // namespace tollgate
