#include "backends/engine_timings.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::optional<std::chrono::microseconds> milliseconds_at(const nlohmann::json& object, const char* key) {
  constexpr double day_ms = 86'400'000;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double value = found->get<double>();
  if (!std::isfinite(value) || value < 0 || value > day_ms) return std::nullopt;
  return std::chrono::microseconds{std::llround(value * 1000)};
}

/// Behind the string whose opening quote is at `at`.
std::size_t string_end(std::string_view json, std::size_t at) noexcept {
  for (++at; at < json.size() && json[at] != '"'; ++at) at += json[at] == '\\' ? 1U : 0U;
  return at < json.size() ? at + 1 : std::string_view::npos;
}

/// Behind the value that begins at `at`: at the comma or bracket that follows it, or blanks before that.
std::size_t value_end(std::string_view json, std::size_t at) noexcept {
  int depth = 0;
  while (at < json.size()) {
    const char c = json[at];
    if (c == '"') {
      at = string_end(json, at);
      if (at == std::string_view::npos) return at;
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || blanks.find(c) != std::string_view::npos)) {
      return at;
    }
    ++at;
  }
  return std::string_view::npos;
}

}  // namespace

EngineTimings read_timings(std::string_view object) {
  const nlohmann::json json = nlohmann::json::parse(object, nullptr, false);
  EngineTimings timings;
  if (!json.is_object()) return timings;
  timings.first_token = milliseconds_at(json, "time_to_first_token_ms");
  timings.generation = milliseconds_at(json, "generation_time_ms");
  timings.queue = milliseconds_at(json, "queue_time_ms");
  return timings;
}

std::optional<MemberSpan> find_member(std::string_view json, std::string_view key) {
  std::size_t at = json.find_first_not_of(blanks);
  if (at == std::string_view::npos || json[at] != '{') return std::nullopt;
  std::size_t comma = 0;  // the one before the member at hand; 0: it is the first
  ++at;
  for (;;) {
    at = json.find_first_not_of(blanks, at);
    if (at == std::string_view::npos || json[at] != '"') return std::nullopt;
    const std::size_t key_at = at, key_end = string_end(json, at);
    if (key_end == std::string_view::npos) return std::nullopt;
    at = json.find_first_not_of(blanks, key_end);
    if (at == std::string_view::npos || json[at] != ':') return std::nullopt;
    const std::size_t value = json.find_first_not_of(blanks, at + 1);
    if (value == std::string_view::npos) return std::nullopt;
    const std::size_t end = value_end(json, value);
    if (end == std::string_view::npos) return std::nullopt;
    at = json.find_first_not_of(blanks, end);
    const bool more = at != std::string_view::npos && json[at] == ',';
    if (json.substr(key_at + 1, key_end - key_at - 2) == key) {
      MemberSpan span{value, end, comma != 0 ? comma : key_at, end};
      if (comma == 0 && more) span.cut_end = at + 1;
      return span;
    }
    if (!more) return std::nullopt;
    comma = at++;
  }
}

}  // namespace tollgate
