// What backends and routes say about failures: `retry`, `breaker`, `hedge` (docs/resilience.md).

#include <chrono>

#include "config/draft.hpp"

namespace tollgate {
namespace {

using std::chrono::hours;

constexpr std::int64_t retries_max = attempts_max_limit - 1;
constexpr milliseconds wait_least{10};

/// A list of what is asked again; nullopt if it is not there.
std::optional<std::uint8_t> load_retry_on(const Cursor& place) {
  if (!place.present()) return std::nullopt;
  static const std::vector<std::string> words{"busy", "error", "unreachable", "broke_off", "timeout", "garbage"};
  unsigned set = 0;
  for (const Cursor& item : place.one_or_more()) {
    if (const auto index = item.one_of(words)) set |= 1U << *index;
  }
  return static_cast<std::uint8_t>(set);
}

}  // namespace

void load_retry(const Cursor& place, RetryOverride& retry) {
  MapReader section(place);
  const Cursor retries = section.at("retries"), first = section.at("first_wait_seconds"), longest = section.at("wait_seconds_max"),
               prefer = section.at("prefer");
  if (retries.present()) {
    if (const auto read = retries.integer(0, retries_max)) retry.retries = static_cast<unsigned>(*read);
  }
  milliseconds read{};
  const auto wait = [&](std::string_view key, const Cursor& value, std::optional<milliseconds>& out) {
    if (!value.present()) return;
    section.seconds(key, read, wait_least, hours(1));
    if (read.count() > 0) out = read;
    read = milliseconds{};
  };
  wait("first_wait_seconds", first, retry.first);
  wait("wait_seconds_max", longest, retry.longest);
  retry.on = load_retry_on(section.at("on"));
  if (retry.first && retry.longest && *retry.longest < *retry.first) longest.report("is shorter than first_wait_seconds; no wait would do");
  if (!prefer.present()) return;
  static const std::vector<std::string> words{"other_target", "same_target"};
  if (const auto index = prefer.one_of(words)) retry.same_first = *index == 1;
}

void load_breaker(const Cursor& place, BreakerRules& breaker) {
  MapReader section(place);
  section.integer("failures", breaker.failures, 1, 1'000);
  section.integer("unreachable_failures", breaker.unreachable_failures, 1, 1'000);
  section.seconds("open_seconds", breaker.open, wait_least, hours(1));
  section.seconds("open_seconds_max", breaker.open_max, wait_least, hours(24));
  if (breaker.open_max < breaker.open) {
    if (section.at("open_seconds_max").present()) section.at("open_seconds_max").report("is shorter than open_seconds");
    breaker.open_max = breaker.open;
  }
}

// Seconds of 10 ms and more: a hedge that follows at once doubles the load for nothing.
void load_hedge(const Cursor& place, HedgeRules& hedge) {
  MapReader section(place);
  hedge.is_on = place.present();
  const Cursor most = section.at("after_seconds_max");
  std::int64_t hundredths = 95;
  section.integer("percentile", hundredths, 50, 99);
  hedge.percentile = static_cast<double>(hundredths) / 100;
  section.seconds("after_seconds_min", hedge.after_min, wait_least, hours(1));
  section.seconds("after_seconds_max", hedge.after_max, wait_least, hours(1));
  section.seconds("unlearned_after_seconds", hedge.unlearned_after, wait_least, hours(1));
  section.integer("samples_min", hedge.samples_min, 1, 1'000);
  section.share("share_max", hedge.share_max);
  if (hedge.after_max < hedge.after_min) {
    (most.present() ? most : place).report("after_seconds_max is shorter than after_seconds_min; no time would do");
  }
  if (place.present() && hedge.share_max <= 0) section.at("share_max").report("must be above 0; no hedge would ever be made: remove hedge instead");
}

void load_outliers(const Cursor& place, OutlierRules& outliers) {
  MapReader section(place);
  section.seconds("window_seconds", outliers.window, milliseconds{100}, hours(1));
  section.integer("attempts_min", outliers.attempts_min, 1, 1'000'000);
  section.share("failed_share", outliers.failed_share);
  section.seconds("eject_seconds", outliers.eject, milliseconds{100}, hours(24));
  section.share("ejected_share_max", outliers.ejected_share_max);
  outliers.is_on = place.present();
  if (place.present() && outliers.failed_share <= 0) section.at("failed_share").report("must be above 0; every target would be ejected");
}

}  // namespace tollgate
