// `tollgate costs --pools`: the bill of the hardware, by whose it is.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

struct MoneyLine {
  const char* name;
  UsdSum PoolLines::*sum;
};
constexpr std::array<MoneyLine, 7> money_lines{{{"billed", &PoolLines::billed},
                                                {"attributed", &PoolLines::attributed},
                                                {"idle", &PoolLines::idle},
                                                {"cold_start", &PoolLines::cold_start},
                                                {"minimum", &PoolLines::minimum},
                                                {"down", &PoolLines::down},
                                                {"rounding", &PoolLines::rounding}}};
struct TimeLine {
  const char* name;
  GpuTime PoolLines::*time;
};
constexpr std::array<TimeLine, 5> time_lines{{{"busy", &PoolLines::busy_gpu_time},
                                              {"idle", &PoolLines::idle_gpu_time},
                                              {"cold_start", &PoolLines::cold_start_gpu_time},
                                              {"minimum", &PoolLines::minimum_gpu_time},
                                              {"down", &PoolLines::down_gpu_time}}};

std::string seconds_text(GpuTime time) { return decimal_text(Int128{time.count()}, 6); }

/// Share of the billed GPU time in which requests were in flight; "" without any.
std::string busy_percent(const PoolLines& lines) {
  Int128 all = 0;
  for (const TimeLine& line : time_lines) all += (lines.*line.time).count();
  if (all <= 0) return "";
  return decimal_text(divide_half_even(Int128{lines.busy_gpu_time.count()} * 1000, all), 1) + "%";
}

void print_pools_table(const PoolHoursReport& report, const PoolHoursQuestion& question) {
  std::printf("%s to %s, in whole hours\n\n", time_text(question.since_us).c_str(),
              time_text(question.until_us).c_str());
  if (report.rows.empty()) {
    std::printf("no pool was billed in this period\n");
    return;
  }
  TextTable table;
  for (const PoolDimension dimension : question.by) {
    table.column(std::string(pool_dimension_names[static_cast<std::size_t>(dimension)]), false);
  }
  std::vector<MoneyLine> used;  // a line that no row has is not worth a column
  for (const MoneyLine& line : money_lines) {
    if (report.total.*line.sum != UsdSum{} || line.sum == &PoolLines::billed) used.push_back(line);
  }
  for (const MoneyLine& line : used) table.column(std::string("USD ") + line.name, true);
  table.column("busy", true);
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](std::vector<std::string> cells, const PoolLines& lines) {
    for (const MoneyLine& line : used) cells.push_back(decimal_text(lines.*line.sum));
    cells.push_back(busy_percent(lines));
    rows.push_back(std::move(cells));
  };
  for (const PoolHoursRow& row : report.rows) add(row.labels, row.lines);
  std::vector<std::string> total(question.by.size());
  total[0] = "total";
  add(std::move(total), report.total);
  for (std::size_t column = question.by.size(); column < question.by.size() + used.size(); ++column) {
    std::vector<std::string*> amounts;
    for (auto& row : rows) amounts.push_back(&row[column]);
    align_decimals(amounts);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + 1 == rows.size()) table.rule();
    table.row(std::move(rows[i]));
  }
  table.print();
}

nlohmann::ordered_json json_of(const PoolLines& lines) {
  nlohmann::ordered_json json;
  for (const MoneyLine& line : money_lines) json["usd"][line.name] = decimal_text(lines.*line.sum);
  for (const TimeLine& line : time_lines) json["gpu_seconds"][line.name] = seconds_text(lines.*line.time);
  return json;
}

void print_pools_json(const PoolHoursReport& report, const PoolHoursQuestion& question) {
  nlohmann::ordered_json json{{"since", time_text(question.since_us)}, {"until", time_text(question.until_us)}};
  json["by"] = nlohmann::ordered_json::array();
  for (const PoolDimension dimension : question.by) {
    json["by"].push_back(pool_dimension_names[static_cast<std::size_t>(dimension)]);
  }
  json["rows"] = nlohmann::ordered_json::array();
  for (const PoolHoursRow& row : report.rows) {
    nlohmann::ordered_json entry;
    for (std::size_t i = 0; i < row.labels.size(); ++i) entry[json["by"][i].get<std::string>()] = row.labels[i];
    entry.update(json_of(row.lines));
    json["rows"].push_back(std::move(entry));
  }
  json["total"] = json_of(report.total);
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void print_pools_csv(const PoolHoursReport& report, const PoolHoursQuestion& question) {
  std::vector<std::string> heading;
  for (const PoolDimension dimension : question.by) {
    heading.emplace_back(pool_dimension_names[static_cast<std::size_t>(dimension)]);
  }
  for (const MoneyLine& line : money_lines) heading.push_back(std::string("usd_") + line.name);
  for (const TimeLine& line : time_lines) heading.push_back(std::string("gpu_seconds_") + line.name);
  std::printf("%s\r\n", csv_line(heading).c_str());
  for (const PoolHoursRow& row : report.rows) {
    std::vector<std::string> fields = row.labels;
    for (const MoneyLine& line : money_lines) fields.push_back(decimal_text(row.lines.*line.sum));
    for (const TimeLine& line : time_lines) fields.push_back(seconds_text(row.lines.*line.time));
    std::printf("%s\r\n", csv_line(fields).c_str());
  }
}

}  // namespace

int pool_costs(const CostsOptions& options, const Period& period) {
  PoolHoursQuestion question{period.since_us, period.until_us, {}};
  for (const std::string& name : options.by) {
    const auto dimension = pool_dimension_named(name);
    if (!dimension) {
      print_error(fmt::format("--by knows no '{}' of pools; it takes one or more of pool, day, hour", name));
      return usage;
    }
    question.by.push_back(*dimension);
  }
  LedgerPlace place;
  if (const int code = find_ledger(options.ledger, options.config, place); code != ok) return code;
  const Result<std::unique_ptr<LedgerReader>> ledger = LedgerReader::open(place);
  if (!ledger) {
    print_error(ledger.error().message);
    return io_failure;
  }
  const Result<PoolHoursReport> report = ledger.value()->pool_hours(question);
  if (!report) {
    print_error(report.error().message);
    return io_failure;
  }
  if (options.json) {
    print_pools_json(report.value(), question);
  } else if (options.csv) {
    print_pools_csv(report.value(), question);
  } else {
    print_pools_table(report.value(), question);
  }
  return ok;
}

}  // namespace tollgate::cli
