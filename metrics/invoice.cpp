#include "metrics/invoice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>

#include "config/decimal.hpp"
#include "metrics/csv.hpp"

namespace tollgate {
namespace {

constexpr int money_decimals = 12;

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "1761523200" or "2025-10-27…" → "2025-10-27"; "" if it is neither.
std::string day_of(std::string_view text) {
  if (is_digits(text) && text.size() <= 11) {
    std::int64_t seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    using namespace std::chrono;
    const year_month_day date{sys_days{days{seconds / 86'400}}};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
  }
  const bool date = text.size() >= 10 && is_digits(text.substr(0, 4)) && text[4] == '-' &&
                    is_digits(text.substr(5, 2)) && text[7] == '-' && is_digits(text.substr(8, 2));
  return date ? std::string(text.substr(0, 10)) : std::string();
}

/// A count as exports write it: "1234", "3.0", "1,234", "" for none.
std::optional<std::int64_t> count_of(std::string text) {
  std::erase(text, ',');
  if (const std::size_t point = text.find('.'); point != std::string::npos) {
    if (text.find_first_not_of('0', point + 1) != std::string::npos) return std::nullopt;
    text.resize(point);
  }
  if (text.empty()) return 0;
  if (!is_digits(text) || text.size() > 18) return std::nullopt;
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

struct Money {
  UsdSum usd, rounding;
};

/// "0.0038359800000", "1.5e-05", "$0.19". What lies behind a picodollar is rounded half to even.
std::optional<Money> money_of(std::string text) {
  if (text.starts_with('$')) text.erase(0, 1);
  std::erase(text, ',');
  int exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string::npos) {
    const char* const begin = text.data() + e + 1 + (text.substr(e + 1).starts_with('+') ? 1 : 0);
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), exponent);
    if (error != std::errc{} || end != text.data() + text.size() || exponent < -30 || exponent > 6) return std::nullopt;
    text.resize(e);
  }
  if (text.empty()) return Money{};
  const std::size_t point = text.find('.');
  int decimals = point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
  if (decimals > 30) return std::nullopt;
  const Result<Int128> digits = parse_decimal(text, decimals);
  if (!digits) return std::nullopt;
  decimals -= exponent;
  const auto scaled = [&](Int128 value) {
    for (int i = decimals; i < money_decimals; ++i) value *= 10;
    Int128 divisor = 1;
    for (int i = money_decimals; i < decimals; ++i) divisor *= 10;
    return divide_half_even(value, divisor);
  };
  Int128 half_unit = 5;  // of the digit behind the last one
  ++decimals;
  half_unit = decimals > money_decimals ? 1 : scaled(half_unit);
  --decimals;
  return Money{UsdSum{scaled(digits.value())}, UsdSum{half_unit}};
}

/// What a cost line is for, from the words the provider uses.
std::string class_of(std::string_view words) {
  std::string text;
  for (const char c : words)
    text += c == '_' || c == '-' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto has = [&](std::string_view word) { return text.find(word) != std::string::npos; };
  if (has("cache write 1h")) return "cache_write_1h";
  if (has("cache write") || has("cache creation")) return "cache_write";
  if (has("input no cache") || has("uncached")) return "input";
  if (has("cache")) return "cached_input";
  if (has("output")) return "output";
  if (has("input")) return "input";
  return "other";
}

}  // namespace

std::string_view name_of(InvoiceProvider provider) noexcept {
  return provider == InvoiceProvider::openai ? "openai" : "anthropic";
}

std::string plain_model_name(std::string_view model) {
  std::vector<std::string> words(1);
  for (const char c : model) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0) {
      words.back() += static_cast<char>(std::tolower(byte));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  const auto is_number = [&](std::size_t at, std::size_t digits) {
    return at < words.size() && words[at].size() == digits && is_digits(words[at]);
  };
  std::string plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool year = is_number(i, 4) && words[i].starts_with("20");
    if (year && is_number(i + 1, 2) && is_number(i + 2, 2)) {
      i += 2;
      continue;
    }
    const bool date = is_number(i, 8) && words[i].starts_with("20");
    if (date || words[i] == "latest") continue;
    plain += (plain.empty() ? "" : "-") + words[i];
  }
  return plain;
}

/// One file: finds columns by name, rows by number, and says where something is wrong.
class Invoice::Reader {
 public:
  Reader(Invoice& invoice, const std::string& file, std::vector<CsvRow> rows)
      : invoice_(invoice), file_(file), rows_(std::move(rows)) {
    for (std::string& name : rows_.front().fields) {
      while (name.starts_with(' ')) name.erase(0, 1);
      while (name.ends_with(' ')) name.pop_back();
    }
  }

