#pragma once
// How long a provider says that it bills for a call: a number in a header, or in the answer's JSON. Pure: bytes in.
//
//    billed_time_of("3.25", false) == GpuTime{3'250'000};
//    BilledTimeScan scan(pool.billed_seconds); scan.feed(bytes) …; scan.billed()      // over a stream of events
//
// What is not a number of seconds (or milliseconds) is not known, never zero.

#include <optional>
#include <string>
#include <string_view>

#include "backends/sse.hpp"
#include "config/config.hpp"

namespace tollgate {

/// A decimal number, with an exponent if need be, rounded half-even to a microsecond. nullopt: it is none, it is
/// negative, or it is past a year.
[[nodiscard]] std::optional<GpuTime> billed_time_of(std::string_view number, bool in_milliseconds) noexcept;
/// The number at the path of `where.json` in a JSON object.
[[nodiscard]] std::optional<GpuTime> billed_time_in(std::string_view json, const BilledSeconds& where);

/// Over the events of a stream: the last one that says it counts.
class BilledTimeScan {
 public:
  explicit BilledTimeScan(const BilledSeconds& where) : where_(where), key_("\"" + where.json.back() + "\"") {}
  /// The upstream's bytes as they come.
  void feed(std::string_view bytes);
  [[nodiscard]] std::optional<GpuTime> billed() const noexcept { return billed_; }

 private:
  const BilledSeconds& where_;  // of the snapshot that the request keeps
  const std::string key_;
  SseSplitter splitter_;
  std::optional<GpuTime> billed_;
};

}  // namespace tollgate
