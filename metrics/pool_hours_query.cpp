#include "metrics/pool_hours_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "metrics/costs_query.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t hour_us = 3'600'000'000;

constexpr const char* hours_sql = R"sql(
SELECT n.text, p.hour, p.billed_pusd, p.attributed_pusd, p.idle_pusd, p.cold_start_pusd, p.minimum_pusd, p.down_pusd,
  p.rounding_pusd, p.busy_gpu_us, p.idle_gpu_us, p.cold_start_gpu_us, p.minimum_gpu_us, p.down_gpu_us
FROM pool_hour p JOIN name n ON n.id=p.pool WHERE p.hour>=?1 AND p.hour<?2)sql";

std::string label_of(PoolDimension dimension, const std::string& pool, std::int64_t hour) {
  using namespace std::chrono;
  if (dimension == PoolDimension::pool) return pool;
  const sys_time<hours> at{hours{hour}};
  const year_month_day date{floor<days>(at)};
  const std::string day = fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                                      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  if (dimension == PoolDimension::day) return day;
  return fmt::format("{}T{:02}:00Z", day, (at - floor<days>(at)).count());
}

PoolLines lines_at(const LedgerQuery& row, int column) {
  PoolLines lines;
  for (UsdSum* const money : {&lines.billed, &lines.attributed, &lines.idle, &lines.cold_start, &lines.minimum,
                              &lines.down, &lines.rounding}) {
    *money = UsdSum(row.number(column++));
  }
  for (GpuTime* const time : {&lines.busy_gpu_time, &lines.idle_gpu_time, &lines.cold_start_gpu_time,
                              &lines.minimum_gpu_time, &lines.down_gpu_time}) {
    *time = GpuTime{row.number(column++)};
  }
  return lines;
}

}  // namespace

std::optional<PoolDimension> pool_dimension_named(std::string_view name) noexcept {
  const auto found = std::find(pool_dimension_names.begin(), pool_dimension_names.end(), name);
  if (found == pool_dimension_names.end()) return std::nullopt;
  return static_cast<PoolDimension>(found - pool_dimension_names.begin());
}

Result<PoolHoursReport> LedgerReader::pool_hours(const PoolHoursQuestion& question) {
  PoolHoursReport report;
  if (!has_pool_hours_) return report;  // of a gateway that did not keep pools by the hour yet
  const auto rows = source_->query(hours_sql);
  rows->bind(1, question.since_us / hour_us);
  rows->bind(2, (question.until_us + hour_us - 1) / hour_us);
  std::map<std::vector<std::string>, PoolLines> groups;
  for (;;) {
    TOLLGATE_TRY(const bool more, rows->next());
    if (!more) break;
    const std::string pool(rows->text(0));
    const PoolLines lines = lines_at(*rows, 2);
    std::vector<std::string> labels;
    for (const PoolDimension dimension : question.by) labels.push_back(label_of(dimension, pool, rows->number(1)));
    groups[labels] += lines;
    report.total += lines;
  }
  for (auto& [labels, lines] : groups) report.rows.push_back({labels, lines});
  return report;
}

}  // namespace tollgate
