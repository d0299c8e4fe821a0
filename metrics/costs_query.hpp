#pragma once
// The ledger read back: requests, attempts, tokens and money, summed by what one asks for. Reads only, also while a
// gateway writes.
//
//    Result<std::unique_ptr<LedgerReader>> ledger = LedgerReader::open("tollgate.db");
//    Result<CostsReport> report = ledger->costs({since_us, until_us, {Dimension::team, Dimension::day}});
//
// Sums are exact: the database adds 64-bit halves, which are put together in 128 bits here. What is not known is counted
// beside the money, never as zero. Kinds of charges and classes of tokens are taken from the ledger's own columns, so
// that a ledger with more of them needs no change here. Days that retention has folded into daily sums
// (metrics/ledger_retention.hpp) are part of every report; they know no hours.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "config/units.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/pool_hours_query.hpp"

namespace tollgate {

/// What sums can be split by. `target` of a request is whose answer the client got; of attempts, tokens and money it is
/// where they went. `model` is the one asked for, `outcome` the request's.
enum class Dimension : std::uint8_t { team, model, route, target, key, day, hour, tier, outcome };
inline constexpr std::size_t dimension_count = 9;
[[nodiscard]] std::string_view name_of(Dimension dimension) noexcept;
[[nodiscard]] std::optional<Dimension> dimension_named(std::string_view name) noexcept;

struct CostsQuestion {
  std::int64_t since_us = 0;  ///< arrived at or after
  std::int64_t until_us = 0;  ///< and before
  std::vector<Dimension> by;
  std::string files = {};     ///< what the one gateway with these files did (metrics/own_requests.hpp), without sums of days; "": all
};

/// A baseline over the requests of one row (metrics/baselines.hpp).
struct BaselineSums {
  std::int64_t compared = 0;  ///< requests whose own cost and whose baseline are both known
  std::int64_t unknown = 0;   ///< the others
  UsdSum baseline;            ///< what the compared ones would have cost
  UsdSum actual;              ///< what they did cost
  [[nodiscard]] UsdSum savings() const noexcept { return baseline - actual; }
};

struct CostsRow {
  std::vector<std::string> labels;  ///< one per dimension
  std::int64_t requests = 0, attempts = 0;
  std::int64_t billed = 0;           ///< attempts that cost something, known or not: not refused, not left unsent
  std::int64_t inexact = 0;          ///< of those, attempts whose usage is not the provider's final one
  std::int64_t unpriced = 0;         ///< attempts whose cost is not known; their money is not in `spend`
  std::vector<std::int64_t> tokens;  ///< one per CostsReport::token_classes
  std::vector<UsdSum> spend;         ///< one per CostsReport::kinds
  std::map<std::string, BaselineSums> baselines;

  std::int64_t cached = 0;           ///< requests that the response cache answered; by target, whose answers they were
  std::int64_t cached_unknown = 0;   ///< of those, without a known amount that was saved
  UsdSum saved;                      ///< what the attempts were charged that the others got the answers of

  [[nodiscard]] UsdSum known_usd() const noexcept;
  void add(const CostsRow& other);
  /// One measure of the table of daily sums; classes and kinds as in the report.
  void add_daily(const std::string& measure, UsdSum sum, const std::vector<std::string>& token_classes,
                 const std::vector<std::string>& kinds);
};

struct CostsReport {
  std::vector<std::string> kinds;          ///< of charges: "input", "output", "gpu" …
  std::vector<std::string> token_classes;  ///< "input", "output" …; "reasoning" is part of output
  std::vector<CostsRow> rows;              ///< by labels, rising
  CostsRow total;
  std::vector<std::string> cut_days;  ///< kept as daily sums only, and counted whole though the period cuts them
};

class LedgerReader {
 public:
  /// Errors say what is in the way.
  [[nodiscard]] static Result<std::unique_ptr<LedgerReader>> open(const LedgerPlace& place);
  LedgerReader(const LedgerReader&) = delete;
  LedgerReader& operator=(const LedgerReader&) = delete;

  [[nodiscard]] Result<CostsReport> costs(const CostsQuestion& question);
  /// (metrics/pool_hours_query.hpp)
  [[nodiscard]] Result<PoolHoursReport> pool_hours(const PoolHoursQuestion& question);

 private:
  explicit LedgerReader(std::unique_ptr<LedgerSource> source) : source_(std::move(source)) {}
  struct Gathering;
  [[nodiscard]] Result<void> learn_columns();
  [[nodiscard]] Result<void> learn_names();
  [[nodiscard]] Result<void> gather_requests(Gathering& into);
  [[nodiscard]] Result<void> gather_attempts(Gathering& into);
  [[nodiscard]] Result<void> gather_baselines(Gathering& into);
  [[nodiscard]] Result<void> gather_cached(Gathering& into);
  [[nodiscard]] Result<void> gather_daily(Gathering& into);
  [[nodiscard]] std::string label(Dimension dimension, std::int64_t value) const;

  const std::unique_ptr<LedgerSource> source_;
  bool has_daily_ = false, has_baselines_ = false, has_pool_hours_ = false, has_cached_ = false;
  std::vector<std::string> kinds_, token_classes_;
  std::map<std::int64_t, std::string> names_;
};

/// Picodollars split into halves for a database to add up without overflow: the upper and the lower 32 bits.
[[nodiscard]] std::string high_half(const std::string& expression);
[[nodiscard]] std::string low_half(const std::string& expression);
[[nodiscard]] constexpr UsdSum from_halves(std::int64_t high, std::int64_t low) noexcept {
  return UsdSum{static_cast<Int128>(high) * (std::int64_t{1} << 32) + low};
}

}  // namespace tollgate
