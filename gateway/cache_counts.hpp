#pragma once
// What the response cache did, per reactor: requests on routes that use it, and what the answers it gave saved. Cells as in
// gateway/routing_counts.hpp.

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/names.hpp"
#include "config/units.hpp"
#include "gateway/response_cache.hpp"
#include "metrics/counter.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

enum class CacheResult : std::uint8_t {
  hit,      ///< answered from memory
  miss,     ///< looked for, and not there (or not for this request)
  bypass    ///< not looked for: the client said no-cache, or the request does not qualify
};
[[nodiscard]] std::string_view name_of(CacheResult result) noexcept;

class CacheCounts {
 public:
  // Of the reactor's thread.
  void asked(NameId route, CacheResult result);
  void saved(NameId target, NameId team, std::optional<Usd> usd);

  struct Saved {
    UsdSum usd;
    std::uint64_t unknown = 0;   ///< hits without a known amount
  };
  struct Totals {
    std::map<std::pair<NameId, CacheResult>, std::uint64_t> asked;
    std::map<std::pair<NameId, NameId>, Saved> saved;   ///< by target and team
  };
  /// Any thread.
  void add_to(Totals& totals) const;

 private:
  struct AskedCell {
    NameId route;
    CacheResult result;
    Counter count;
  };
  struct SavedCell {
    NameId target, team;
    MoneyCounter usd;
    Counter unknown;
  };
  mutable std::mutex growth_;  // held to make a cell, and to read all of them
  std::deque<AskedCell> asked_;
  std::deque<SavedCell> saved_;
  std::unordered_map<std::uint64_t, AskedCell*> asked_by_;
  std::unordered_map<std::uint64_t, SavedCell*> saved_by_;
};

/// The series of all reactors together, and of the memory.
void collect_cache(const CacheCounts::Totals& totals, const ResponseCache::Status& memory, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
