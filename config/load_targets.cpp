// `models:` of a backend: the targets, and where their prices come from.
#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/decimal.hpp"
#include "config/draft.hpp"
#include "config/price_catalogue.hpp"
#include "config/prices/book.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t tokens_max = 100'000'000;

std::optional<UsdPerToken> load_price(const Cursor& place) {
  if (!place.present()) return std::nullopt;
  constexpr Int128 per_million = 1'000'000'000;  // one USD per million tokens, in femtodollars per token
  const auto count = place.decimal(usd_per_million_tokens_decimals, 0, usd_per_million_tokens_max * per_million);
  if (!count) return std::nullopt;
  return UsdPerToken{static_cast<std::int64_t>(*count)};
}

std::optional<TokenPrices::LongInput> load_long_input(const Cursor& place, bool embeddings_only) {
  if (!place.present()) return std::nullopt;
  MapReader section(place);
  TokenPrices::LongInput prices;
  static_cast<void>(section.required("above_input_tokens"));
  section.integer("above_input_tokens", prices.above, 1, tokens_max);
  const auto input = load_price(section.required("input_usd_per_million_tokens"));
  const auto output = load_price(embeddings_only ? section.at("output_usd_per_million_tokens") : section.required("output_usd_per_million_tokens"));
  prices.cached_input = load_price(section.at("cached_input_usd_per_million_tokens"));
  prices.cache_write = load_price(section.at("cache_write_usd_per_million_tokens"));
  if (!input || (!output && !embeddings_only)) return std::nullopt;
  prices.input = *input;
  prices.output = output.value_or(UsdPerToken{});
  return prices;
}

