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
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
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

struct HeaderField {
  std::string_view name, value;   ///< name in any case
};

/// All a decision may depend on.
struct RequestFacts {
  const ChatView* chat;
  Complexity complexity;
  std::span<const HeaderField> headers;
  NameId team{}, key{};
};

enum class Why : std::uint8_t {
  // a step's reason for its place
  cheapest, first_listed, only_one, asked_for, fallback,
  // reasons to be ruled out
  constraint, capability, context, tools, images, schema, surface, breaker_open, unreachable, draining, saturated
};
[[nodiscard]] std::string_view name_of(Why why) noexcept;

struct Step {
  const Target* target;
  Usd forecast;                 ///< expected charge on the route's cost basis
  bool forecast_known = true;   ///< false: unpriced; such targets compete last
  Why why;
};

struct RuledOut {
  const Target* target;
  Why why;
  NameId constraint{};          ///< which, if why is constraint
};

/// The ordered targets for one request and everything that was ruled out; points into the Config it was decided with.
struct Plan {
  NameId route{};               ///< "direct" when the client named a target
  Complexity complexity;
  boost::container::small_vector<Step, 3> steps;
  boost::container::small_vector<RuledOut, 4> ruled_out;
};

[[nodiscard]] Result<Plan> decide(const RequestFacts& facts, const Config& config, std::span<const TargetState> states);

/// Asked again before every attempt: does any constraint forbid this target for this request? The constraint's name, or none.
[[nodiscard]] NameId forbidden_by(const RequestFacts& facts, const Config& config, const Target& target);

/// A step in words, for the x-tollgate-reason header and logs: "cheapest of 2 that can: $0.000012 against $0.0031". Printable ASCII.
[[nodiscard]] std::string reason_text(const Plan& plan, std::size_t step);

}  // namespace tollgate