  Result<void> read() {
    if (has("usage_date_utc") && has("usage_output_tokens"))
      return read_rows(InvoiceProvider::anthropic, &Reader::anthropic_usage);
    if (has("usage_date_utc") && has("cost_usd")) return read_rows(InvoiceProvider::anthropic, &Reader::anthropic_cost);
    if (has("start_time") && has("amount_value")) return read_rows(InvoiceProvider::openai, &Reader::openai_cost);
    if (has("start_time") && has("input_tokens")) return read_rows(InvoiceProvider::openai, &Reader::openai_usage);
    if (has("start_time")) return read_rows(InvoiceProvider::openai, &Reader::openai_empty);
    return fail(Fault::bad_request,
                file_ +
                    " is no export that is known: the first line must be the heading of an OpenAI usage or cost "
                    "export (start_time, input_tokens or amount_value …) or an Anthropic one (usage_date_utc, "
                    "usage_output_tokens or cost_usd …)");
  }

 private:
  using ReadRow = Result<void> (Reader::*)(const CsvRow&, const std::string& day);

  [[nodiscard]] std::size_t column(std::string_view name) const {
    const auto& heading = rows_.front().fields;
    return static_cast<std::size_t>(std::find(heading.begin(), heading.end(), name) - heading.begin());
  }
  [[nodiscard]] bool has(std::string_view name) const { return column(name) < rows_.front().fields.size(); }
  [[nodiscard]] std::string field(const CsvRow& row, std::string_view name) const {
    const std::size_t at = column(name);
    return at < row.fields.size() ? row.fields[at] : std::string();
  }
  [[nodiscard]] Error wrong(const CsvRow& row, std::string_view name, std::string_view what) const {
    return fail(Fault::bad_request,
                fmt::format("{}:{}: {} is '{}', {}", file_, row.line, name, field(row, name).substr(0, 60), what));
  }
  [[nodiscard]] Result<std::int64_t> count(const CsvRow& row, std::string_view name) const {
    const auto read = count_of(field(row, name));
    if (!read) return wrong(row, name, "a whole number was expected");
    return *read;
  }

  Result<void> read_rows(InvoiceProvider provider, ReadRow read_row) {
    if (invoice_.provider_ && *invoice_.provider_ != provider) {
      return fail(Fault::bad_request, fmt::format("{} is an export of {}, the file before it one of {}; compare one "
                                                  "provider at a time",
                                                  file_, name_of(provider), name_of(*invoice_.provider_)));
    }
    invoice_.provider_ = provider;
    const char* const time_column = provider == InvoiceProvider::openai ? "start_time" : "usage_date_utc";
    for (std::size_t i = 1; i < rows_.size(); ++i) {
      const CsvRow& row = rows_[i];
      const std::string day = day_of(field(row, time_column));
      if (day.empty()) return wrong(row, time_column, "a date or seconds since 1970 were expected");
      if (invoice_.first_day_.empty() || day < invoice_.first_day_) invoice_.first_day_ = day;
      invoice_.last_day_ = std::max(invoice_.last_day_, day);
      TOLLGATE_TRY((this->*read_row)(row, day));
    }
    return success();
  }

  InvoiceEntry& entry(const std::string& day, const std::string& model) {
    InvoiceEntry& entry = invoice_.entries_[{day, plain_model_name(model)}];
    if (entry.model.empty()) entry.model = model;
    return entry;
  }
  void add_tokens(InvoiceEntry& entry, const std::string& name, std::int64_t tokens) {
    InvoiceAmount& amount = entry.amounts[name];
    amount.tokens = amount.tokens.value_or(0) + tokens;
    invoice_.has_tokens_ = true;
  }
  void add_money(InvoiceEntry& entry, const std::string& name, const Money& money) {
    InvoiceAmount& amount = entry.amounts[name];
    amount.usd = amount.usd.value_or(UsdSum{}) + money.usd;
    amount.rounding += money.rounding;
    invoice_.has_money_ = true;
  }
  [[nodiscard]] Result<Money> money(const CsvRow& row, std::string_view name) const {
    const auto read = money_of(field(row, name));
    if (!read) return wrong(row, name, "an amount of USD was expected");
    return *read;
  }

