#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

std::string count_text(std::int64_t count) { return std::to_string(count); }

/// The cost of a row for people: known, or "unknown" where nothing of it is.
std::string usd_text(const CostsRow& row) {
  const bool nothing_known = row.unpriced > 0 && row.unpriced == row.attempts && row.known_usd() == UsdSum{};
  return nothing_known ? "unknown" : decimal_text(row.known_usd());
}

/// What the response cache saved, for people; some of it may not be known.
std::string saved_text(const CostsRow& row) {
  return row.cached > 0 && row.cached == row.cached_unknown ? "unknown" : decimal_text(row.saved);
}

std::string savings_percent(const BaselineSums& sums) {
  if (sums.baseline == UsdSum{}) return "";
  const Int128 permille = divide_half_even(sums.savings().picodollars() * 1000, sums.baseline.picodollars());
  return decimal_text(permille, 1) + "%";
}

/// A kind or class that no row has is not worth a column.
template <class Value>
std::vector<std::size_t> used(const std::vector<Value>& totals) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (totals[i] != Value{}) indices.push_back(i);
  }
  return indices;
}

std::vector<std::string> sorted_baselines(const CostsReport& report) {
  std::vector<std::string> names;
  for (const auto& [name, sums] : report.total.baselines) names.push_back(name);
  return names;
}

BaselineSums baseline_of(const CostsRow& row, const std::string& name) {
  const auto found = row.baselines.find(name);
  return found == row.baselines.end() ? BaselineSums{} : found->second;
}

/// Every row and the total as cells, columns and all.
class CostsTable {
 public:
  CostsTable(const CostsReport& report, const CostsQuestion& question)
      : report_(report), tokens_(used(report.total.tokens)), kinds_(used(report.total.spend)) {
    for (const Dimension dimension : question.by) table_.column(std::string(name_of(dimension)), false);
    if (question.by.empty()) table_.column("", false);
    table_.column("requests", true);
    table_.column("attempts", true);
    for (const std::size_t i : tokens_) table_.column(report.token_classes[i] + " tokens", true);
    if (kinds_.size() > 1) {
      for (const std::size_t i : kinds_) table_.column("USD " + report.kinds[i], true);
    }
    table_.column("USD", true);
    if (report.total.unpriced > 0) table_.column("unknown", true);
    if (report.total.cached > 0) table_.column("cached", true);
    if (report.total.cached > 0) table_.column("USD saved", true);
  }

  void print() {
    std::vector<std::vector<std::string>> rows;
    for (const CostsRow& row : report_.rows) rows.push_back(cells(row, row.labels));
    std::vector<std::string> total_labels(
        report_.rows.empty() ? 1 : std::max<std::size_t>(report_.rows[0].labels.size(), 1));
    total_labels[0] = "total";
    rows.push_back(cells(report_.total, std::move(total_labels)));
    align(rows);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + 1 == rows.size()) table_.rule();
      table_.row(std::move(rows[i]));
    }
    table_.print();
  }

 private:
  std::vector<std::string> cells(const CostsRow& row, std::vector<std::string> cells) {
    if (cells.empty()) cells.emplace_back("all");
    cells.push_back(count_text(row.requests));
    cells.push_back(count_text(row.attempts));
    for (const std::size_t i : tokens_) cells.push_back(count_text(row.tokens[i]));
    money_.clear();
    const auto money = [&](std::string text) {
      money_.push_back(cells.size());
      cells.push_back(std::move(text));
    };
    if (kinds_.size() > 1) {
      for (const std::size_t i : kinds_) money(decimal_text(row.spend[i]));
    }
    money(usd_text(row));
    if (report_.total.unpriced > 0) cells.push_back(count_text(row.unpriced));
    if (report_.total.cached == 0) return cells;
    cells.push_back(count_text(row.cached));
    money(saved_text(row));
    return cells;
  }
  void align(std::vector<std::vector<std::string>>& rows) const {
    for (const std::size_t column : money_) {
      std::vector<std::string*> amounts;
      amounts.reserve(rows.size());
      for (auto& row : rows) amounts.push_back(&row[column]);
      align_decimals(amounts);
    }
  }

  const CostsReport& report_;
  const std::vector<std::size_t> tokens_, kinds_;
  std::vector<std::size_t> money_;  // columns
  TextTable table_;
};

/// Nothing of a baseline is known there: no amount may stand for it.
bool all_unknown(const BaselineSums& sums) { return sums.compared == 0 && sums.unknown > 0; }

std::string compared_usd(const BaselineSums& sums, UsdSum usd) {
  return all_unknown(sums) ? "unknown" : decimal_text(usd);
}

/// A row for each row of the report and each baseline that applies to it.
void print_baselines(const CostsReport& report, const CostsQuestion& question) {
  TextTable table;
  for (const Dimension dimension : question.by) table.column(std::string(name_of(dimension)), false);
  table.column("baseline", false);
  for (const char* const heading : {"requests", "USD", "USD there", "saved", "%", "unknown"})
    table.column(heading, true);
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const CostsRow& row, const std::vector<std::string>& labels) {
    for (const std::string& name : sorted_baselines(report)) {
      const BaselineSums sums = baseline_of(row, name);
      if (sums.compared == 0 && sums.unknown == 0) continue;
      rows.push_back(labels);
      rows.back().insert(rows.back().end(), {name, count_text(sums.compared), compared_usd(sums, sums.actual),
                                             compared_usd(sums, sums.baseline), compared_usd(sums, sums.savings()),
                                             savings_percent(sums), count_text(sums.unknown)});
    }
  };
  for (const CostsRow& row : report.rows) add(row, row.labels);
  const std::size_t before_total = rows.size();
  std::vector<std::string> total_labels(question.by.size());
  if (!total_labels.empty()) total_labels[0] = "total";
  if (!question.by.empty()) add(report.total, total_labels);
  for (const std::size_t column : {2U, 3U, 4U}) {
    std::vector<std::string*> amounts;
    amounts.reserve(rows.size());
    for (auto& row : rows) amounts.push_back(&row[question.by.size() + column]);
    align_decimals(amounts);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == before_total) table.rule();
    table.row(std::move(rows[i]));
  }
  table.print();
}

