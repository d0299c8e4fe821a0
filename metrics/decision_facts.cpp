#include "metrics/decision_facts.hpp"

#include <array>
#include <bit>

namespace tollgate {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::array<std::string_view, 9> tier_names{"", "auto", "default", "flex", "priority", "batch", "scale", "standard_only", ""};

/// Seven bits a byte, the lowest first; the eighth says that more follow.
void put(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>((value & 0x7F) | 0x80);
  to += static_cast<char>(value);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  void take(T& into) noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at_ == bytes_.size() || shift > 63) {
        ok_ = false;
        return;
      }
      const auto byte = static_cast<std::uint8_t>(bytes_[at_++]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80U) == 0) break;
    }
    into = static_cast<T>(value);
    ok_ = ok_ && static_cast<std::uint64_t>(into) == value;
  }
  [[nodiscard]] bool ended_well() const noexcept { return ok_ && at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace

AskedTier asked_tier_named(std::string_view name) noexcept {
  if (name.empty()) return AskedTier::none;
  for (std::size_t i = 1; i + 1 < tier_names.size(); ++i) {
    if (tier_names[i] == name) return static_cast<AskedTier>(i);
  }
  return AskedTier::other;
}

std::string_view name_of(AskedTier tier) noexcept {
  const auto index = static_cast<std::size_t>(tier);
  return index < tier_names.size() ? tier_names[index] : "";
}

std::string packed(const DecisionFacts& facts) {
  std::string bytes;
  bytes.reserve(48);
  put(bytes, version);
  put(bytes, facts.flags);
  put(bytes, facts.first);
  put(bytes, facts.text_bytes);
  put(bytes, facts.messages);
  put(bytes, facts.tools);
  put(bytes, facts.images);
  put(bytes, facts.choices);
  put(bytes, static_cast<std::uint64_t>(facts.service_tier));
  put(bytes, std::bit_cast<std::uint32_t>(facts.score));
  put(bytes, facts.known);
  put(bytes, facts.held);
  put(bytes, facts.down);
  put(bytes, facts.saturated);
  put(bytes, facts.excluded);
  put(bytes, facts.conversation);
  if ((facts.flags & fact_screened) != 0) put(bytes, facts.pii);
  if ((facts.flags & fact_output_max) != 0) put(bytes, static_cast<std::uint64_t>(facts.output_tokens_max));
  return bytes;
}

std::optional<DecisionFacts> unpacked(std::string_view bytes) noexcept {
  Reader reader(bytes);
  std::uint8_t written_as = 0, tier = 0;
  std::uint32_t score = 0;
  DecisionFacts facts;
  reader.take(written_as);
  if (written_as != version) return std::nullopt;
  reader.take(facts.flags);
  reader.take(facts.first);
  reader.take(facts.text_bytes);
  reader.take(facts.messages);
  reader.take(facts.tools);
  reader.take(facts.images);
  reader.take(facts.choices);
  reader.take(tier);
  reader.take(score);
  reader.take(facts.known);
  reader.take(facts.held);
  reader.take(facts.down);
  reader.take(facts.saturated);
  reader.take(facts.excluded);
  reader.take(facts.conversation);
  if ((facts.flags & fact_screened) != 0) reader.take(facts.pii);
  if ((facts.flags & fact_output_max) != 0) reader.take(facts.output_tokens_max);
  if (!reader.ended_well() || tier >= tier_names.size()) return std::nullopt;
  facts.service_tier = static_cast<AskedTier>(tier);
  facts.score = std::bit_cast<float>(score);
  return facts;
}

}  // namespace tollgate
