#include "backends/rate_hints.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>
#include <string>

namespace tollgate {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr double reset_ms_max = 24.0 * 3'600'000;       // a longer reset is taken as this

enum class Field : std::uint8_t { limit, left, reset };

struct Known {
  std::string_view name;
  RateHint RateHints::*family;
  Field field;
};

constexpr std::array known{
    Known{"x-ratelimit-limit-requests", &RateHints::requests, Field::limit},
    Known{"x-ratelimit-remaining-requests", &RateHints::requests, Field::left},
    Known{"x-ratelimit-reset-requests", &RateHints::requests, Field::reset},
    Known{"x-ratelimit-limit-tokens", &RateHints::tokens, Field::limit},
    Known{"x-ratelimit-remaining-tokens", &RateHints::tokens, Field::left},
    Known{"x-ratelimit-reset-tokens", &RateHints::tokens, Field::reset},
    Known{"x-ratelimit-limit", &RateHints::requests, Field::limit},
    Known{"x-ratelimit-remaining", &RateHints::requests, Field::left},
    Known{"x-ratelimit-reset", &RateHints::requests, Field::reset},
    Known{"anthropic-ratelimit-requests-limit", &RateHints::requests, Field::limit},
    Known{"anthropic-ratelimit-requests-remaining", &RateHints::requests, Field::left},
    Known{"anthropic-ratelimit-requests-reset", &RateHints::requests, Field::reset},
    Known{"anthropic-ratelimit-tokens-limit", &RateHints::tokens, Field::limit},
    Known{"anthropic-ratelimit-tokens-remaining", &RateHints::tokens, Field::left},
    Known{"anthropic-ratelimit-tokens-reset", &RateHints::tokens, Field::reset},
    Known{"anthropic-ratelimit-input-tokens-limit", &RateHints::input_tokens, Field::limit},
    Known{"anthropic-ratelimit-input-tokens-remaining", &RateHints::input_tokens, Field::left},
    Known{"anthropic-ratelimit-input-tokens-reset", &RateHints::input_tokens, Field::reset},
};

bool same(std::string_view lower, std::string_view given) noexcept {
  return lower.size() == given.size() && std::equal(lower.begin(), lower.end(), given.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
         });
}

std::optional<double> number(std::string_view& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || !(value >= 0)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::int32_t bounded(double ms) { return static_cast<std::int32_t>(std::clamp(ms, 0.0, reset_ms_max)); }

/// A duration as Go prints it ("6m0s", "12ms", "2m59.56s"), seconds as a number, or a moment: seconds or milliseconds since the Unix epoch,
/// or RFC 3339 in UTC ("2026-11-21T12:00:00Z").
std::optional<std::int32_t> reset_of(std::string_view text, system_clock::time_point now) {
  if (text.size() >= 20 && text[4] == '-' && text[10] == 'T' && text.ends_with('Z')) {
    std::tm parts{};
    const std::string copy(text.substr(0, 19));
    const char* const end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    const auto wait = std::chrono::duration_cast<milliseconds>(system_clock::from_time_t(::timegm(&parts)) - now);
    return bounded(static_cast<double>(wait.count()));
  }
  double ms = 0;
  while (!text.empty()) {
    const auto value = number(text);
    if (!value) return std::nullopt;
    if (text.empty()) {
      constexpr double epoch_seconds = 1e9, epoch_millis = 1e12;
      const auto now_ms = static_cast<double>(std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count());
      if (*value >= epoch_millis) return bounded(*value - now_ms);
      if (*value >= epoch_seconds) return bounded(*value * 1000 - now_ms);
      return bounded(ms + *value * 1000);
    }
    double unit = 0;
    std::size_t length = 1;
    if (text.starts_with("ms")) {
      unit = 1;
      length = 2;
    } else if (text.starts_with("us") || text.starts_with("ns")) {
      length = 2;
    } else if (text.front() == 's') {
      unit = 1'000;
    } else if (text.front() == 'm') {
      unit = 60'000;
    } else if (text.front() == 'h') {
      unit = 3'600'000;
    } else if (text.front() == 'd') {
      unit = 86'400'000;
    } else {
      return std::nullopt;
    }
    ms += *value * unit;
    text.remove_prefix(length);
  }
  return bounded(ms);
}

}  // namespace

void note(RateHints& hints, std::string_view name, std::string_view value, system_clock::time_point now) {
  for (const Known& each : known) {
    if (!same(each.name, name)) continue;
    RateHint& hint = hints.*each.family;
    if (each.field == Field::reset) {
      if (const auto reset = reset_of(value, now)) hint.reset_ms = *reset;
      return;
    }
    std::string_view rest = value;
    const auto count = number(rest);
    if (!count || !rest.empty()) return;
    const auto taken = static_cast<std::int32_t>(std::min(*count, 2e9));
    (each.field == Field::limit ? hint.limit : hint.left) = taken;
    return;
  }
}

}  // namespace tollgate
