#pragma once
// The built-in price catalogue (config/prices.json, part of the program): what well-known managed models cost per
// token. Prices in the configuration win over it; a model it does not know stays unpriced.
//
//    const CatalogueModel* found = find_in_catalogue("api.openai.com", "gpt-4o-mini-2024-07-18");
//    found->prices.source == "catalogue openai/gpt-4o-mini as of 2026-08-21"
//
// A model is matched by its exact id, or by its id and the date suffix that its provider puts behind ids (-2024-07-18,
// -20250929); never by a prefix alone, for "gpt-5" and "gpt-5-pro" differ tenfold. Threads: read-only after the first
// call, which reads the embedded file.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

struct CatalogueModel {
  std::string provider;  ///< "openai"
  std::string model;     ///< the provider's id
  std::string as_of;     ///< "2026-08-21"
  TokenPrices prices;
};

/// The provider that serves this host, "" if the catalogue has none.
[[nodiscard]] std::string_view catalogue_provider(std::string_view host);
/// What `upstream` costs at the provider behind `host`; nullptr if the catalogue does not say.
[[nodiscard]] const CatalogueModel* find_in_catalogue(std::string_view host, std::string_view upstream);
/// All of it, for `tollgate prices`.
[[nodiscard]] const std::vector<CatalogueModel>& price_catalogue();

}  // namespace tollgate
