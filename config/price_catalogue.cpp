#include "config/price_catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "config/decimal.hpp"

namespace tollgate {
namespace embedded {
extern const std::string_view prices_json;
}  // namespace embedded

namespace {

using Json = nlohmann::json;

/// The suffixes a provider puts behind an id for a dated version of the same model at the same price. '#' stands for a
/// digit.
struct Provider {
  std::string name;
  std::vector<std::string> hosts;
  std::vector<std::string> date_suffixes;
};

struct Catalogue {
  std::vector<Provider> providers;
  std::vector<CatalogueModel> models;
};

/// The embedded file is part of the program and a test reads all of it: a fault in it is a bug.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::logic_error("config/prices.json: " + result.error().message);
  return std::move(result.value());
}

std::optional<UsdPerToken> optional_price(const Json& model, const char* key) {
  if (!model.contains(key)) return std::nullopt;
  return must(parse_usd_per_million_tokens(model.at(key).get<std::string>()));
}

Catalogue read_catalogue() {
  const Json file = Json::parse(embedded::prices_json);
  const auto as_of = file.at("as_of").get<std::string>();
  Catalogue catalogue;
  for (const auto& [name, provider] : file.at("providers").items()) {
    catalogue.providers.push_back({name, provider.at("hosts").get<std::vector<std::string>>(),
                                   provider.at("date_suffixes").get<std::vector<std::string>>()});
    for (const auto& [id, model] : provider.at("models").items()) {
      CatalogueModel entry{name, id, model.value("as_of", as_of), {}};
      entry.prices.input = must(parse_usd_per_million_tokens(model.at("input").get<std::string>()));
      // Embeddings have no output: the price of none is none.
      entry.prices.output = optional_price(model, "output").value_or(UsdPerToken{});
      entry.prices.cached_input = optional_price(model, "cached_input");
      entry.prices.cache_write = optional_price(model, "cache_write");
      entry.prices.input_tokens_max = model.value("input_tokens_max", std::int64_t{0});
      entry.prices.source = fmt::format("catalogue {}/{} as of {}", name, id, entry.as_of);
      catalogue.models.push_back(std::move(entry));
    }
  }
  return catalogue;
}

const Catalogue& catalogue() {
  static const Catalogue read = read_catalogue();
  return read;
}

bool fits_date(std::string_view suffix, std::string_view form) {
  return suffix.size() == form.size() && std::equal(suffix.begin(), suffix.end(), form.begin(), [](char c, char f) {
           return f == '#' ? (c >= '0' && c <= '9') : c == f;
         });
}

const Provider* provider_of(std::string_view host) {
  for (const Provider& provider : catalogue().providers) {
    if (std::find(provider.hosts.begin(), provider.hosts.end(), host) != provider.hosts.end()) return &provider;
  }
  return nullptr;
}

}  // namespace

const std::vector<CatalogueModel>& price_catalogue() { return catalogue().models; }

std::string_view catalogue_provider(std::string_view host) {
  const Provider* const provider = provider_of(host);
  return provider == nullptr ? std::string_view{} : provider->name;
}

const CatalogueModel* find_in_catalogue(std::string_view host, std::string_view upstream) {
  const Provider* const provider = provider_of(host);
  if (provider == nullptr) return nullptr;
  const CatalogueModel* dated = nullptr;
  for (const CatalogueModel& model : catalogue().models) {
    if (model.provider != provider->name) continue;
    if (model.model == upstream) return &model;
    if (!upstream.starts_with(model.model)) continue;
    const std::string_view suffix = upstream.substr(model.model.size());
    const auto& forms = provider->date_suffixes;
    if (std::any_of(forms.begin(), forms.end(), [&](const std::string& form) { return fits_date(suffix, form); }))
      dated = &model;
  }
  return dated;
}

}  // namespace tollgate
