#pragma once
// Price lists of others → a tollgate price book.
//
//    Result<Imported> made = import_prices(text, "data.json", "2026-11-21");
//    std::vector<std::string> doubts = implausible(made.value().book, current);      // empty: may be installed
//
// Known by their shape: genai-prices' data.json (v1 and v2: an array of providers) and LiteLLM's
// model_prices_and_context_window.json (an object of models, prices per single unit in suffixed keys). Numbers are
// taken from the text as it stands, never through a float.

#include <string>
#include <string_view>
#include <vector>

#include "config/prices/book.hpp"

namespace tollgate::prices {

struct Imported {
  std::string text;                  ///< of the book, to be written
  PriceBook book;                    ///< the same, read
  std::vector<std::string> skipped;  ///< what the book cannot hold, one line each
};

/// `today`: "2026-11-21", when the list does not say itself. A list without usage forms gets the built-in ones.
/// Errors are Fault::bad_config: the whole list is refused if any of it cannot be read.
[[nodiscard]] Result<Imported> import_prices(std::string_view text, const std::string& source,
                                             const std::string& today);

struct Change {
  std::string provider, model, kind;  ///< kind "" : the whole model
  std::optional<Rate> before, after;
};
/// What differs between two books, by provider and model id; of each model the tariff that holds at `at`.
[[nodiscard]] std::vector<Change> difference(const PriceBook& before, const PriceBook& after,
                                             std::chrono::sys_seconds at);

/// Why `after` should not replace `before`: prices that moved by more than ten times, or went to or from nothing; most
/// models gone.
[[nodiscard]] std::vector<std::string> implausible(const PriceBook& before, const PriceBook& after,
                                                   std::chrono::sys_seconds at);

/// "0.15", or "3 (6 above 200000)": USD per million, or per Unit::per.
[[nodiscard]] std::string rate_text(const Rate& rate);

}  // namespace tollgate::prices
