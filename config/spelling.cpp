#include "config/spelling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace tollgate {
namespace {

constexpr std::size_t name_bytes_max = 100;  // beyond it a name is not worth comparing
constexpr std::size_t listed_max = 24;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table: a swap looks two rows back.
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string_view nearest_name(std::string_view name, std::span<const std::string> known) {
  if (name.size() > name_bytes_max) return {};
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(3, name.size() / 3)) + 1;
  for (const std::string& candidate : known) {
    if (candidate.size() > name_bytes_max) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  // "listen_address" for "listen", "timeout" for "head_timeout_seconds": a part of a longer name.
  for (const std::string& candidate : known) {
    if (!nearest.empty()) break;
    const bool part = name.size() >= 4 && candidate.size() >= 4 &&
                      (candidate.find(name) != std::string::npos || name.find(candidate) != std::string_view::npos);
    if (part) nearest = candidate;
  }
  return nearest;
}

std::string suggestion_for(std::string_view name, std::span<const std::string> known) {
  const std::string_view nearest = nearest_name(name, known);
  if (!nearest.empty()) return fmt::format(", did you mean '{}'?", nearest);
  if (known.empty()) return {};
  std::string list;
  for (std::size_t i = 0; i < known.size() && i < listed_max; ++i) list += (i == 0 ? "" : ", ") + known[i];
  if (known.size() > listed_max) list += ", …";
  return "; known: " + list;
}

}  // namespace tollgate
