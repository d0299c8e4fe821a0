#pragma once
// A provider's account of what was used against the ledger's, by day and model: every difference with its reason and
// what it is worth, so that the reasons of a day and model add up to its difference exactly.
//
//    Reconciliation result = reconcile(invoice, report, models);
//
// Where the invoice says tokens and money, a difference splits into tokens (priced as the ledger did) and price. Where
// it says tokens only, their worth is at the ledger's prices; where money only, the rest stays one amount. What a
// provider's own rounding can account for is called rounding. Pure.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metrics/costs_query.hpp"
#include "metrics/invoice.hpp"

namespace tollgate {

enum class DifferenceKind : std::uint8_t {
  missing_in_ledger,   ///< the provider saw use of a model on a day, the ledger none
  missing_in_invoice,  ///< the other way round
  tokens,              ///< counts of a class differ
  price,               ///< same tokens, other price
  amount,              ///< money differs, and the invoice does not say by tokens or by price
  rounding             ///< within what the provider's rounded figures can hide
};
[[nodiscard]] std::string_view name_of(DifferenceKind kind) noexcept;

struct Difference {
  std::string day, model;
  DifferenceKind kind{};
  std::string token_class;  ///< "input", "output" …; "" for all of a model and day
  std::optional<std::int64_t> ledger_tokens, invoice_tokens;
  std::optional<UsdSum> ledger_usd, invoice_usd;
  std::optional<UsdSum> usd;  ///< worth, positive where the invoice has more; absent: not known
  std::string explanation;
};

struct ReconciledDay {
  std::string day, model;
  UsdSum ledger_usd;  ///< as far as it is known
  std::optional<UsdSum> invoice_usd;
  std::int64_t ledger_attempts = 0, ledger_unpriced = 0;
  std::optional<std::int64_t> invoice_requests;
  UsdSum difference;     ///< of the known worths, rounding left out
  bool unknown = false;  ///< a difference of unknown worth
  bool beyond = false;   ///< past the tolerance, or unknown
};

struct Reconciliation {
  std::vector<ReconciledDay> days;      ///< by day and model
  std::vector<Difference> differences;  ///< in the same order
  UsdSum ledger_usd, invoice_usd;
  bool has_money = false;   ///< the invoice says money
  std::int64_t beyond = 0;  ///< how many days and models are past the tolerance
};

/// `report`: by day and target, over the invoice's days. `models`: for each target of the provider, the model as the
/// provider calls it; other targets are left out.
[[nodiscard]] Reconciliation reconcile(const Invoice& invoice, const CostsReport& report,
                                       const std::map<std::string, std::string>& models, UsdSum tolerance);

}  // namespace tollgate
