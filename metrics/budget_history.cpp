#include "metrics/budget_history.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"

namespace tollgate {
namespace {

constexpr int busy_timeout_ms = 10'000;
constexpr std::int64_t day_us = 86'400'000'000;
constexpr std::int64_t bytes_per_token = 4;

struct Closer {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, Closer>;

class Query {
 public:
  Query(sqlite3* connection, const std::string& sql) : connection_(connection) {
    failed_ = sqlite3_prepare_v2(connection, sql.c_str(), -1, &handle_, nullptr) != SQLITE_OK;
  }
  ~Query() { sqlite3_finalize(handle_); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  /// False: no further row, or an error: see failed().
  bool next() {
    if (failed_) return false;
    const int code = sqlite3_step(handle_);
    failed_ = code != SQLITE_ROW && code != SQLITE_DONE;
    return code == SQLITE_ROW;
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(handle_, column); }
  [[nodiscard]] std::string text(int column) const {
    const auto* const begin = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return begin == nullptr ? std::string()
                            : std::string(begin, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
  }

 private:
  sqlite3* connection_;
  sqlite3_stmt* handle_ = nullptr;
  bool failed_ = false;
};

class Reader {
 public:
  Reader(Connection connection, const std::string& path, const PastQuestion& question)
      : connection_(std::move(connection)), path_(path), question_(question) {}

  Result<std::vector<PastSpend>> read() {
    if (sqlite3_exec(connection_.get(), "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) return refusal();
    TOLLGATE_TRY(read_names());
    TOLLGATE_TRY(read_kinds());
    TOLLGATE_TRY(read_attempts());
    TOLLGATE_TRY(read_daily());
    return std::move(past_);
  }

 private:
  Error refusal() const {
    return fail(Fault::io_failed, "cannot read what budgets have spent from the ledger " + path_ + ": " +
                                      sqlite3_errmsg(connection_.get()));
  }

  Result<void> read_names() {
    Query query(connection_.get(), "SELECT id,text FROM name");
    while (query.next()) names_[query.number(0)] = query.text(1);
    if (query.failed()) return refusal();
    return success();
  }

  /// Every column of money, so that a ledger with more kinds of charges needs no change here.
  Result<void> read_kinds() {
    Query query(connection_.get(),
                "SELECT name FROM pragma_table_info('attempt') WHERE name LIKE '%\\_pusd' ESCAPE '\\'");
    while (query.next()) kinds_.push_back(query.text(0));
    if (query.failed()) return refusal();
    return success();
  }

  [[nodiscard]] std::string grain_of(const std::string& time) const {
    if (question_.grain_us == INT64_MAX) return "0";
    return time + "/" + std::to_string(question_.grain_us);
  }

  Result<void> read_attempts() {
    std::string money;
    for (const std::string& kind : kinds_) money.append(money.empty() ? "" : "+").append("a.").append(kind);
    std::string without;
    for (const RequestId id : question_.without ? question_.without() : std::vector<RequestId>{}) {
      without.append(without.empty() ? " AND r.id NOT IN (" : ",")
          .append(std::to_string(static_cast<std::int64_t>(id)));
    }
    if (!without.empty()) without += ")";
    const std::string since = std::to_string(question_.since_us);
    const std::string first = std::to_string(static_cast<std::int64_t>(lowest_request_id_at(question_.since_us)));
    Query query(connection_.get(),
                "SELECT r.key,r.team,r.model,r.route,a.target," + grain_of("r.arrived_us") + ",sum(" +
                    high_half(money) + "),sum(" + low_half(money) +
                    "),sum(iif(a.pricing=1,r.input_bytes,0)),sum(a.pricing=1) FROM request r CROSS JOIN attempt a ON "
                    "a.request=r.id WHERE r.id>=" +
                    first + " AND r.arrived_us>=" + since + without + " GROUP BY 1,2,3,4,5,6");
    while (query.next()) {
      PastSpend past = payer_of(query);
      past.arrived_us = question_.grain_us == INT64_MAX ? question_.now_us : query.number(5) * question_.grain_us;
      past.usd = from_halves(query.number(6), query.number(7));
      past.unpriced_bytes = query.number(8);
      past.unpriced_attempts = query.number(9);
      past_.push_back(std::move(past));
    }
    if (query.failed()) return refusal();
    return success();
  }

  Result<void> read_daily() {
    std::string money;
    for (const std::string& kind : kinds_) money.append(money.empty() ? "'" : ",'").append(kind).append("'");
    TOLLGATE_TRY(read_daily_of(money, [](PastSpend& past, UsdSum sum) { past.usd = sum; }));
    return read_daily_of("'" + std::string(daily_unpriced) + "'", [](PastSpend& past, UsdSum sum) {
      past.unpriced_attempts = static_cast<std::int64_t>(sum.picodollars());
    });
  }

  template <class Take>
  Result<void> read_daily_of(const std::string& measures, Take take) {
    Query query(connection_.get(),
                "SELECT d.key,d.team,d.model,d.route,d.target,d.day,sum(d.high),sum(d.low) FROM daily d WHERE d.day>=" +
                    std::to_string(question_.since_us / day_us) +
                    " AND d.measure IN (SELECT id FROM name WHERE text IN (" + measures + ")) GROUP BY 1,2,3,4,5,6");
    while (query.next()) {
      PastSpend past = payer_of(query);
      past.arrived_us = std::min((query.number(5) + 1) * day_us - 1, question_.now_us);
      take(past, from_halves(query.number(6), query.number(7)));
      past_.push_back(std::move(past));
    }
    if (query.failed()) return refusal();
    return success();
  }

  [[nodiscard]] PastSpend payer_of(const Query& query) const {
    const auto name = [&](int column) {
      const auto found = names_.find(query.number(column));
      return found == names_.end() ? std::string() : found->second;
    };
    PastSpend past;
    past.key = name(0);
    past.team = name(1);
    past.model = name(2);
    past.route = name(3);
    past.target = name(4);
    return past;
  }

  Connection connection_;
  const std::string& path_;
  const PastQuestion& question_;
  std::map<std::int64_t, std::string> names_;
  std::vector<std::string> kinds_;
  std::vector<PastSpend> past_;
};

}  // namespace

Result<std::vector<PastSpend>> read_past_spend(const std::string& ledger_path, const PastQuestion& question) {
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(ledger_path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  Connection connection(opened);
  if (code != SQLITE_OK) {
    return fail(Fault::io_failed, "cannot read what budgets have spent from the ledger " + ledger_path + ": " +
                                      (opened == nullptr ? "out of memory" : sqlite3_errmsg(opened)));
  }
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  return Reader(std::move(connection), ledger_path, question).read();
}

UsdSum assumed_input_charge(std::int64_t request_bytes, const Target& target) noexcept {
  if (!target.prices || request_bytes <= 0) return {};
  constexpr Int128 femto_per_pico = 1000;
  return UsdSum{divide_half_even(static_cast<Int128>(request_bytes) * target.prices->input.count(),
                                 bytes_per_token * femto_per_pico)};
}

}  // namespace tollgate
