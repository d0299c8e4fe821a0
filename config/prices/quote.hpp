#pragma once
// What a usage costs: a provider's own usage object and a price book in, exact charge lines out.
//
//    Quote quote = price_usage(book, {"openai", "gpt-4o", "chat", usage, now});
//    if (quote.status == Quote::Status::priced) … decimal_text(quote.usd, quote_decimals)
//
// Counts overlap in most answers (cached tokens stand inside the input, audio inside the output): each part that has a
// price of its own is taken out of its whole, and what is left costs the whole's price. A part without a price of its
// own stays in the whole: never dropped, never counted twice. Tiers are chosen by the whole input. Nothing is rounded,
// but for units priced by the hour.

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/prices/book.hpp"

namespace tollgate::prices {

inline constexpr int quote_decimals = 24;
/// 10^-24 USD.
using Amount = Int128;

struct Quote {
  /// unpriced: well-formed, but what it costs is not known. invalid: the input says nothing, or contradicts itself.
  enum class Status : std::uint8_t { priced, unpriced, invalid };
  struct Line {
    UnitId unit;
    std::int64_t quantity;
    Price per_million;  ///< USD for a million of the unit, in 10^-18 USD
    Amount usd;
  };
  Status status = Status::unpriced;
  std::string reason;  ///< why it is not priced
  Amount input_usd = 0, output_usd = 0,
         usd = 0;           ///< usd holds every line, also of what is neither input nor output: searches, requests
  std::vector<Line> lines;  ///< those with a quantity
};
[[nodiscard]] std::string_view name_of(Quote::Status status) noexcept;

struct Counted {
  UnitId unit;
  std::int64_t count;
};

/// What an answer of `form` says, in units. Errors are Fault::bad_request.
[[nodiscard]] Result<std::vector<Counted>> read_usage(const UsageForm& form, const nlohmann::json& usage);
/// How `provider` answers on `api`; "" is its own default. nullptr: not known.
[[nodiscard]] const UsageForm* form_of(const Provider& provider, std::string_view api);
/// The charge lines of counts under a tariff.
[[nodiscard]] Quote price_counts(const Tariff& tariff, const std::vector<Counted>& counts);

struct Question {
  std::string_view provider, model, api;
  const nlohmann::json& usage;
  std::chrono::sys_seconds at;
};
[[nodiscard]] Quote price_usage(const PriceBook& book, const Question& question);

}  // namespace tollgate::prices
