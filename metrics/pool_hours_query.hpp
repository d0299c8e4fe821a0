#pragma once
// The pools' bills read back from the ledger: by pool, day or hour, each with the lines it consists of. Reads only,
// also while a gateway writes; that writes its pools twice a minute, so the last half minute may not be there yet.
//
//    Result<PoolHoursReport> report = reader->pool_hours({since_us, until_us, {PoolDimension::pool}});
//
// Hours are counted whole: those that begin in the period, and the one the period begins in.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/pool_lines.hpp"

namespace tollgate {

enum class PoolDimension : std::uint8_t { pool, day, hour };
inline constexpr std::array<std::string_view, 3> pool_dimension_names{"pool", "day", "hour"};
[[nodiscard]] std::optional<PoolDimension> pool_dimension_named(std::string_view name) noexcept;

struct PoolHoursQuestion {
  std::int64_t since_us = 0, until_us = 0;
  std::vector<PoolDimension> by;
};

struct PoolHoursRow {
  std::vector<std::string> labels;  ///< one per dimension
  PoolLines lines;
};

struct PoolHoursReport {
  std::vector<PoolHoursRow> rows;  ///< by labels, rising
  PoolLines total;
};

}  // namespace tollgate
