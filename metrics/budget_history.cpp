#include "metrics/budget_history.hpp"

#include <algorithm>
#include <map>

#include "metrics/costs_query.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/own_requests.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;
constexpr std::int64_t bytes_per_token = 4;

class Reader {
 public:
  Reader(LedgerSource& source, const PastQuestion& question) : source_(source), question_(question) {}

  Result<std::vector<PastSpend>> read() {
    TOLLGATE_TRY(source_.snapshot());
    TOLLGATE_TRY(read_names());
    TOLLGATE_TRY(read_kinds());
    TOLLGATE_TRY(own_, own_requests(source_, question_.files));
    TOLLGATE_TRY(read_attempts());
    if (own_.empty()) {  // sums per day are those of all; no budget's window reaches into them (config/load_ledger.cpp)
      TOLLGATE_TRY(read_daily());
    }
    return std::move(past_);
  }

 private:
  Result<void> read_names() {
    const auto rows = source_.query("SELECT id,text FROM name");
    return each(*rows, [&] { names_[rows->number(0)] = rows->text(1); });
  }

  /// Every column of money, so that a ledger with more kinds of charges needs no change here.
  Result<void> read_kinds() {
    TOLLGATE_TRY(const std::vector<std::string> columns, source_.columns("attempt"));
    for (const std::string& column : columns) {
      if (column.ends_with("_pusd")) kinds_.push_back(column);
    }
    return success();
  }

  template <class Take>
  static Result<void> each(LedgerQuery& rows, const Take& take) {
    for (;;) {
      TOLLGATE_TRY(const bool more, rows.next());
      if (!more) return success();
      take();
    }
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
    const auto query = source_.query(
        "SELECT r.key,r.team,r.model,r.route,a.target," + grain_of("r.arrived_us") + " AS grain,sum(" + high_half(money) + "),sum(" +
        low_half(money) + "),sum(" + value_if("a.pricing=1", "r.input_bytes") + "),sum(" + one_if("a.pricing=1") +
        ") FROM request r" + source_.dialect().ordered_join() + "attempt a ON a.request=r.id WHERE r.id>=" + first +
        " AND r.arrived_us>=" + since + without + own_ + " GROUP BY 1,2,3,4,5,6");
    return each(*query, [&] {
      PastSpend past = payer_of(*query);
      past.arrived_us = question_.grain_us == INT64_MAX ? question_.now_us : query->number(5) * question_.grain_us;
      past.usd = from_halves(query->number(6), query->number(7));
      past.unpriced_bytes = query->number(8);
      past.unpriced_attempts = query->number(9);
      past_.push_back(std::move(past));
    });
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
    const auto query = source_.query(
        "SELECT d.key,d.team,d.model,d.route,d.target,d.day,sum(d.high),sum(d.low) FROM daily d WHERE d.day>=" +
        std::to_string(question_.since_us / day_us) + " AND d.measure IN (SELECT id FROM name WHERE text IN (" +
        measures + ")) GROUP BY 1,2,3,4,5,6");
    return each(*query, [&] {
      PastSpend past = payer_of(*query);
      past.arrived_us = std::min((query->number(5) + 1) * day_us - 1, question_.now_us);
      take(past, from_halves(query->number(6), query->number(7)));
      past_.push_back(std::move(past));
    });
  }

  [[nodiscard]] PastSpend payer_of(const LedgerQuery& query) const {
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

  LedgerSource& source_;
  const PastQuestion& question_;
  std::string own_;  // of the gateway that is asked about; "": all
  std::map<std::int64_t, std::string> names_;
  std::vector<std::string> kinds_;
  std::vector<PastSpend> past_;
};

}  // namespace

Result<std::vector<PastSpend>> read_past_spend(const LedgerPlace& ledger, const PastQuestion& question) {
  const auto read = [&]() -> Result<std::vector<PastSpend>> {
    TOLLGATE_TRY(const std::unique_ptr<LedgerSource> source, LedgerSource::open(ledger));
    return Reader(*source, question).read();
  };
  Result<std::vector<PastSpend>> past = read();
  if (!past) return fail(past.error().fault, "what budgets have spent is not known: " + past.error().message);
  return past;
}

UsdSum assumed_input_charge(std::int64_t request_bytes, const Target& target) noexcept {
  if (!target.prices || request_bytes <= 0) return {};
  constexpr Int128 femto_per_pico = 1000;
  return UsdSum{divide_half_even(static_cast<Int128>(request_bytes) * target.prices->input.count(),
                                 bytes_per_token * femto_per_pico)};
}

}  // namespace tollgate
