#pragma once
// What a routing decision saw of a request beside what its row says, so that the ledger's traffic can be decided again by other rules
// (simulate/). Numbers and answers to questions that rules asked, never text.
//
//    write_facts(open, facts);                       // once, when the plan stands
//    std::string bytes = packed(facts);              // what the ledger keeps: some thirty bytes
//    std::optional<DecisionFacts> facts = unpacked(bytes);
//
// What the bits of `held` and `known` ask, and which targets those of `down`, `saturated` and `excluded` mean, is said by a text that
// the ledger keeps once per configuration (router/asked_facts.hpp). Trivially copyable: they live in a memory-mapped slot.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "config/names.hpp"

namespace tollgate {

enum class RequestId : std::int64_t;

/// Bits of DecisionFacts::flags; the numbers stand in ledgers.
enum FactFlag : std::uint16_t {
  fact_unreadable = 1,   ///< a part of the text could not be read
  fact_screened = 2,     ///< `pii` is known
  fact_json = 4,
  fact_json_schema = 8,
  fact_tool_turns = 16,  ///< the conversation holds calls or results of tools
  fact_output_max = 32   ///< output_tokens_max is given
};

/// As asked for by the client, of those that providers have; the numbers stand in ledgers.
enum class AskedTier : std::uint8_t { none, automatic, standard, flex, priority, batch, scale, standard_only, other };
[[nodiscard]] AskedTier asked_tier_named(std::string_view name) noexcept;
[[nodiscard]] std::string_view name_of(AskedTier tier) noexcept;   ///< "" for none and other

struct DecisionFacts {
  static constexpr std::uint8_t no_target = 255;

  RequestId of{};                      ///< whose facts these are, stored last: those of another id are none
  NameId asked{};                      ///< the text that says what the bits mean; none: no facts
  float score = 0;
  std::uint64_t held = 0, known = 0;   ///< by question
  std::uint64_t down = 0;              ///< by target: open breaker, unreachable, draining
  std::uint64_t saturated = 0;         ///< or kept behind by the autopilot
  std::uint64_t excluded = 0;          ///< by budgets, the client's own limit of cost, or expected time
  std::uint64_t conversation = 0;      ///< 0: none that could be known again
  std::uint64_t text_bytes = 0;
  std::int64_t output_tokens_max = 0;
  std::uint32_t messages = 0, tools = 0, images = 0, choices = 1;
  std::uint16_t pii = 0;               ///< PiiKinds found
  std::uint16_t flags = 0;             ///< FactFlag
  AskedTier service_tier = AskedTier::none;
  std::uint8_t first = no_target;      ///< the plan's first target, by its index in the text; no_target: no plan, or past the bits
};
static_assert(std::is_trivially_copyable_v<DecisionFacts>);

/// Everything but `of` and `asked`.
[[nodiscard]] std::string packed(const DecisionFacts& facts);
/// nullopt: of another version, or damaged.
[[nodiscard]] std::optional<DecisionFacts> unpacked(std::string_view bytes) noexcept;

}  // namespace tollgate
