#pragma once
// What a GPU costs: list prices with the day each held (advice/gpu_offers.json, part of the program).

#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "config/units.hpp"

namespace tollgate::advice {

enum class OfferKind : std::uint8_t { dedicated, serverless };

struct GpuOffer {
  std::string provider, gpu, offer, as_of;
  OfferKind kind = OfferKind::dedicated;
  Usd per_gpu_hour;
};
[[nodiscard]] const std::vector<GpuOffer>& gpu_offers();
/// Those of a kind of GPU ("H100", any case), cheapest first.
[[nodiscard]] std::vector<GpuOffer> offers_of(std::string_view gpu, OfferKind kind);

/// "h100x2" → {"H100", 2}; "a100" → {"A100", 1}.
struct GpuCount {
  std::string gpu;
  std::int64_t count = 1;
};
[[nodiscard]] Result<GpuCount> parse_gpu(std::string_view text);

}  // namespace tollgate::advice
