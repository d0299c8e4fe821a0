#include "metrics/costs_query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "config/config.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/own_requests.hpp"
#include "metrics/records.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t hour_us = 3'600'000'000, day_us = 24 * hour_us;
constexpr std::string_view money_ending = "_pusd";

constexpr std::array<std::string_view, dimension_count> dimension_names{"team", "model", "route", "target", "key",
                                                                        "day",  "hour",  "tier",  "outcome"};

/// The expression that a dimension is grouped by, an integer. `target_of`: "r" for requests, "a" for attempts.
std::string grouped_by(Dimension dimension, std::string_view target_of) {
  switch (dimension) {
    case Dimension::team:
      return "r.team";
    case Dimension::model:
      return "r.model";
    case Dimension::route:
      return "r.route";
    case Dimension::target:
      return std::string(target_of) + ".target";
    case Dimension::key:
      return "r.key";
    case Dimension::day:
      return "r.arrived_us/86400000000";
    case Dimension::hour:
      return "r.arrived_us/3600000000";
    case Dimension::tier:
      return "r.tier";
    case Dimension::outcome:
      return "r.result";
  }
  return "0";
}

/// The same in the table of daily sums. It knows no hours: days stand there as negative numbers.
std::string grouped_by_daily(Dimension dimension) {
  switch (dimension) {
    case Dimension::day:
      return "d.day";
    case Dimension::hour:
      return "-1-d.day";
    case Dimension::tier:
      return "d.tier";
    case Dimension::outcome:
      return "d.result";
    default:
      return "d." + std::string(name_of(dimension));
  }
}

std::string date_text(std::int64_t day) {
  using namespace std::chrono;
  const year_month_day date{sys_days{days{day}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text.append(item).append(",");
  return text;
}

std::string counts_of_attempts() {
  std::string sql;
  for (const auto& [measure, counted] : counted_attempts) {
    sql.append(sql.empty() ? "" : ",").append("sum(").append(one_if(std::string(counted))).append(")");
  }
  return sql;
}

/// Requests that arrived in [?1, ?2); ids rise with time, which saves reading the whole table (?3).
constexpr const char* in_period = "r.id>=?3 AND r.arrived_us>=?1 AND r.arrived_us<?2";

}  // namespace

std::string_view name_of(Dimension dimension) noexcept { return dimension_names[static_cast<std::size_t>(dimension)]; }

std::optional<Dimension> dimension_named(std::string_view name) noexcept {
  const auto found = std::find(dimension_names.begin(), dimension_names.end(), name);
  if (found == dimension_names.end()) return std::nullopt;
  return static_cast<Dimension>(found - dimension_names.begin());
}

std::string high_half(const std::string& expression) { return "((" + expression + ")>>32)"; }
std::string low_half(const std::string& expression) { return "((" + expression + ")&4294967295)"; }

/// A report in the making: rows by the integers they are grouped by.
struct LedgerReader::Gathering {
  using Key = std::vector<std::int64_t>;
  const CostsQuestion& question;
  std::size_t token_count, kind_count;
  std::map<Key, CostsRow> rows;
  std::set<std::int64_t> cut_days;
  std::string own = {};  ///< a condition

  /// The row that a result belongs to: its first columns are the key.
  CostsRow& row_of(const LedgerQuery& statement) {
    Key key;
    for (std::size_t i = 0; i < question.by.size(); ++i) key.push_back(statement.number(static_cast<int>(i)));
    CostsRow& row = rows[key];
    row.tokens.resize(token_count);
    row.spend.resize(kind_count);
    return row;
  }
  [[nodiscard]] int first_value() const noexcept { return static_cast<int>(question.by.size()); }
  void bind_period(LedgerQuery& statement) const {
    statement.bind(1, question.since_us);
    statement.bind(2, question.until_us);
    statement.bind(3, static_cast<std::int64_t>(lowest_request_id_at(question.since_us)));
  }
  [[nodiscard]] std::string key_columns(std::string_view target_of) const {
    std::vector<std::string> columns;
    for (const Dimension dimension : question.by) columns.push_back(grouped_by(dimension, target_of));
    return list(columns);
  }
  [[nodiscard]] std::string group_by(std::size_t further = 0) const {
    std::string text;
    for (std::size_t i = 1; i <= question.by.size() + further; ++i) {
      text += (text.empty() ? " GROUP BY " : ",") + std::to_string(i);
    }
    return text;
  }
};

Result<std::unique_ptr<LedgerReader>> LedgerReader::open(const LedgerPlace& place) {
  TOLLGATE_TRY(std::unique_ptr<LedgerSource> source, LedgerSource::open(place));
  auto reader = std::unique_ptr<LedgerReader>(new LedgerReader(std::move(source)));
  TOLLGATE_TRY(reader->learn_columns());
  return reader;
}

Result<void> LedgerReader::learn_columns() {
  TOLLGATE_TRY(const std::vector<std::string> columns, source_->columns("attempt"));
  const auto has = [&](const std::string& column) {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
  };
  for (const std::string& column : columns) {
    if (column.ends_with(money_ending)) kinds_.push_back(column.substr(0, column.size() - money_ending.size()));
  }
  for (const std::string& kind : kinds_) {
    const bool is_fee = kind == "request";         // of that name the table has the id
    const bool is_part = kind == "reasoning";      // of output: counted there
    if (has(kind) && !is_fee && !is_part) token_classes_.push_back(kind);
  }
  if (has("reasoning")) token_classes_.emplace_back("reasoning");
  TOLLGATE_TRY(has_daily_, source_->has_table("daily"));
  TOLLGATE_TRY(has_baselines_, source_->has_table("baseline"));
  TOLLGATE_TRY(has_pool_hours_, source_->has_table("pool_hour"));
  TOLLGATE_TRY(has_cached_, source_->has_table("cached"));
  return success();
}

Result<void> LedgerReader::learn_names() {
  const auto statement = source_->query("SELECT id,text FROM name");
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    names_[statement->number(0)] = statement->text(1);
  }
}

