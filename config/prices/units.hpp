#pragma once
// What providers count and price: tokens by direction, modality and kind, searches, requests, pages, seconds.
//
// A unit is a set of dimensions; one that has all dimensions of another, and more, is a part of it: audio input is
// input, a cache write kept for an hour is a cache write. What each provider's own counts include is the same
// everywhere here: a count of a unit includes the counts of its parts. A part with a price of its own is taken out of
// the whole before the whole is priced (quote.hpp).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::prices {

enum class Direction : std::uint8_t { none, input, output };

struct Unit {
  std::string kind;              ///< "cached_input": as charge lines name it
  std::string usage_key;         ///< "cache_read_tokens": as genai-prices names the count
  std::string price_key;         ///< "cache_read_mtok": as genai-prices names the price
  std::int64_t per = 1'000'000;  ///< a price is for so many of them
  Direction direction = Direction::none;
  std::string family = "tokens", modality, type, ttl;  ///< "": any

  /// This one is `other` or a part of it.
  [[nodiscard]] bool is_within(const Unit& other) const noexcept;
  [[nodiscard]] std::size_t dimensions() const noexcept;
};

using UnitId = std::uint8_t;
/// All of them; never changes.
[[nodiscard]] const std::vector<Unit>& units();
[[nodiscard]] std::optional<UnitId> unit_of_kind(std::string_view kind);
[[nodiscard]] std::optional<UnitId> unit_of_usage_key(std::string_view key);
[[nodiscard]] std::optional<UnitId> unit_of_price_key(std::string_view key);

}  // namespace tollgate::prices
