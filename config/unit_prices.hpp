#pragma once
// What is billed by other units than tokens: pictures, minutes of sound, characters, requests. All exact; what is absent is unknown.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/surface.hpp"
#include "config/units.hpp"

namespace tollgate {

/// What a request asks for, or an answer gives, in such units.
struct UnitsUsed {
  Surface surface = Surface::images;
  std::int64_t images = 1;
  std::string_view size, quality;                    ///< of images; "": the request does not say
  std::int64_t characters = 0;                       ///< to be spoken
  std::optional<std::int64_t> heard_us;              ///< sound, in microseconds; nullopt: not known
};

struct UnitPrices {
  std::optional<Usd> per_request;
  /// By "size/quality", "size" or "quality" as the request says them ("auto": it does not); "": any picture.
  std::vector<std::pair<std::string, Usd>> per_image;
  std::optional<Usd> per_audio_minute;               ///< of what is heard
  std::optional<Usd> per_million_characters;         ///< of what is spoken

  /// What one picture costs; nullopt: not known.
  [[nodiscard]] std::optional<Usd> image(std::string_view size, std::string_view quality) const;
  /// nullopt: not known. Where nothing but per_request is given, it is the whole price.
  [[nodiscard]] std::optional<Usd> charge(const UnitsUsed& used) const;
};

/// price x part / whole, rounded half-even once; at most what a charge line holds.
[[nodiscard]] Usd share_of(Usd price, std::int64_t part, std::int64_t whole) noexcept;

}  // namespace tollgate
