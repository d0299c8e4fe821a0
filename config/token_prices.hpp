#pragma once
// What the tokens of one model cost: by class, by length of the input, by service tier, by time.
//
//    const TokenPrices& now = prices_at(*target.prices, floor<seconds>(system_clock::now()));
//    const TokenPrices* served = prices_of_tier(now, "flex");      // nullptr: what that tier costs is not known
//
// Classes are disjoint, as in metrics/usage.hpp. Threads: plain values.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/units.hpp"

namespace tollgate {

/// Classes of tokens that most requests have none of; those of the input first.
enum class RareClass : std::uint8_t {
  cache_write_1h,  ///< written to the cache for an hour
  input_audio,
  cached_input_audio,
  input_image,
  cached_input_image,
  output_audio,
  output_image
};
inline constexpr std::size_t rare_class_count = 7, first_rare_output = 5;
[[nodiscard]] std::string_view name_of(RareClass rare) noexcept;  ///< "cache_write_1h" …

/// Exact prices per token. What is absent costs what the class costs that it is a kind of: a cache write for an hour as
/// other cache writes, images as text, reasoning as output; cached audio and images what they cost uncached if that is
/// given, else what cached text costs. Only audio without a price is unknown: it never costs what text does.
struct TokenPriceSet {
  UsdPerToken input;
  UsdPerToken output;
  std::optional<UsdPerToken> cached_input;  ///< absent: cached input is priced as input
  std::optional<UsdPerToken> cache_write;   ///< absent: as input
  std::optional<UsdPerToken> reasoning;     ///< absent: as output, which it is part of
  std::array<std::optional<UsdPerToken>, rare_class_count> rare;
};

struct ServiceTierPrices;
struct TimedPrices;

/// Prices of one model; all exact. What is absent is unknown, not free.
struct TokenPrices : TokenPriceSet {
  Usd per_request;
  std::optional<Usd> per_web_search;  ///< absent: what a search costs is not known
  /// What all tokens of a request cost whose whole input is more than `above` tokens.
  struct LongInput : TokenPriceSet {
    std::int64_t above = 0;
  };
  std::optional<LongInput> long_input;
  /// The prices hold for requests of at most so many input tokens, and beyond it are unknown: such requests are
  /// unpriced. 0: no limit.
  std::int64_t input_tokens_max = 0;
  std::string source;  ///< "config" or the catalogue's id and date

  /// What requests cost that were served in another service tier than the standard one: "flex", "priority", "batch" …
  std::vector<ServiceTierPrices> service_tiers;
  /// Prices that hold instead of these under a condition on the time; of several that hold, the last.
  std::vector<TimedPrices> timed;
};

struct ServiceTierPrices {
  std::string tier;  ///< as answers name it
  TokenPrices prices;
};

/// Prices that hold from a day on, or at times of the day or the week. All in UTC.
struct TimedPrices {
  std::optional<std::chrono::sys_days> from;
  std::optional<std::pair<std::chrono::seconds, std::chrono::seconds>>
      daily;                     ///< begin <= time of day < end; end < begin: past midnight
  std::uint8_t weekdays = 0x7F;  ///< bit 0 is Sunday; of the day on which `daily` begins
  TokenPrices prices;

  [[nodiscard]] bool hold(std::chrono::sys_seconds at) const noexcept;
};
/// The prices that hold at this moment.
[[nodiscard]] const TokenPrices& prices_at(const TokenPrices& prices, std::chrono::sys_seconds at) noexcept;
/// The prices of a service tier as an answer names it; "" and the names of the standard one are the prices themselves.
/// nullptr: what that tier costs is not known.
[[nodiscard]] const TokenPrices* prices_of_tier(const TokenPrices& prices, std::string_view service_tier) noexcept;

}  // namespace tollgate