Result<void> LedgerReader::gather_requests(Gathering& into) {
  const auto statement = source_->query("SELECT " + into.key_columns("r") + "sum(" + one_if("((r.flags>>2)&3)=0") + ") FROM request r WHERE " + in_period + into.own + into.group_by());
  into.bind_period(*statement);
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    if (statement->number(into.first_value()) > 0) {
      into.row_of(*statement).requests += statement->number(into.first_value());
    }
  }
}

Result<void> LedgerReader::gather_attempts(Gathering& into) {
  std::string sql = "SELECT " + into.key_columns("a") + "count(*)," + counts_of_attempts();
  for (const std::string& tokens : token_classes_) sql += ",sum(a." + tokens + ")";
  for (const std::string& kind : kinds_) {
    const std::string column = "a." + kind + std::string(money_ending);
    sql += ",sum(" + high_half(column) + "),sum(" + low_half(column) + ")";
  }
  sql += std::string(" FROM request r JOIN attempt a ON a.request=r.id WHERE ") + in_period + into.own + into.group_by();
  const auto statement = source_->query(sql);
  into.bind_period(*statement);
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    int column = into.first_value();
    const std::int64_t attempts = statement->number(column++);
    if (attempts == 0) continue;
    CostsRow& row = into.row_of(*statement);
    row.attempts += attempts;
    row.unpriced += statement->number(column++);
    row.billed += statement->number(column++);
    row.inexact += statement->number(column++);
    for (std::int64_t& tokens : row.tokens) tokens += statement->number(column++);
    for (UsdSum& spend : row.spend) {
      spend += from_halves(statement->number(column), statement->number(column + 1));
      column += 2;
    }
  }
}

// What was saved is saved where it was not spent: by target, at the one whose answer it was.
Result<void> LedgerReader::gather_cached(Gathering& into) {
  if (!has_cached_) return success();
  std::string sql = "SELECT " + into.key_columns("c");
  for (const auto& [measure, counted] : counted_cached) sql.append("sum(").append(one_if(std::string(counted))).append("),");
  sql += "sum(" + high_half("coalesce(c.saved_pusd,0)") + "),sum(" + low_half("coalesce(c.saved_pusd,0)") + ")";
  sql += std::string(" FROM request r JOIN cached c ON c.request=r.id WHERE ") + in_period + into.own + into.group_by();
  const auto statement = source_->query(sql);
  into.bind_period(*statement);
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    const int at = into.first_value();
    if (statement->number(at) == 0) continue;
    CostsRow& row = into.row_of(*statement);
    row.cached += statement->number(at);
    row.cached_unknown += statement->number(at + 1);
    row.saved += from_halves(statement->number(at + 2), statement->number(at + 3));
  }
}

