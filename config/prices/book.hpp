#pragma once
// A price book: providers, their models, what each unit costs and since when, and where a provider's answers say how
// much was used.
//
//    const PriceBook& book = built_in_book();                  // config/prices/book.json, part of the program
//    Result<PriceBook> book = read_book(text, "prices.json");  // one that `tollgate prices import` wrote
//    const Provider* provider = book.find_provider("openai");
//    const Model* model = book.find_model(*provider, "gpt-4o-2024-08-06");
//
// Names are compared without case. The first model whose rule matches is meant, as in the catalogues that are imported;
// a provider without such a model may name others whose models it serves at their prices. Threads: read-only once made.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/prices/units.hpp"
#include "config/result.hpp"
#include "config/units.hpp"

namespace re2 {
class RE2;
}

namespace tollgate::prices {

/// USD for Unit::per of a unit, exact, in 10^-18 USD.
using Price = Int128;
inline constexpr int price_decimals = 18;

/// A price, and what it becomes once a request's whole input is more than so many tokens: then all of its tokens cost
/// that.
struct Rate {
  Price base = 0;
  std::vector<std::pair<std::int64_t, Price>> above;  ///< rising
  [[nodiscard]] Price at(std::int64_t input_tokens) const noexcept;
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// Prices that hold under a condition; the last whose condition is met holds, the first if none is.
struct Tariff {
  std::optional<std::chrono::sys_days> from;
  std::optional<std::pair<std::chrono::seconds, std::chrono::seconds>>
      daily;  ///< of the UTC day: begin <= t < end; end < begin: past midnight
  std::vector<std::pair<UnitId, Rate>> rates;
  [[nodiscard]] bool holds(std::chrono::sys_seconds at) const noexcept;
};

/// A rule over names.
struct Match {
  enum class Op : std::uint8_t { is, starts, ends, contains, regex, any, all };
  Op op = Op::is;
  std::string text;  ///< lower case, but for a regex
  std::shared_ptr<const re2::RE2> pattern;
  std::vector<Match> of;
  [[nodiscard]] bool holds(std::string_view lower_case) const;
};

struct Model {
  std::string id;
  Match match;
  std::vector<Tariff> tariffs;
  [[nodiscard]] const Tariff& tariff(std::chrono::sys_seconds at) const noexcept;
};

/// One step into an answer: a member, or the element of an array whose `key` equals `equals`.
struct Step {
  std::string key;
  std::optional<std::string> equals;
};

/// Where the answers of one API say how much was used. Counts of one unit add up.
struct UsageForm {
  struct Count {
    UnitId unit;
    std::vector<Step> path;
    bool required;
  };
  std::string api;  ///< "chat", "responses", "anthropic", "default" …
  std::vector<std::string> root;
  std::vector<Count> counts;
};

struct Provider {
  std::string id;
  std::optional<Match> match;  ///< other names of it
  std::string url_pattern;     ///< a regular expression of its addresses; "" if unknown
  std::vector<std::string> serves_models_of;
  std::vector<UsageForm> forms;
  std::vector<Model> models;
};

struct PriceBook {
  std::string as_of;   ///< "2026-08-21"
  std::string origin;  ///< whose figures
  std::vector<Provider> providers;

  [[nodiscard]] const Provider* find_provider(std::string_view name) const;
  [[nodiscard]] const Provider* provider_at(std::string_view url) const;
  [[nodiscard]] const Model* find_model(const Provider& provider, std::string_view name) const;
  [[nodiscard]] std::size_t model_count() const noexcept;
};

/// Reads the text of a book. Errors are Fault::bad_config and name what is wrong where.
[[nodiscard]] Result<PriceBook> read_book(std::string_view text, const std::string& source);
/// The one in the program; read at the first call.
[[nodiscard]] const PriceBook& built_in_book();
[[nodiscard]] std::string_view built_in_text() noexcept;

/// A decimal with an optional exponent ("4.5e-7"), times 10^`decimals`, exact; an error if it is negative, no number,
/// too large, or has more decimals than that.
[[nodiscard]] Result<Int128> scaled_decimal(std::string_view text, int decimals);

/// Midnight UTC of PriceBook::as_of, in seconds since the Unix epoch.
[[nodiscard]] std::int64_t day_of(const std::string& as_of);

[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace tollgate::prices
