#include "advice/trend.hpp"

#include <cmath>
#include <cstdio>

namespace tollgate::advice {
namespace {

constexpr double confidence = 1.96, ten_years = 3650;

std::string text(const char* format, double a, double b = 0, double c = 0) {
  char out[128];
  std::snprintf(out, sizeof out, format, a, b, c);
  return out;
}

std::optional<double> days_to(double gap, double slope) {
  if (slope == 0 || gap / slope < 0 || gap / slope > ten_years) return std::nullopt;
  return gap / slope;
}

}  // namespace

Trend trend_of(const Workload& workload) {
  Trend trend;
  const std::vector<std::int64_t>& days = workload.tokens_by_day;
  std::size_t first = 0;
  while (first < days.size() && days[first] == 0) ++first;
  // The day of the first request is no whole one, either; the last entry may be none.
  const std::size_t begin = first + (first > 0 ? 1 : 0);
  constexpr std::int64_t day_us = 86'400'000'000;
  const auto end = std::min(days.size(), static_cast<std::size_t>(workload.window_us / day_us));
  if (end <= begin) return trend;
  trend.days = end - begin;
  const auto n = static_cast<double>(trend.days);
  double mean_y = 0;
  for (std::size_t i = begin; i < end; ++i) mean_y += static_cast<double>(days[i]) / n;
  const double mean_x = (n - 1) / 2;
  double xy = 0, xx = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double x = static_cast<double>(i - begin) - mean_x;
    xy += x * (static_cast<double>(days[i]) - mean_y);
    xx += x * x;
  }
  trend.now = mean_y;
  if (trend.days < 3) return trend;
  trend.per_day = xy / xx;
  trend.now = mean_y + trend.per_day * mean_x;
  double squares = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const double off = static_cast<double>(days[i]) - mean_y - trend.per_day * (static_cast<double>(i - begin) - mean_x);
    squares += off * off;
  }
  trend.error = std::sqrt(squares / (n - 2) / xx);
  return trend;
}

Crossing crossing_of(const Trend& trend, double tokens_per_day) {
  Crossing out;
  if (!trend.known()) return out;
  const double gap = tokens_per_day - trend.now, margin = confidence * trend.error;
  out.days = days_to(gap, trend.per_day);
  const std::optional<double> a = days_to(gap, trend.per_day - margin), b = days_to(gap, trend.per_day + margin);
  const bool rises = gap > 0;
  out.earliest = rises ? b : a;
  out.latest = rises ? a : b;
  return out;
}

std::string crossing_text(const Trend& trend, double tokens_per_day) {
  if (!trend.known()) return text("unknown: %.0f whole days seen, a trend takes 7", static_cast<double>(trend.days));
  if (!std::isfinite(tokens_per_day) || tokens_per_day <= 0) return "never";
  const Crossing at = crossing_of(trend, tokens_per_day);
  const bool above = trend.now >= tokens_per_day;
  if (!trend.is_sure()) return above ? "above it; no trend that is sure" : "below it; no trend that is sure";
  if (!at.days) return above ? "above it and staying there" : "below it and not coming nearer";
  std::string said = text(above ? "falls below it in about %.0f days" : "reaches it in about %.0f days", *at.days);
  if (at.earliest && at.latest) return said + text(" (%.0f to %.0f)", *at.earliest, *at.latest);
  if (at.earliest) return said + text(" (%.0f at the earliest)", *at.earliest);
  return said;
}

std::string trend_text(const Trend& trend) {
  if (!trend.known()) return text("unknown: %.0f whole days seen, a trend takes 7", static_cast<double>(trend.days));
  const double weekly = trend.now > 0 ? 100 * 7 * trend.per_day / trend.now : 0;
  if (!trend.is_sure()) return text("none that is sure (%+.1f %% a week over %.0f days)", weekly, static_cast<double>(trend.days));
  return text(weekly >= 0 ? "rising by %.1f %% a week, over %.0f days" : "falling by %.1f %% a week, over %.0f days", std::abs(weekly), static_cast<double>(trend.days));
}

}  // namespace tollgate::advice