// A request is compared where its own cost and its baseline are both known.
Result<void> LedgerReader::gather_baselines(Gathering& into) {
  if (!has_baselines_) return success();
  std::string high, low;
  for (const std::string& kind : kinds_) {
    const std::string column = "a." + kind + std::string(money_ending);
    high += (high.empty() ? "" : "+") + high_half(column);
    low += (low.empty() ? "" : "+") + low_half(column);
  }
  const std::string of_request = " FROM attempt a WHERE a.request=r.id)";
  const std::string known(baseline_comparable);
  std::string sql = "SELECT " + into.key_columns("r") + "b.baseline,sum(" + one_if(known) + "),sum(" + one_if("NOT (" + known + ")") + ")";
  sql += ",sum(" + value_if(known, high_half("b.pusd")) + "),sum(" + value_if(known, low_half("b.pusd")) + ")";
  sql += ",sum(" + value_if(known, "(SELECT coalesce(sum(" + high + "),0)" + of_request) + ")";
  sql += ",sum(" + value_if(known, "(SELECT coalesce(sum(" + low + "),0)" + of_request) + ")";
  sql += std::string(" FROM request r JOIN baseline b ON b.request=r.id WHERE ") + in_period + into.own + into.group_by(1);
  const auto statement = source_->query(sql);
  into.bind_period(*statement);
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    const int at = into.first_value();
    const auto name = names_.find(statement->number(at));
    if (name == names_.end()) continue;
    BaselineSums& sums = into.row_of(*statement).baselines[name->second];
    sums.compared += statement->number(at + 1);
    sums.unknown += statement->number(at + 2);
    sums.baseline += from_halves(statement->number(at + 3), statement->number(at + 4));
    sums.actual += from_halves(statement->number(at + 5), statement->number(at + 6));
  }
}

Result<void> LedgerReader::gather_daily(Gathering& into) {
  if (!has_daily_) return success();
  const std::int64_t first = into.question.since_us / day_us;
  const std::int64_t last = (into.question.until_us - 1) / day_us;
  std::vector<std::string> columns;
  for (const Dimension dimension : into.question.by) columns.push_back(grouped_by_daily(dimension));
  const auto statement = source_->query("SELECT " + list(columns) +
                                 "d.measure,d.day,sum(d.high),sum(d.low) FROM daily d WHERE d.day>=?1 AND d.day<=?2" +
                                 into.group_by(2));
  statement->bind(1, first);
  statement->bind(2, last);
  for (;;) {
    TOLLGATE_TRY(const bool more, statement->next());
    if (!more) return success();
    const int at = into.first_value();
    const auto measure = names_.find(statement->number(at));
    if (measure == names_.end()) continue;
    const std::int64_t day = statement->number(at + 1);
    if (day * day_us < into.question.since_us || (day + 1) * day_us > into.question.until_us) {
      into.cut_days.insert(day);
    }
    into.row_of(*statement).add_daily(measure->second, from_halves(statement->number(at + 2), statement->number(at + 3)),
                                     token_classes_, kinds_);
  }
}

std::string LedgerReader::label(Dimension dimension, std::int64_t value) const {
  switch (dimension) {
    case Dimension::day:
      return date_text(value);
    case Dimension::hour:
      return value < 0 ? date_text(-1 - value) : date_text(value / 24) + fmt::format("T{:02}:00Z", value % 24);
    case Dimension::tier:
      return std::string(name_of(static_cast<Tier>(std::clamp<std::int64_t>(value, 0, tier_count - 1))));
    default: {
      const auto name = names_.find(value);
      if (name == names_.end()) return "unknown";
      return name->second.empty() ? "none" : name->second;
    }
  }
}

Result<CostsReport> LedgerReader::costs(const CostsQuestion& question) {
  CostsReport report;
  report.kinds = kinds_;
  report.token_classes = token_classes_;
  report.total.tokens.resize(token_classes_.size());
  report.total.spend.resize(kinds_.size());
  if (question.until_us <= question.since_us) return report;
  Gathering gathering{question, token_classes_.size(), kinds_.size(), {}, {}};
  const auto gather = [&]() -> Result<void> {
    TOLLGATE_TRY(source_->snapshot());
    TOLLGATE_TRY(learn_names());
    TOLLGATE_TRY(gathering.own, own_requests(*source_, question.files));
    TOLLGATE_TRY(gather_requests(gathering));
    TOLLGATE_TRY(gather_attempts(gathering));
    TOLLGATE_TRY(gather_baselines(gathering));
    TOLLGATE_TRY(gather_cached(gathering));
    return gathering.own.empty() ? gather_daily(gathering) : success();
  };
  const Result<void> gathered = gather();
  source_->release();
  if (!gathered) return gathered.error();
  for (auto& [key, row] : gathering.rows) {
    for (std::size_t i = 0; i < key.size(); ++i) row.labels.push_back(label(question.by[i], key[i]));
    report.total.add(row);
    report.rows.push_back(std::move(row));
  }
  for (const std::int64_t day : gathering.cut_days) report.cut_days.push_back(date_text(day));
  // By text where names are grouped, by time where time is: hours of a folded day sort with their day.
  std::sort(report.rows.begin(), report.rows.end(),
            [](const CostsRow& a, const CostsRow& b) { return a.labels < b.labels; });
  return report;
}

}  // namespace tollgate