  /// An export of days without any use has the columns of time only.
  Result<void> openai_empty(const CsvRow& /*row*/, const std::string& /*day*/) { return success(); }

  // input_tokens is all input there: cached tokens and cache writes are parts of it.
  Result<void> openai_usage(const CsvRow& row, const std::string& day) {
    TOLLGATE_TRY(const std::int64_t input, count(row, "input_tokens"));
    TOLLGATE_TRY(const std::int64_t cached, count(row, "input_cached_tokens"));
    TOLLGATE_TRY(const std::int64_t written, count(row, "input_cache_write_tokens"));
    TOLLGATE_TRY(const std::int64_t output, count(row, "output_tokens"));
    TOLLGATE_TRY(const std::int64_t requests, count(row, "num_model_requests"));
    if (input == 0 && output == 0 && requests == 0) return success();  // a bucket of time without use
    const std::string model = field(row, "model");
    if (model.empty()) return wrong(row, "model", "but there was use: export it grouped by model");
    if (cached + written > input) return wrong(row, "input_tokens", "less than the cached tokens that are part of it");
    InvoiceEntry& to = entry(day, model);
    to.requests = to.requests.value_or(0) + requests;
    add_tokens(to, "input", input - cached - written);
    add_tokens(to, "cached_input", cached);
    add_tokens(to, "cache_write", written);
    add_tokens(to, "output", output);
    return success();
  }

  // line_item: "gpt-5-nano, input"
  Result<void> openai_cost(const CsvRow& row, const std::string& day) {
    if (field(row, "amount_value").empty()) return success();
    TOLLGATE_TRY(const Money usd, money(row, "amount_value"));
    const std::string currency = field(row, "amount_currency");
    if (!currency.empty() && currency != "usd" && currency != "USD")
      return wrong(row, "amount_currency", "USD was expected");
    const std::string item = field(row, "line_item");
    if (item.empty()) return wrong(row, "line_item", "but there is an amount: export it grouped by line item");
    const std::size_t comma = item.find(',');
    const std::string kind = comma == std::string::npos ? "other" : class_of(item.substr(comma));
    InvoiceEntry& to = entry(day, item.substr(0, comma));
    add_money(to, kind, usd);
    // A usage export beside this one says the same tokens; counted once, from there.
    return success();
  }

  Result<void> anthropic_usage(const CsvRow& row, const std::string& day) {
    const std::string model = field(row, has("model_version") ? "model_version" : "model");
    if (model.empty()) return wrong(row, "model_version", "a model was expected");
    InvoiceEntry& to = entry(day, model);
    constexpr std::pair<const char*, const char*> columns[] = {{"usage_input_tokens_no_cache", "input"},
                                                               {"usage_input_tokens_cache_write", "cache_write"},
                                                               {"usage_input_tokens_cache_write_5m", "cache_write"},
                                                               {"usage_input_tokens_cache_write_1h", "cache_write_1h"},
                                                               {"usage_input_tokens_cache_read", "cached_input"},
                                                               {"usage_output_tokens", "output"}};
    for (const auto& [column, name] : columns) {
      TOLLGATE_TRY(const std::int64_t tokens, count(row, column));
      if (has(column)) add_tokens(to, name, tokens);
    }
    return success();
  }

  Result<void> anthropic_cost(const CsvRow& row, const std::string& day) {
    TOLLGATE_TRY(const Money usd, money(row, "cost_usd"));
    const std::string model = field(row, "model"), kind = field(row, "token_type");
    add_money(entry(day, model.empty() ? "(no model)" : model), kind.empty() ? "other" : class_of(kind), usd);
    return success();
  }

  Invoice& invoice_;
  const std::string& file_;
  std::vector<CsvRow> rows_;
};

Result<void> Invoice::add(std::string_view csv, const std::string& file) {
  Result<std::vector<CsvRow>> rows = parse_csv(csv);
  if (!rows) return fail(Fault::bad_request, file + ": " + rows.error().message);
  if (rows.value().empty()) return fail(Fault::bad_request, file + " is empty");
  return Reader(*this, file, std::move(rows).value()).read();
}

}  // namespace tollgate
