#include "metrics/reconcile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "config/decimal.hpp"

namespace tollgate {
namespace {

/// The ledger's side of one day and model.
struct Booked {
  struct Class {
    std::int64_t tokens = 0;
    UsdSum usd;
  };
  std::string model;
  std::int64_t attempts = 0, inexact = 0, unpriced = 0;  // attempts: those that were billed
  std::map<std::string, Class> classes;

  [[nodiscard]] UsdSum usd() const {
    UsdSum sum;
    for (const auto& [name, each] : classes) sum += each.usd;
    return sum;
  }
};

using BookedDays = std::map<Invoice::Key, Booked>;

BookedDays booked_days(const CostsReport& report, const std::map<std::string, std::string>& models) {
  BookedDays books;
  for (const CostsRow& row : report.rows) {
    const auto model = models.find(row.labels[1]);
    if (model == models.end() || row.billed == 0) continue;
    Booked& booked = books[{row.labels[0], plain_model_name(model->second)}];
    if (booked.model.empty()) booked.model = model->second;
    booked.attempts += row.billed;
    booked.inexact += row.inexact;
    booked.unpriced += row.unpriced;
    for (std::size_t i = 0; i < report.token_classes.size(); ++i) {
      if (report.token_classes[i] == "reasoning" || row.tokens[i] == 0) continue;
      booked.classes[report.token_classes[i]].tokens += row.tokens[i];
    }
    for (std::size_t i = 0; i < report.kinds.size(); ++i) {
      if (row.spend[i] != UsdSum{}) booked.classes[report.kinds[i]].usd += row.spend[i];
    }
  }
  return books;
}

/// A ledger without a class of its own for one-hour cache writes holds them with the others.
void fit_classes(InvoiceEntry& entry, const CostsReport& report) {
  const auto known = [&](const std::string& name) {
    return std::find(report.token_classes.begin(), report.token_classes.end(), name) != report.token_classes.end();
  };
  const auto hour = entry.amounts.find("cache_write_1h");
  if (hour == entry.amounts.end() || known("cache_write_1h")) return;
  InvoiceAmount& to = entry.amounts["cache_write"];
  if (hour->second.tokens) to.tokens = to.tokens.value_or(0) + *hour->second.tokens;
  if (hour->second.usd) to.usd = to.usd.value_or(UsdSum{}) + *hour->second.usd;
  to.rounding += hour->second.rounding;
  entry.amounts.erase(hour);
}

UsdSum absolute(UsdSum sum) { return sum < UsdSum{} ? UsdSum{} - sum : sum; }

std::optional<UsdSum> money_of(const InvoiceEntry& entry) {
  std::optional<UsdSum> sum;
  for (const auto& [name, amount] : entry.amounts) {
    if (amount.usd) sum = sum.value_or(UsdSum{}) + *amount.usd;
  }
  return sum;
}

bool has_use(const InvoiceEntry& entry) {
  return std::any_of(entry.amounts.begin(), entry.amounts.end(), [](const auto& each) {
    return each.second.tokens.value_or(0) != 0 || each.second.usd.value_or(UsdSum{}) != UsdSum{};
  });
}

std::string plural(std::int64_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// One day and model, class by class.
class Comparison {
 public:
  Comparison(const Invoice::Key& key, const InvoiceEntry& entry, const Booked& booked)
      : key_(key), entry_(entry), booked_(booked) {}

  std::vector<Difference> run() {
    const bool in_invoice = has_use(entry_), in_ledger = booked_.attempts > 0;
    if (!in_ledger && in_invoice) {
      missing(DifferenceKind::missing_in_ledger,
              "the ledger has no attempt there: traffic that did not pass the gateway (another key or program), or a "
              "ledger that was lost");
      return std::move(found_);
    }
    if (in_ledger && !in_invoice) {
      missing(DifferenceKind::missing_in_invoice,
              "the invoice has nothing there: another account or project, an export that is not complete yet, or a "
              "model that the provider calls by another name");
      return std::move(found_);
    }
    std::set<std::string> names;
    for (const auto& [name, amount] : entry_.amounts) names.insert(name);
    for (const auto& [name, each] : booked_.classes) names.insert(name);
    for (const std::string& name : names) compare(name);
    return std::move(found_);
  }

 private:
  Difference& add(DifferenceKind kind, std::string token_class, std::string explanation) {
    Difference difference;
    difference.day = key_.first;
    difference.model = entry_.model.empty() ? booked_.model : entry_.model;
    difference.kind = kind;
    difference.token_class = std::move(token_class);
    difference.explanation = std::move(explanation);
    return found_.emplace_back(std::move(difference));
  }

  void missing(DifferenceKind kind, std::string explanation) {
    Difference& all = add(kind, "", std::move(explanation));
    std::int64_t invoice_tokens = 0, ledger_tokens = 0;
    bool says_tokens = false;
    for (const auto& [name, amount] : entry_.amounts) {
      invoice_tokens += amount.tokens.value_or(0);
      says_tokens = says_tokens || amount.tokens.has_value();
    }
    for (const auto& [name, each] : booked_.classes) ledger_tokens += each.tokens;
    all.ledger_tokens = ledger_tokens;
    if (says_tokens) all.invoice_tokens = invoice_tokens;
    all.ledger_usd = booked_.usd();
    all.invoice_usd = money_of(entry_);
    if (kind == DifferenceKind::missing_in_ledger) {
      all.usd = all.invoice_usd;
    } else if (booked_.unpriced == 0) {
      all.usd = UsdSum{} - booked_.usd();
    }
  }

  [[nodiscard]] std::string why_tokens_differ(std::int64_t more) const {
    if (booked_.inexact > 0) {
      return fmt::format("{} of {} in the ledger {} no final usage (streams that clients left, estimates){}",
                         booked_.inexact, plural(booked_.attempts, "attempt"), booked_.inexact == 1 ? "has" : "have",
                         more > 0 ? "" : "; the provider billed less than was estimated");
    }
    if (entry_.requests && *entry_.requests != booked_.attempts) {
      return fmt::format("the invoice counts {}, the ledger {}", plural(*entry_.requests, "request"),
                         plural(booked_.attempts, "billed attempt"));
    }
    return more > 0 ? "traffic of this model that did not pass the gateway, or requests over midnight UTC"
                    : "requests over midnight UTC, or an export that is not complete yet";
  }

  void compare(const std::string& name) {
    const auto amount_at = entry_.amounts.find(name);
    const InvoiceAmount amount = amount_at == entry_.amounts.end() ? InvoiceAmount{} : amount_at->second;
    const auto booked_at = booked_.classes.find(name);
    const Booked::Class booked = booked_at == booked_.classes.end() ? Booked::Class{} : booked_at->second;
    // A class that one side leaves out where it knows others is none of it.
    const bool says_tokens = std::any_of(entry_.amounts.begin(), entry_.amounts.end(),
                                         [](const auto& each) { return each.second.tokens.has_value(); });
    const bool says_money = money_of(entry_).has_value();
    const std::optional<std::int64_t> tokens = says_tokens ? std::optional(amount.tokens.value_or(0)) : std::nullopt;
    const std::optional<UsdSum> usd = says_money ? std::optional(amount.usd.value_or(UsdSum{})) : std::nullopt;
    UsdSum explained = booked.usd;
    if (tokens && *tokens != booked.tokens) {
      const std::optional<UsdSum> at_ledger_price = worth(*tokens, booked);
      Difference& difference = add(DifferenceKind::tokens, name, why_tokens_differ(*tokens - booked.tokens));
      fill(difference, tokens, usd, booked);
      // Without a price in the ledger the invoice's own amount is all there is to go by.
      const std::optional<UsdSum> should_be = at_ledger_price ? at_ledger_price : usd;
      if (should_be) {
        difference.usd = *should_be - booked.usd;
        explained = *should_be;
      }
    }
    if (!usd || *usd == explained) return;
    const UsdSum rest = *usd - explained;
    const bool is_rounding = absolute(rest) <= amount.rounding;
    const DifferenceKind kind = is_rounding ? DifferenceKind::rounding
                                : tokens    ? DifferenceKind::price
                                            : DifferenceKind::amount;
    Difference& difference = add(kind, name, why_money_differs(kind, tokens.value_or(booked.tokens), *usd, booked));
    fill(difference, tokens, usd, booked);
    difference.usd = rest;
  }

  /// What so many tokens would have cost at the ledger's price of that day, which is its charge over its tokens.
  [[nodiscard]] std::optional<UsdSum> worth(std::int64_t tokens, const Booked::Class& booked) const {
    if (booked.tokens == 0 || booked_.unpriced > 0) return std::nullopt;
    return UsdSum{divide_half_even(booked.usd.picodollars() * tokens, booked.tokens)};
  }

  [[nodiscard]] std::string why_money_differs(DifferenceKind kind, std::int64_t tokens, UsdSum usd,
                                              const Booked::Class& booked) const {
    if (kind == DifferenceKind::rounding) return "the provider rounds its lines; the ledger does not";
    if (kind == DifferenceKind::price && tokens > 0 && booked.tokens > 0) {
      const auto per_million = [](UsdSum sum, std::int64_t count) {
        return decimal_text(divide_half_even(sum.picodollars(), count), 6);
      };
      return fmt::format(
          "the provider's price is {} USD per million tokens, the ledger's {}: check the prices of the "
          "configuration, discounts, service tiers",
          per_million(usd, tokens), per_million(booked.usd, booked.tokens));
    }
    if (booked_.unpriced > 0) {
      return fmt::format("the ledger does not know the cost of {} of {}", booked_.unpriced,
                         plural(booked_.attempts, "attempt"));
    }
    if (kind == DifferenceKind::price) return "a charge that one side does not have";
    return "tokens or price: add the usage export with another --invoice to tell which";
  }

  static void fill(Difference& difference, std::optional<std::int64_t> tokens, std::optional<UsdSum> usd,
                   const Booked::Class& booked) {
    difference.ledger_tokens = booked.tokens;
    difference.invoice_tokens = tokens;
    difference.ledger_usd = booked.usd;
    difference.invoice_usd = usd;
  }

  const Invoice::Key& key_;
  const InvoiceEntry& entry_;
  const Booked& booked_;
  std::vector<Difference> found_;
};

}  // namespace

std::string_view name_of(DifferenceKind kind) noexcept {
  constexpr std::string_view names[] = {"missing_in_ledger", "missing_in_invoice", "tokens", "price", "amount",
                                        "rounding"};
  return names[static_cast<std::size_t>(kind)];
}

Reconciliation reconcile(const Invoice& invoice, const CostsReport& report,
                         const std::map<std::string, std::string>& models, UsdSum tolerance) {
  Reconciliation result;
  result.has_money = invoice.has_money();
  const BookedDays books = booked_days(report, models);
  std::set<Invoice::Key> keys;
  for (const auto& [key, entry] : invoice.entries()) keys.insert(key);
  for (const auto& [key, booked] : books) keys.insert(key);
  for (const Invoice::Key& key : keys) {
    const auto entry_at = invoice.entries().find(key);
    InvoiceEntry entry = entry_at == invoice.entries().end() ? InvoiceEntry{} : entry_at->second;
    fit_classes(entry, report);
    const auto booked_at = books.find(key);
    const Booked booked = booked_at == books.end() ? Booked{} : booked_at->second;
    if (!has_use(entry) && booked.attempts == 0) continue;
    ReconciledDay day{key.first,       entry.model.empty() ? booked.model : entry.model,
                      booked.usd(),    money_of(entry),
                      booked.attempts, booked.unpriced,
                      entry.requests,  {},
                      false,           false};
    for (Difference& difference : Comparison(key, entry, booked).run()) {
      const bool counts = difference.kind != DifferenceKind::rounding;
      if (difference.usd && counts) day.difference += *difference.usd;
      day.unknown = day.unknown || !difference.usd;
      result.differences.push_back(std::move(difference));
    }
    day.beyond = day.unknown || absolute(day.difference) > tolerance;
    result.ledger_usd += day.ledger_usd;
    result.invoice_usd += day.invoice_usd.value_or(UsdSum{});
    result.beyond += day.beyond ? 1 : 0;
    result.days.push_back(std::move(day));
  }
  return result;
}

}  // namespace tollgate
