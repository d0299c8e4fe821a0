#include "config/prices/units.hpp"

#include <algorithm>

namespace tollgate::prices {

namespace {

void add_tokens(std::vector<Unit>& all, Direction direction, const std::string& modality, const std::string& type,
                const std::string& ttl) {
  const bool cache = type == "cache_read" || type == "cache_write";
  const std::string way = cache ? "cache" : direction == Direction::input ? "input" : "output";
  const std::string of_modality = modality.empty() ? "" : "_" + modality;
  const std::string of_ttl = ttl.empty() ? "" : "_" + ttl;
  std::string of_type = type.empty() ? "" : "_" + type;
  if (cache) of_type = type == "cache_read" ? "_read" : "_write";
  const std::string stem = way + of_modality + of_type + of_ttl;
  Unit unit;
  unit.kind = type == "cache_read"    ? "cached_input" + of_modality
              : type == "cache_write" ? "cache_write" + of_ttl + of_modality
              : type == "reasoning"   ? "reasoning" + of_modality
              : type == "citation"    ? "citation" + of_modality
                                      : way + of_type + of_modality;
  unit.usage_key = stem + "_tokens";
  unit.price_key = stem + "_mtok";
  unit.direction = direction;
  unit.modality = modality;
  unit.type = type;
  unit.ttl = ttl;
  all.push_back(std::move(unit));
}

std::vector<Unit> make_units() {
  std::vector<Unit> all;
  for (const char* const modality : {"", "text", "audio", "image", "video"}) {
    add_tokens(all, Direction::input, modality, "", "");
    add_tokens(all, Direction::output, modality, "", "");
    add_tokens(all, Direction::input, modality, "cache_read", "");
    for (const char* const ttl : {"", "5m", "1h"}) add_tokens(all, Direction::input, modality, "cache_write", ttl);
    add_tokens(all, Direction::input, modality, "tool", "");
    add_tokens(all, Direction::output, modality, "reasoning", "");
    add_tokens(all, Direction::output, modality, "citation", "");
  }
  const auto add = [&](std::string kind, std::string price_key, std::int64_t per, Direction direction,
                       std::string family, std::string modality = "", std::string type = "") {
    all.push_back({kind, kind, std::move(price_key), per, direction, std::move(family), std::move(modality),
                   std::move(type), ""});
  };
  add("input_characters", "input_mchars", 1'000'000, Direction::input, "characters");
  add("input_text_messages", "input_text_messages_kcount", 1000, Direction::input, "messages", "text");
  add("audio_seconds", "audio_hours", 3600, Direction::none, "durations", "audio");
  add("input_audio_seconds", "input_audio_hours", 3600, Direction::input, "durations", "audio");
  add("output_audio_seconds", "output_audio_hours", 3600, Direction::output, "durations", "audio");
  add("input_pixels", "input_gpixels", 1'000'000'000, Direction::input, "pixels");
  add("input_document_pages", "input_document_kpages", 1000, Direction::input, "document_pages");
  add("input_annotated_document_pages", "input_annotated_document_kpages", 1000, Direction::input, "document_pages", "",
      "annotated");
  add("rerank_searches", "rerank_searches_kcount", 1000, Direction::none, "rerank");
  for (const char* const tool : {"web_searches", "social_searches", "storage_searches", "code_executions"}) {
    add(tool, std::string(tool) + "_kcount", 1000, Direction::none, "tool_calls", "", tool);
  }
  add("requests", "requests_kcount", 1000, Direction::none, "requests");
  return all;
}

template <class Member>
std::optional<UnitId> find(std::string_view wanted, Member member) {
  const std::vector<Unit>& all = units();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Unit& unit) { return unit.*member == wanted; });
  if (found == all.end()) return std::nullopt;
  return static_cast<UnitId>(found - all.begin());
}

bool fits(const std::string& whole, const std::string& part) noexcept { return whole.empty() || whole == part; }

}  // namespace

bool Unit::is_within(const Unit& other) const noexcept {
  return (other.direction == Direction::none || other.direction == direction) && family == other.family &&
         fits(other.modality, modality) && fits(other.type, type) && fits(other.ttl, ttl);
}

std::size_t Unit::dimensions() const noexcept {
  return std::size_t{1} + (direction != Direction::none) + !modality.empty() + !type.empty() + !ttl.empty();
}

const std::vector<Unit>& units() {
  static const std::vector<Unit> all = make_units();
  return all;
}

std::optional<UnitId> unit_of_kind(std::string_view kind) { return find(kind, &Unit::kind); }
std::optional<UnitId> unit_of_usage_key(std::string_view key) { return find(key, &Unit::usage_key); }
std::optional<UnitId> unit_of_price_key(std::string_view key) { return find(key, &Unit::price_key); }

}  // namespace tollgate::prices
