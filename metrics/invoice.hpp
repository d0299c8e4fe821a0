#pragma once
// A provider's own account of what was used: the CSV files that its console exports.
//
//    Invoice invoice;
//    Result<void> read = invoice.add(text, "completions_usage_2026-11.csv");      // and further files of the same
//    provider
//
// Known by their headings:
//    OpenAI usage      start_time, model, num_model_requests, input_tokens, output_tokens, input_cached_tokens …
//    OpenAI costs      start_time, amount_value, amount_currency, line_item, quantity …
//    Anthropic usage   usage_date_utc, model_version, usage_input_tokens_no_cache, …_cache_read, usage_output_tokens …
//    Anthropic costs   usage_date_utc, model, token_type, cost_usd …
//
// Usage says tokens, costs say money; both together tell a difference of tokens from one of prices. Days are UTC, as
// the providers' are. Token classes are brought into the normal form of metrics/usage.hpp: they do not overlap.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.hpp"
#include "config/units.hpp"

namespace tollgate {

enum class InvoiceProvider : std::uint8_t { openai, anthropic };
[[nodiscard]] std::string_view name_of(InvoiceProvider provider) noexcept;

/// One model's name in one form, whatever the writing: no date, no capitals, words and numbers joined by '-'.
/// "Claude Sonnet 4.5", "claude-sonnet-4-5-20250929" and "claude-sonnet-4.5" are one.
[[nodiscard]] std::string plain_model_name(std::string_view model);

/// One class of tokens ("input", "output" …) of one model on one day.
struct InvoiceAmount {
  std::optional<std::int64_t> tokens;
  std::optional<UsdSum> usd;
  UsdSum rounding;  ///< the money may be rounded by as much: half a unit of the last digit of every line
};

struct InvoiceEntry {
  std::string model;                     ///< as the provider writes it
  std::optional<std::int64_t> requests;  ///< where the export counts them
  std::map<std::string, InvoiceAmount> amounts;
};

class Invoice {
 public:
  using Key = std::pair<std::string, std::string>;  ///< day as 2026-11-01, plain model name

  /// Errors name the file and, where it is one line's fault, the line.
  [[nodiscard]] Result<void> add(std::string_view csv, const std::string& file);

  [[nodiscard]] const std::optional<InvoiceProvider>& provider() const noexcept { return provider_; }
  [[nodiscard]] const std::map<Key, InvoiceEntry>& entries() const noexcept { return entries_; }
  /// Every day that the export covers, also those without use. Empty: the files hold nothing.
  [[nodiscard]] std::string first_day() const { return first_day_; }
  [[nodiscard]] std::string last_day() const { return last_day_; }
  [[nodiscard]] bool has_tokens() const noexcept { return has_tokens_; }
  [[nodiscard]] bool has_money() const noexcept { return has_money_; }

 private:
  class Reader;
  std::optional<InvoiceProvider> provider_;
  std::map<Key, InvoiceEntry> entries_;
  std::string first_day_, last_day_;
  bool has_tokens_ = false, has_money_ = false;
};

}  // namespace tollgate
