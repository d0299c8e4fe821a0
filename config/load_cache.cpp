// The response cache: `cache:` of the whole, and what a route says about it.
#include <fmt/format.h>

#include <algorithm>

#include "config/draft.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t kibibyte = 1024, mebibyte = 1024 * kibibyte, gibibyte = 1024 * mebibyte;

}  // namespace

void load_cache(const Cursor& place, CacheConfig& cache) {
  MapReader section(place);
  section.integer("bytes_max", cache.bytes_max, mebibyte, 64 * gibibyte);
  const std::size_t room = cache.bytes_max / cache_parts;
  const Cursor answer = section.at("answer_bytes_max");
  section.integer("answer_bytes_max", cache.answer_bytes_max, kibibyte, 16 * mebibyte);
  if (!answer.present()) cache.answer_bytes_max = std::min(cache.answer_bytes_max, room);
  if (cache.answer_bytes_max > room) {
    answer.report(fmt::format("an answer may take at most a sixteenth of bytes_max, which is {} bytes; write at most that, or a larger bytes_max", room));
  }
}

void load_route_cache(const Cursor& place, Route& route) {
  if (!place.present()) return;
  MapReader section(place);
  RouteCache cache;
  const Cursor age = section.required("max_age_seconds");
  if (age.present()) section.seconds("max_age_seconds", cache.max_age, milliseconds(1), std::chrono::hours(24 * 30));
  section.choice("scope", cache.scope, {{"team", RouteCache::Scope::team}, {"key", RouteCache::Scope::key}});
  section.flag("sampled", cache.sampled);
  if (cache.max_age.count() > 0) route.cache = cache;
}

}  // namespace tollgate