std::optional<TokenPrices> load_prices(const Cursor& place, bool embeddings_only) {
  MapReader section(place);
  const Cursor input_place = section.required("input_usd_per_million_tokens");
  // Embeddings have no output to be priced; everything else has, and unknown must not become free.
  const Cursor output_place =
      embeddings_only ? section.at("output_usd_per_million_tokens") : section.required("output_usd_per_million_tokens");
  const auto input = load_price(input_place);
  const auto output = load_price(output_place);
  TokenPrices prices;
  prices.cached_input = load_price(section.at("cached_input_usd_per_million_tokens"));
  prices.cache_write = load_price(section.at("cache_write_usd_per_million_tokens"));
  const Cursor per_request = section.at("usd_per_request");
  constexpr Int128 usd = 1'000'000'000'000;  // picodollars
  if (per_request.present()) {
    const auto count = per_request.decimal(usd_decimals, 0, 10'000 * usd);
    if (count) prices.per_request = Usd{static_cast<std::int64_t>(*count)};
  }
  prices.long_input = load_long_input(section.at("long_input"), embeddings_only);
  if (!input || (!output && !embeddings_only)) return std::nullopt;
  prices.input = *input;
  prices.output = output.value_or(UsdPerToken{});
  prices.source = "config";
  return prices;
}

/// A rate of the book as a price per token; nullopt if it has more decimals than a charge can be exact with.
std::optional<UsdPerToken> price_of(prices::Price usd_per_million) {
  constexpr Int128 femto_per_token = 1'000'000'000;              // 10^-18 USD per million tokens in one femtodollar per token
  if (usd_per_million % femto_per_token != 0 || usd_per_million / femto_per_token > INT64_MAX) return std::nullopt;
  return UsdPerToken{static_cast<std::int64_t>(usd_per_million / femto_per_token)};
}

/// The token prices of a tariff, if they are all that a charge of this gateway's needs: input, output, cached input, cache write.
std::optional<TokenPrices> prices_of(const prices::Tariff& tariff) {
  const auto rate_of = [&](std::string_view kind) -> const prices::Rate* {
    const auto unit = prices::unit_of_kind(kind).value();
    const auto found = std::find_if(tariff.rates.begin(), tariff.rates.end(), [&](const auto& rate) { return rate.first == unit; });
    return found == tariff.rates.end() ? nullptr : &found->second;
  };
  const prices::Rate *const input = rate_of("input"), *const output = rate_of("output"), *const cached = rate_of("cached_input"),
                     *const write = rate_of("cache_write"), *const requests = rate_of("requests");
  if (input == nullptr) return std::nullopt;
  std::int64_t above = 0;                        // one threshold for all kinds, as providers have it; else the prices are not taken
  for (const prices::Rate* const rate : {input, output, cached, write}) {
    if (rate == nullptr || rate->above.empty()) continue;
    if (rate->above.size() > 1 || (above != 0 && above != rate->above.front().first)) return std::nullopt;
    above = rate->above.front().first;
  }
  bool exact = true;
  const auto price = [&](const prices::Rate* rate, std::int64_t input_tokens) {
    const auto taken = rate == nullptr ? std::optional(UsdPerToken{}) : price_of(rate->at(input_tokens));
    exact = exact && taken.has_value();
    return taken.value_or(UsdPerToken{});
  };
  const auto optional_price = [&](const prices::Rate* rate, std::int64_t input_tokens) {
    return rate == nullptr ? std::nullopt : std::optional(price(rate, input_tokens));
  };
  TokenPrices made;
  made.input = price(input, 0);
  made.output = price(output, 0);
  made.cached_input = optional_price(cached, 0);
  made.cache_write = optional_price(write, 0);
  if (requests != nullptr) made.per_request = Usd{static_cast<std::int64_t>(requests->base / 1'000'000'000)};   // per thousand, 10^-18 → one, 10^-12
  if (above != 0) made.long_input = TokenPrices::LongInput{above, price(input, above + 1), price(output, above + 1), optional_price(cached, above + 1), optional_price(write, above + 1)};
  if (!exact) return std::nullopt;
  return made;
}

/// What a managed target without `prices:` costs: in the price book of the configuration, the built-in catalogue, the built-in book.
void take_book_prices(const Backend& backend, const prices::PriceBook& book, Target& target) {
  const prices::Provider* const provider = book.provider_at(backend.url);
  const prices::Model* const model = provider == nullptr ? nullptr : book.find_model(*provider, target.upstream);
  if (model == nullptr) return;
  const bool embeddings_only = target.surfaces == std::vector<Surface>{Surface::embeddings};
  const prices::Tariff& tariff = model->tariff(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
  std::optional<TokenPrices> taken = prices_of(tariff);
  const bool has_output = std::any_of(tariff.rates.begin(), tariff.rates.end(), [](const auto& rate) { return prices::units()[rate.first].kind == "output"; });
  if (!taken || (!has_output && !embeddings_only)) return;
  taken->source = fmt::format("price book {}/{} as of {}", provider->id, model->id, book.as_of);
  target.prices = std::move(taken);
}

void take_catalogue_prices(const Backend& backend, const Draft& draft, Target& target) {
  if (backend.pool || backend.simulated || backend.url.empty()) return;
  const Result<BackendUrl> url = parse_backend_url(backend.url);
  if (!url) return;
  if (draft.book) return take_book_prices(backend, *draft.book, target);
  const CatalogueModel* const found = find_in_catalogue(url.value().host, target.upstream);
  if (found == nullptr) return take_book_prices(backend, prices::built_in_book(), target);
  target.prices = found->prices;
  // Past this many input tokens the provider charges a rate that the catalogue's prices are not: by default nothing is
  // sent there.
  if (target.context_tokens == 0) target.context_tokens = found->prices.input_tokens_max;
}

void load_surfaces(const Cursor& place, Target& target) {
  target.surfaces = {Surface::chat, Surface::completions};
  if (!place.present()) return;
  static const std::vector<std::string> words{"chat", "completions", "embeddings"};
  std::vector<Surface> surfaces;
  for (const Cursor& item : place.one_or_more()) {
    const auto index = item.one_of(words);
    if (!index) continue;
    const auto surface = static_cast<Surface>(*index);
    bool is_new = true;
    for (const Surface known : surfaces) is_new = is_new && known != surface;
    if (is_new) surfaces.push_back(surface);
  }
  if (!surfaces.empty()) target.surfaces = std::move(surfaces);
}

void load_target(const std::string& name, const Cursor& place, std::size_t backend_index, Draft& draft) {
  const Backend& backend = draft.config.backends[backend_index];
  MapReader section(place);
  Target target;
  target.model = Names::global().intern(name);
  target.id = Names::global().intern(fmt::format("{}/{}", text(backend.name), name));
  target.backend = backend_index;
  target.upstream = name;
  section.text("upstream", target.upstream);
  section.integer("context_tokens", target.context_tokens, 1, tokens_max);
  section.integer("output_tokens_max", target.output_tokens_max, 1, tokens_max);
  section.share("capability", target.capability);
  section.flag("tools", target.tools);
  section.flag("images", target.images);
  section.flag("json_schema", target.json_schema);
  load_surfaces(section.at("serves"), target);
  section.integer("concurrency_max", target.concurrency_max, 1, 1'000'000);
  const bool embeddings_only = target.surfaces == std::vector<Surface>{Surface::embeddings};
  const Cursor prices = section.at("prices");
  target.prices = load_prices(prices, embeddings_only);
  if (prices.present() && backend.pool) {
    prices.report("this backend has a pool and is billed by its hardware; remove the prices, or the pool");
  }
  if (!prices.present()) take_catalogue_prices(backend, draft, target);
  const bool no_room = target.context_tokens != 0 && target.output_tokens_max > target.context_tokens;
  if (no_room)
    section.at("output_tokens_max").report("is larger than context_tokens; a context holds input and output together");
  draft.config.targets.push_back(std::move(target));
  draft.target_places.push_back(place);
}

}  // namespace

void load_targets(const Cursor& models, std::size_t backend, Draft& draft) {
  const auto entries = models.entries();
  for (const auto& [name, place] : entries) {
    if (is_legal_model(name.text, place)) load_target(name.text, place, backend, draft);
  }
  if (models.is_map() && entries.empty()) models.report("names no model; add at least one");
}

}  // namespace tollgate
