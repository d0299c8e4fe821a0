#pragma once
// Whether the past can be told again: each recorded request is decided once more by the configuration that was in force, with the state
// that its own record shows, and what its attempts used is priced once more. What comes out is held against the ledger.
//
// A decision depends on recorded facts where nothing that the gateway had learned could have turned it: the length of answers, speeds,
// loads of routes' conditions, conversations' caches. Those are replayed too, from the traffic itself, and counted apart.

#include <string>
#include <vector>

#include "simulate/bootstrap.hpp"
#include "simulate/rules.hpp"
#include "simulate/world.hpp"

namespace tollgate::simulate {

/// What the ledger does not keep and a decision may turn on.
enum class Depends : std::uint8_t { recorded, learned_lengths, speed, load, conversation, unknown_facts, autopilot };
inline constexpr std::size_t depends_count = 7;
[[nodiscard]] std::string_view name_of(Depends depends) noexcept;

struct Fidelity {
  struct Count {
    std::int64_t decisions = 0, same = 0;
  };
  std::array<Count, depends_count> by{};
  std::int64_t without_facts = 0;              ///< recorded before facts were kept: cannot be decided again
  std::int64_t other_configuration = 0;        ///< decided by other rules or targets than these; they are in `by` all the same
  struct Difference {
    RequestId id{};
    std::string recorded, replayed;            ///< "route: target", or the fault
  };
  std::vector<Difference> differences;         ///< the first few that depended on recorded facts
  UsdSum recorded_usd, replayed_usd;           ///< of attempts that both know a price for
  Interval replayed_interval;                  ///< 95 %, in USD
  std::int64_t unpriced = 0;                   ///< attempts that only one of the two can price

  [[nodiscard]] const Count& of(Depends depends) const noexcept { return by[static_cast<std::size_t>(depends)]; }
  [[nodiscard]] Count of_state() const noexcept;   ///< all but those that depend on recorded facts alone
  [[nodiscard]] bool cost_holds() const noexcept;  ///< the ledger's cost lies in the interval
};
[[nodiscard]] Fidelity fidelity(const Rules& rules, const Traffic& traffic, const Blocks& blocks, std::uint64_t seed);

}  // namespace tollgate::simulate
