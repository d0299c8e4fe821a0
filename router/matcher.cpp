#include "router/matcher.hpp"

#include <algorithm>

#include "config/keywords.hpp"
#include "router/forecast.hpp"
#include "router/screening.hpp"

namespace tollgate {
namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// The whole value, or one element of a comma-separated list: "x-data-class: internal, phi" is phi as well. For
/// constraints the wider reading is the safe one.
bool has_value(std::string_view field, std::string_view wanted) noexcept {
  if (equal_without_case(trimmed(field), wanted)) return true;
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    if (equal_without_case(trimmed(field.substr(0, comma)), wanted)) return true;
    field.remove_prefix(std::min(comma + 1, field.size()));
  }
  return false;
}

bool matches_header(const Condition::Header& wanted, std::span<const HeaderField> headers) noexcept {
  for (const HeaderField& field : headers) {
    if (!equal_without_case(field.name, wanted.name)) continue;
    if (wanted.any_of.empty()) return true;
    for (const std::string& value : wanted.any_of) {
      if (has_value(field.value, value)) return true;
    }
  }
  return false;  // a header may come more than once: any of them may match
}

bool matches_member(const Condition::Header& wanted, const ChatView& chat) noexcept {
  for (const ChatView::Member& member : chat.metadata) {
    if (member.name != wanted.name) continue;
    if (wanted.any_of.empty()) return true;
    for (const std::string& value : wanted.any_of) {
      if (equal_without_case(member.value, value)) return true;
    }
  }
  return false;
}

/// What the body says of its sender.
bool matches_sender(const Condition& when, const ChatView& chat) noexcept {
  const bool user = when.users.empty() || std::any_of(when.users.begin(), when.users.end(), [&chat](const std::string& pattern) {
                      return !chat.user.empty() && matches_glob(pattern, chat.user);
                    });
  return user && std::all_of(when.metadata.begin(), when.metadata.end(),
                             [&chat](const Condition::Header& wanted) { return matches_member(wanted, chat); });
}

bool holds(const std::vector<NameId>& accepted, NameId id) noexcept {
  return accepted.empty() || std::find(accepted.begin(), accepted.end(), id) != accepted.end();
}

bool agrees(const std::optional<bool>& wanted, bool is) noexcept { return !wanted || *wanted == is; }

bool matches_complexity(const Condition& when, const Complexity& complexity) noexcept {
  const std::uint32_t tier_bit = 1U << static_cast<unsigned>(complexity.tier);
  if (when.tiers && (*when.tiers & tier_bit) == 0) return false;
  // Compared as floats, as tier_of() does: 0.6 as written is the 0.6 of a score.
  if (when.complexity_from && complexity.score < static_cast<float>(*when.complexity_from)) return false;
  return !when.complexity_below || complexity.score < static_cast<float>(*when.complexity_below);
}

bool matches_size(const Condition& when, const ChatView& chat) noexcept {
  if (!when.input_tokens_from && !when.input_tokens_below) return true;
  const std::int64_t tokens = input_tokens_of(chat).count();
  if (when.input_tokens_from && tokens < *when.input_tokens_from) return false;
  return !when.input_tokens_below || tokens < *when.input_tokens_below;
}

/// What the text holds; asked last, for only this costs more than a comparison.
bool matches_text(const Condition& when, const RequestFacts& facts) {
  if (!when.pii.any() && !when.keywords) return true;
  if (facts.screening == nullptr) {
    const Screening screening(*facts.chat, {});
    RequestFacts with = facts;
    with.screening = &screening;
    return matches_text(when, with);
  }
  if (when.pii.any() && !(facts.screening->kinds() & when.pii).any()) return false;
  return !when.keywords || facts.screening->mentions(*when.keywords);
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;  // the last `*`, and what it has swallowed up to
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches_model(const Condition& when, std::string_view model) noexcept {
  return when.models.empty() ||
         std::any_of(when.models.begin(), when.models.end(),
                     [model](const std::string& pattern) { return matches_glob(pattern, model); });
}

bool matches(const Condition& when, const RequestFacts& facts) noexcept {
  const ChatView& chat = *facts.chat;
  if (!matches_model(when, chat.model)) return false;
  if (!holds(when.teams, facts.team) || !holds(when.keys, facts.key)) return false;
  if (!agrees(when.tools, chat.tools > 0) || !agrees(when.images, chat.images > 0) ||
      !agrees(when.json_output, chat.json_output || chat.json_schema) || !agrees(when.stream, chat.stream)) {
    return false;
  }
  if (!matches_complexity(when, facts.complexity) || !matches_size(when, chat)) return false;
  const bool headers =
      std::all_of(when.headers.begin(), when.headers.end(),
                  [&facts](const Condition::Header& wanted) { return matches_header(wanted, facts.headers); });
  if (!headers) return false;
  if (when.time && !is_within(*when.time, facts.arrived_us / 1'000'000)) return false;
  return matches_sender(when, chat) && matches_text(when, facts);
}

bool is_within(const Schedule& schedule, std::int64_t unix_seconds) noexcept {
  constexpr std::int64_t minutes_per_day = 24 * 60;
  // Days and minutes by floor division: the epoch was a Thursday, and times before it are times too.
  const std::int64_t local = unix_seconds / 60 - (unix_seconds % 60 < 0 ? 1 : 0) + schedule.utc_offset_minutes;
  const std::int64_t minute = ((local % minutes_per_day) + minutes_per_day) % minutes_per_day;
  const std::int64_t day = (local - minute) / minutes_per_day;
  const auto weekday = static_cast<unsigned>((((day + 3) % 7) + 7) % 7);  // Monday is 0
  const auto begins_on = [&schedule](unsigned on) { return (schedule.days >> on & 1U) != 0; };
  if (schedule.from_minute < schedule.to_minute) {
    return begins_on(weekday) && minute >= schedule.from_minute && minute < schedule.to_minute;
  }
  if (minute >= schedule.from_minute) return begins_on(weekday);
  return minute < schedule.to_minute && begins_on((weekday + 6) % 7);
}

bool matches_load(const Condition& when, const Config& config, std::span<const TargetState> states) noexcept {
  if (!when.load) return true;
  std::optional<double> least;
  for (const std::size_t index : when.load->targets) {
    if (index >= states.size() || states[index].availability != Availability::up) continue;
    const std::optional<double> load = load_of(config.targets[index], states[index], config.spill_over);
    if (load) least = std::min(least.value_or(*load), *load);
  }
  if (!least) return false;
  if (when.load->from && *least < *when.load->from) return false;
  return !when.load->below || *least < *when.load->below;
}

}  // namespace tollgate