nlohmann::ordered_json json_of(const CostsReport& report, const CostsQuestion& question, const CostsRow& row,
                               bool baselines) {
  nlohmann::ordered_json json;
  for (std::size_t i = 0; i < row.labels.size(); ++i) json[std::string(name_of(question.by[i]))] = row.labels[i];
  json["requests"] = row.requests;
  json["attempts"] = row.attempts;
  json["billed_attempts"] = row.billed;
  json["inexact_attempts"] = row.inexact;
  json["unpriced_attempts"] = row.unpriced;
  for (std::size_t i = 0; i < report.token_classes.size(); ++i) json["tokens"][report.token_classes[i]] = row.tokens[i];
  // As in the ledger's views: a sum that lacks an unknown part is not the cost.
  json["usd"] =
      row.unpriced > 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(decimal_text(row.known_usd()));
  json["usd_known"] = decimal_text(row.known_usd());
  for (std::size_t i = 0; i < report.kinds.size(); ++i)
    json["usd_by_kind"][report.kinds[i]] = decimal_text(row.spend[i]);
  json["cached_requests"] = row.cached;
  json["cached_unknown_requests"] = row.cached_unknown;
  json["saved_usd"] = row.cached_unknown > 0 ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(decimal_text(row.saved));
  json["saved_usd_known"] = decimal_text(row.saved);
  if (!baselines) return json;
  json["baselines"] = nlohmann::ordered_json::object();
  for (const std::string& name : sorted_baselines(report)) {
    const BaselineSums sums = baseline_of(row, name);
    const auto usd = [&](UsdSum sum) {
      return all_unknown(sums) ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(decimal_text(sum));
    };
    json["baselines"][name] = {{"compared_requests", sums.compared},
                               {"unknown_requests", sums.unknown},
                               {"usd", usd(sums.baseline)},
                               {"actual_usd", usd(sums.actual)},
                               {"savings_usd", usd(sums.savings())}};
  }
  return json;
}

}  // namespace

void print_table(const CostsReport& report, const CostsQuestion& question, bool baselines) {
  std::printf("%s to %s\n\n", time_text(question.since_us).c_str(), time_text(question.until_us).c_str());
  if (report.rows.empty()) {
    std::printf("no requests in this period\n");
    return;
  }
  CostsTable(report, question).print();
  if (!baselines) return;
  std::printf("\n");
  if (report.total.baselines.empty()) {
    std::printf("no baselines are recorded for this period; see `baselines` in the configuration\n");
    return;
  }
  print_baselines(report, question);
}

void print_json(const CostsReport& report, const CostsQuestion& question, bool baselines) {
  nlohmann::ordered_json json{{"since", time_text(question.since_us)}, {"until", time_text(question.until_us)}};
  json["by"] = nlohmann::ordered_json::array();
  for (const Dimension dimension : question.by) json["by"].push_back(name_of(dimension));
  json["rows"] = nlohmann::ordered_json::array();
  for (const CostsRow& row : report.rows) json["rows"].push_back(json_of(report, question, row, baselines));
  json["total"] = json_of(report, question, report.total, baselines);
  json["days_counted_whole"] = report.cut_days;
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void print_csv(const CostsReport& report, const CostsQuestion& question, bool baselines) {
  std::vector<std::string> heading;
  for (const Dimension dimension : question.by) heading.emplace_back(name_of(dimension));
  for (const char* const name : {"requests", "attempts", "unpriced_attempts"}) heading.emplace_back(name);
  for (const std::string& name : report.token_classes) heading.push_back(name + "_tokens");
  for (const std::string& name : report.kinds) heading.push_back("usd_" + name);
  heading.emplace_back("usd_known");
  const bool cached = report.total.cached > 0;
  if (cached) heading.insert(heading.end(), {"cached_requests", "cached_unknown_requests", "saved_usd_known"});
  const std::vector<std::string> names = baselines ? sorted_baselines(report) : std::vector<std::string>{};
  for (const std::string& name : names) {
    for (const char* const what : {"_usd", "_actual_usd", "_savings_usd", "_compared_requests", "_unknown_requests"}) {
      heading.push_back(name + what);
    }
  }
  std::printf("%s\r\n", csv_line(heading).c_str());
  for (const CostsRow& row : report.rows) {
    std::vector<std::string> fields = row.labels;
    for (const std::int64_t count : {row.requests, row.attempts, row.unpriced}) fields.push_back(count_text(count));
    for (const std::int64_t count : row.tokens) fields.push_back(count_text(count));
    for (const UsdSum sum : row.spend) fields.push_back(decimal_text(sum));
    fields.push_back(decimal_text(row.known_usd()));
    if (cached) fields.insert(fields.end(), {count_text(row.cached), count_text(row.cached_unknown), decimal_text(row.saved)});
    for (const std::string& name : names) {
      const BaselineSums sums = baseline_of(row, name);
      const auto usd = [&](UsdSum sum) { return all_unknown(sums) ? std::string() : decimal_text(sum); };
      fields.insert(fields.end(), {usd(sums.baseline), usd(sums.actual), usd(sums.savings()), count_text(sums.compared),
                                   count_text(sums.unknown)});
    }
    std::printf("%s\r\n", csv_line(fields).c_str());
  }
}

}  // namespace tollgate::cli
