#pragma once
// A time zone of the IANA database, read from the system's compiled files (TZif, RFC 9636): libstdc++ 12 has no
// std::chrono::time_zone, and a rule written by hand is wrong as soon as a government changes its mind.
//
//    Result<TimeZonePtr> berlin = find_time_zone("Europe/Berlin");
//    berlin.value()->offset_at(unix_seconds);                 // seconds east of UTC
//    berlin.value()->first_instant_of(local_seconds);         // the beginning of a local day, also where none strikes
//
// "UTC" needs no file. Immutable; any thread. Times are seconds since 1970, local ones as if the clock were UTC.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"

namespace tollgate {

class TimeZone {
 public:
  /// The content of a TZif file, of any version. Fault::bad_config if it is damaged or counts leap seconds.
  [[nodiscard]] static Result<TimeZone> parse(std::string_view name, std::string_view file);
  [[nodiscard]] static TimeZone utc();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Seconds east of UTC.
  [[nodiscard]] std::int64_t offset_at(std::int64_t unix_seconds) const noexcept;
  /// The first instant at which the local clock shows `local_seconds` or later: where the clock is put forward over it
  /// that is the moment of the change, where it is shown twice the first of the two.
  [[nodiscard]] std::int64_t first_instant_of(std::int64_t local_seconds) const noexcept;
  /// The first change of the offset after `unix_seconds`; never, if there is none.
  [[nodiscard]] std::int64_t next_change(std::int64_t unix_seconds) const noexcept;
  static constexpr std::int64_t never = INT64_MAX;

 private:
  struct Change {
    std::int64_t at;
    std::int64_t offset;  ///< from then on
  };
  TimeZone() = default;
  [[nodiscard]] std::size_t change_before(std::int64_t unix_seconds) const noexcept;
  void extend_by_rule(std::string_view rule);

  std::string name_;
  std::int64_t first_offset_ = 0;  ///< before the first change
  std::vector<Change> changes_;    ///< rising
};
using TimeZonePtr = std::shared_ptr<const TimeZone>;

/// By its IANA name. Fault::bad_config: no such zone.
[[nodiscard]] Result<TimeZonePtr> find_time_zone(std::string_view name);

}  // namespace tollgate
