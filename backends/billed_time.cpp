#include "backends/billed_time.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

constexpr std::int64_t year_us = std::int64_t{366} * 86'400 * 1'000'000;
constexpr int digits_max = 30;

/// The digits of a decimal number as an integer times 10^exponent; nullopt: it is none.
struct Scientific {
  Int128 digits = 0;
  int exponent = 0;
};
std::optional<Scientific> parse(std::string_view text) noexcept {
  Scientific number;
  int count = 0;
  bool point = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    if (++count > digits_max) return std::nullopt;
    number.digits = number.digits * 10 + (c - '0');
    if (point) --number.exponent;
  }
  if (count == 0) return std::nullopt;
  if (i == text.size()) return number;
  if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
  std::string_view rest = text.substr(i + 1);
  if (rest.starts_with('+')) rest.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), exponent);
  if (error != std::errc{} || end != rest.data() + rest.size() || exponent > 100 || exponent < -100)
    return std::nullopt;
  number.exponent += exponent;
  return number;
}

}  // namespace

std::optional<GpuTime> billed_time_of(std::string_view text, bool in_milliseconds) noexcept {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const std::optional<Scientific> number = parse(text);
  if (!number) return std::nullopt;
  Int128 micros = number->digits;
  int exponent = number->exponent + (in_milliseconds ? 3 : 6);
  for (; exponent > 0 && micros != 0; --exponent) {
    micros *= 10;
    if (micros > year_us) return std::nullopt;
  }
  Int128 divisor = 1;
  for (; exponent < 0 && divisor <= micros * 2; ++exponent) divisor *= 10;
  if (exponent < 0) return GpuTime{0};  // less than half a microsecond
  micros = divide_half_even(micros, divisor);
  if (micros > year_us) return std::nullopt;
  return GpuTime{static_cast<std::int64_t>(micros)};
}

// A number is written out as the shortest text that means it, which is what the provider wrote.
std::optional<GpuTime> billed_time_in(std::string_view json, const BilledSeconds& where) {
  const nlohmann::json document = nlohmann::json::parse(json, nullptr, false);
  const nlohmann::json* value = &document;
  for (const std::string& step : where.json) {
    if (!value->is_object()) return std::nullopt;
    const auto found = value->find(step);
    if (found == value->end()) return std::nullopt;
    value = &*found;
  }
  if (value->is_string()) return billed_time_of(value->get_ref<const std::string&>(), where.milliseconds);
  return value->is_number() ? billed_time_of(value->dump(), where.milliseconds) : std::nullopt;
}

void BilledTimeScan::feed(std::string_view bytes) {
  const auto on_event = [this](std::string_view raw) {
    if (raw.find(key_) == std::string_view::npos) return;
    std::string joined;
    if (const auto billed = billed_time_in(event_data(raw, joined), where_)) billed_ = billed;
  };
  const Result<void> fed = splitter_.feed(bytes, on_event);
  (void)fed;  // an event past the limit: the reader of the answer refuses it
}

}  // namespace tollgate
