// What the configuration says about endpoints that are passed through: `passthrough:`, who may serve them, and prices by other units
// than tokens (docs/passthrough.md).

#include <filesystem>

#include "config/decimal.hpp"
#include "config/dialects.hpp"
#include "config/draft.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t mebibyte = 1024 * 1024;

/// One price, or one for each size and quality.
void load_image_prices(const Cursor& place, UnitPrices& prices) {
  if (!place.present()) return;
  if (!place.is_map()) {
    if (const auto price = load_usd(place)) prices.per_image.emplace_back("", *price);
    return;
  }
  for (const auto& [name, item] : place.entries()) {
    if (const auto price = load_usd(item)) prices.per_image.emplace_back(name.text, *price);
  }
}

}  // namespace

std::optional<Usd> load_usd(const Cursor& place) {
  if (!place.present()) return std::nullopt;
  constexpr Int128 usd = 1'000'000'000'000;  // picodollars
  const auto count = place.decimal(usd_decimals, 0, 10'000 * usd);
  if (!count) return std::nullopt;
  return Usd{static_cast<std::int64_t>(*count)};
}

void load_passthrough(MapReader& root, Draft& draft) {
  MapReader section(root.at("passthrough"));
  PassThroughConfig& read = draft.config.passthrough;
  section.integer("body_bytes_max", read.body_bytes_max, mebibyte, 16 * 1024 * mebibyte);
  section.integer("spool_bytes_max", read.spool_bytes_max, mebibyte, 1024 * 1024 * mebibyte);
  section.text("spool_dir", read.spool_dir);
  const Cursor dir = section.at("spool_dir");
  std::error_code code;
  if (dir.present() && !read.spool_dir.empty() && !std::filesystem::is_directory(read.spool_dir, code)) {
    dir.report("is no directory; name one that exists and that the gateway may write to");
  }
  const Cursor objects = section.at("objects");
  static const std::vector<std::string> words{"team", "shared"};
  if (objects.present()) {
    if (const auto index = objects.one_of(words)) read.objects_shared = *index == 1;
  }
}

std::optional<UnitPrices> load_unit_prices(MapReader& prices) {
  UnitPrices read;
  read.per_request = load_usd(prices.at("usd_per_request"));
  read.per_audio_minute = load_usd(prices.at("usd_per_audio_minute"));
  read.per_million_characters = load_usd(prices.at("usd_per_million_characters"));
  load_image_prices(prices.at("usd_per_image"), read);
  const bool any = read.per_request || read.per_audio_minute || read.per_million_characters || !read.per_image.empty();
  return any ? std::optional(std::move(read)) : std::nullopt;
}

std::string_view why_not_passed(const Backend& backend, Surface surface) noexcept {
  if (!passes_through(surface)) return {};
  if (facts_of(backend.dialect).form != WireForm::openai) return "this backend's dialect has no such endpoint; it goes to backends of OpenAI's protocol";
  if (backend.dialect == DialectName::azure_openai && surface == Surface::moderations) return "Azure OpenAI has no endpoint for moderations";
  return {};
}

}  // namespace tollgate
