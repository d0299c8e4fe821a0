#include "config/unit_prices.hpp"

#include <algorithm>

namespace tollgate {

std::optional<Usd> UnitPrices::image(std::string_view size, std::string_view quality) const {
  if (size.empty()) size = "auto";
  if (quality.empty()) quality = "auto";
  const std::string both = std::string(size) + "/" + std::string(quality);
  for (const std::string_view wanted : {std::string_view(both), size, quality, std::string_view()}) {
    for (const auto& [key, price] : per_image) {
      if (key == wanted) return price;
    }
  }
  return std::nullopt;
}

std::optional<Usd> UnitPrices::charge(const UnitsUsed& used) const {
  std::optional<Usd> sum = per_request;
  const auto add = [&sum](Usd part) { sum = sum.value_or(Usd{}) + part; };
  if (used.surface == Surface::images && !per_image.empty()) {
    const std::optional<Usd> one = image(used.size, used.quality);
    if (!one) return std::nullopt;
    add(share_of(*one, used.images, 1));
  } else if (used.surface == Surface::speech && per_million_characters) {
    add(share_of(*per_million_characters, used.characters, 1'000'000));
  } else if (used.surface == Surface::transcriptions && per_audio_minute) {
    if (!used.heard_us) return std::nullopt;
    add(share_of(*per_audio_minute, *used.heard_us, 60'000'000));
  }
  return sum;
}

Usd share_of(Usd price, std::int64_t part, std::int64_t whole) noexcept {
  constexpr Int128 most = INT64_MAX / 64;
  return Usd{static_cast<std::int64_t>(std::clamp<Int128>(divide_half_even(static_cast<Int128>(price.count()) * part, whole), -most, most))};
}

}  // namespace tollgate
