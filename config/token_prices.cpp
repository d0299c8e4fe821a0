#include "config/token_prices.hpp"

#include <algorithm>

namespace tollgate {

std::string_view name_of(RareClass rare) noexcept {
  static constexpr std::array<std::string_view, rare_class_count> names{
      "cache_write_1h",     "input_audio",  "cached_input_audio", "input_image",
      "cached_input_image", "output_audio", "output_image"};
  return names[static_cast<std::size_t>(rare)];
}

bool TimedPrices::hold(std::chrono::sys_seconds at) const noexcept {
  auto day = std::chrono::floor<std::chrono::days>(at);
  if (from && day < *from) return false;
  if (daily) {
    const std::chrono::seconds time = at - day;
    const auto& [begin, end] = *daily;
    const bool past_midnight = end < begin;
    const bool within = past_midnight ? time >= begin || time < end : time >= begin && time < end;
    if (!within) return false;
    if (past_midnight && time < end) day -= std::chrono::days{1};
  }
  return (weekdays >> std::chrono::weekday(day).c_encoding() & 1U) != 0;
}

const TokenPrices& prices_at(const TokenPrices& prices, std::chrono::sys_seconds at) noexcept {
  const auto last = std::find_if(prices.timed.rbegin(), prices.timed.rend(),
                                 [&](const TimedPrices& timed) { return timed.hold(at); });
  return last == prices.timed.rend() ? prices : last->prices;
}

const TokenPrices* prices_of_tier(const TokenPrices& prices, std::string_view service_tier) noexcept {
  for (const ServiceTierPrices& tier : prices.service_tiers) {
    if (tier.tier == service_tier) return &tier.prices;
  }
  // "auto" is what a request says that leaves it to the provider; "on_demand" is Groq's word, "scale" OpenAI's for
  // capacity that was bought beforehand and is charged at the standard price.
  static constexpr std::string_view standard[] = {"", "default", "auto", "standard", "on_demand", "scale"};
  const bool is_standard = std::find(std::begin(standard), std::end(standard), service_tier) != std::end(standard);
  return is_standard ? &prices : nullptr;
}

}  // namespace tollgate
