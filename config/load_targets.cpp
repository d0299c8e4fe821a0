// `models:` of a backend: the targets, and where their prices come from.
#include <fmt/format.h>

#include <algorithm>

#include "config/address.hpp"
#include "config/decimal.hpp"
#include "config/dialects.hpp"
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

/// The keys that every set of prices has. False: a required one is missing or wrong.
bool load_set(MapReader& section, bool embeddings_only, TokenPriceSet& prices) {
  const Cursor input_place = section.required("input_usd_per_million_tokens");
  // Embeddings have no output to be priced; everything else has, and unknown must not become free.
  const Cursor output_place =
      embeddings_only ? section.at("output_usd_per_million_tokens") : section.required("output_usd_per_million_tokens");
  const auto input = load_price(input_place);
  const auto output = load_price(output_place);
  prices.cached_input = load_price(section.at("cached_input_usd_per_million_tokens"));
  prices.cache_write = load_price(section.at("cache_write_usd_per_million_tokens"));
  prices.reasoning = load_price(section.at("reasoning_usd_per_million_tokens"));
  for (std::size_t i = 0; i < rare_class_count; ++i) {
    prices.rare[i] = load_price(section.at(std::string(name_of(static_cast<RareClass>(i))) + "_usd_per_million_tokens"));
  }
  if (!input || (!output && !embeddings_only)) return false;
  prices.input = *input;
  prices.output = output.value_or(UsdPerToken{});
  return true;
}

std::optional<TokenPrices::LongInput> load_long_input(const Cursor& place, bool embeddings_only) {
  if (!place.present()) return std::nullopt;
  MapReader section(place);
  TokenPrices::LongInput prices;
  static_cast<void>(section.required("above_input_tokens"));
  section.integer("above_input_tokens", prices.above, 1, tokens_max);
  if (!load_set(section, embeddings_only, prices)) return std::nullopt;
  return prices;
}

/// "16:30" as seconds of the day; "24:00" is its end.
std::optional<std::chrono::seconds> time_of_day(std::string_view text) {
  const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : -100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hour = digit(0) * 10 + digit(1), minute = digit(3) * 10 + digit(4);
  if (hour < 0 || minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute > 0)) return std::nullopt;
  return std::chrono::hours{hour} + std::chrono::minutes{minute};
}

void load_daily(const Cursor& place, TimedPrices& timed) {
  if (!place.present()) return;
  const auto text = place.text();
  if (!text) return;
  const std::size_t dash = text->find('-');
  const auto begin = time_of_day(std::string_view(*text).substr(0, dash));
  const auto end = dash == std::string::npos ? std::nullopt : time_of_day(std::string_view(*text).substr(dash + 1));
  if (!begin || !end || *begin == *end) {
    return place.report("is no part of a day; write two times in UTC such as \"16:30-00:30\"");
  }
  timed.daily = std::pair(*begin, *end);
}

void load_from(const Cursor& place, TimedPrices& timed) {
  if (!place.present()) return;
  const auto text = place.text();
  if (!text) return;
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) value = (*text)[i] < '0' || (*text)[i] > '9' ? -100'000 : value * 10 + ((*text)[i] - '0');
    return value;
  };
  const bool shaped = text->size() == 10 && (*text)[4] == '-' && (*text)[7] == '-';
  if (shaped) {
    const std::chrono::year_month_day day{std::chrono::year{number(0, 4)}, std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                          std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    if (day.ok() && number(0, 4) >= 2000) {
      timed.from = std::chrono::sys_days{day};
      return;
    }
  }
  place.report("is no day; write one such as \"2026-12-01\"");
}

void load_weekdays(const Cursor& place, TimedPrices& timed) {
  if (!place.present()) return;
  static const std::vector<std::string> days{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  timed.weekdays = 0;
  for (const Cursor& item : place.one_or_more()) {
    if (const auto day = item.one_of(days)) timed.weekdays |= static_cast<std::uint8_t>(1U << *day);
  }
}

std::optional<TokenPrices> load_prices(const Cursor& place, bool embeddings_only, int depth = 0);

void load_timed(const Cursor& place, bool embeddings_only, TokenPrices& prices) {
  if (!place.present()) return;
  for (const Cursor& item : place.items()) {
    MapReader section(item);
    TimedPrices timed;
    load_from(section.at("from"), timed);
    load_daily(section.at("daily"), timed);
    load_weekdays(section.at("weekdays"), timed);
    const bool always = !section.at("from").present() && !section.at("daily").present() && !section.at("weekdays").present();
    if (always) item.report("holds always; say when with from, daily or weekdays, or write the prices one level up");
    if (auto loaded = load_prices(section.required("prices"), embeddings_only, 1)) {
      timed.prices = std::move(*loaded);
      prices.timed.push_back(std::move(timed));
    }
  }
}

/// `depth`: 0 for prices of a target, 1 in `timed`, 2 in `service_tiers`, where neither may be nested again.
std::optional<TokenPrices> load_prices(MapReader& section, bool embeddings_only, int depth) {
  TokenPrices prices;
  const bool whole = load_set(section, embeddings_only, prices);
  prices.per_request = load_usd(section.at("usd_per_request")).value_or(Usd{});
  prices.per_web_search = load_usd(section.at("usd_per_web_search"));
  prices.long_input = load_long_input(section.at("long_input"), embeddings_only);
  const Cursor tiers = depth < 2 ? section.at("service_tiers") : section.cursor();
  if (depth < 2 && tiers.present()) {
    for (const auto& [name, tier] : tiers.entries()) {
      if (auto loaded = load_prices(tier, embeddings_only, 2)) prices.service_tiers.push_back({name.text, std::move(*loaded)});
    }
  }
  if (depth < 1) load_timed(section.at("timed"), embeddings_only, prices);
  if (!whole) return std::nullopt;
  prices.source = "config";
  return prices;
}

std::optional<TokenPrices> load_prices(const Cursor& place, bool embeddings_only, int depth) {
  MapReader section(place);
  return load_prices(section, embeddings_only, depth);
}

/// By tokens, by other units, or both: then what the answer counts decides.
void load_passed_prices(const Cursor& place, Target& target) {
  MapReader section(place);
  const bool by_tokens = section.at("input_usd_per_million_tokens").present() || section.at("output_usd_per_million_tokens").present();
  target.unit_prices = load_unit_prices(section);
  if (by_tokens) target.prices = load_prices(section, false, 0);
  if (place.present() && !by_tokens && !target.unit_prices) {
    place.report("gives no price; add one by tokens (input_usd_per_million_tokens …), or usd_per_image, usd_per_audio_minute, usd_per_million_characters, usd_per_request");
  }
}

/// A rate of the book as a price per token; nullopt if it has more decimals than a charge can be exact with.
std::optional<UsdPerToken> price_of(prices::Price usd_per_million) {
  constexpr Int128 femto_per_token = 1'000'000'000;              // 10^-18 USD per million tokens in one femtodollar per token
  if (usd_per_million % femto_per_token != 0 || usd_per_million / femto_per_token > INT64_MAX) return std::nullopt;
  return UsdPerToken{static_cast<std::int64_t>(usd_per_million / femto_per_token)};
}

/// The token prices of a tariff; nullopt if it prices something that answers cannot be asked for here (characters, pages, video …),
/// or if its prices have more decimals than a charge can be exact with: half a price is none.
class TariffReader {
 public:
  explicit TariffReader(const prices::Tariff& tariff) : tariff_(tariff) {}

  std::optional<TokenPrices> read() {
    if (rate_of("input") == nullptr) return std::nullopt;
    TokenPrices made;
    fill(made, 0);
    const prices::Rate *const requests = rate_of("requests"), *const searches = rate_of("web_searches");
    if (requests != nullptr) made.per_request = fee(requests->base);
    if (searches != nullptr) made.per_web_search = fee(searches->base);
    for (const auto& [unit, rate] : tariff_.rates) {
      known_ = known_ && std::find(asked_.begin(), asked_.end(), unit) != asked_.end();
      if (rate.above.empty()) continue;
      // One threshold for all kinds, as providers have it.
      known_ = known_ && rate.above.size() == 1 && (above_ == 0 || above_ == rate.above.front().first);
      above_ = rate.above.front().first;
    }
    if (above_ != 0) {
      made.long_input.emplace().above = above_;
      fill(*made.long_input, above_ + 1);
    }
    if (!known_) return std::nullopt;
    return made;
  }

 private:
  const prices::Rate* rate_of(std::string_view kind) {
    const auto unit = prices::unit_of_kind(kind).value();
    asked_.push_back(unit);
    const auto found = std::find_if(tariff_.rates.begin(), tariff_.rates.end(), [&](const auto& rate) { return rate.first == unit; });
    return found == tariff_.rates.end() ? nullptr : &found->second;
  }
  std::optional<UsdPerToken> price(std::string_view kind, std::int64_t input_tokens) {
    const prices::Rate* const rate = rate_of(kind);
    if (rate == nullptr) return std::nullopt;
    const auto taken = price_of(rate->at(input_tokens));
    known_ = known_ && taken.has_value();
    return taken;
  }
  void fill(TokenPriceSet& set, std::int64_t input_tokens) {
    set.input = price("input", input_tokens).value_or(UsdPerToken{});
    set.output = price("output", input_tokens).value_or(UsdPerToken{});
    set.cached_input = price("cached_input", input_tokens);
    set.cache_write = price("cache_write", input_tokens);
    set.reasoning = price("reasoning", input_tokens);
    for (std::size_t i = 0; i < rare_class_count; ++i) set.rare[i] = price(name_of(static_cast<RareClass>(i)), input_tokens);
  }
  /// Per thousand, in 10^-18 USD, to one, in 10^-12.
  static Usd fee(prices::Price per_thousand) { return Usd{static_cast<std::int64_t>(per_thousand / 1'000'000'000)}; }

  const prices::Tariff& tariff_;
  std::vector<prices::UnitId> asked_;
  std::int64_t above_ = 0;
  bool known_ = true;
};

/// All tariffs of a model: those without a condition, and the others by when they hold.
std::optional<TokenPrices> prices_of(const prices::Model& model) {
  if (model.tariffs.empty()) return std::nullopt;
  std::optional<TokenPrices> made = TariffReader(model.tariffs.front()).read();
  if (!made) return std::nullopt;
  for (std::size_t i = 1; i < model.tariffs.size(); ++i) {
    std::optional<TokenPrices> later = TariffReader(model.tariffs[i]).read();
    if (!later) return std::nullopt;
    TimedPrices timed;
    timed.from = model.tariffs[i].from;
    timed.daily = model.tariffs[i].daily;
    timed.prices = std::move(*later);
    made->timed.push_back(std::move(timed));
  }
  return made;
}

/// The book's prices for a model as the provider at this address sells it.
std::optional<TokenPrices> book_prices(const Backend& backend, const prices::PriceBook& book, const Target& target) {
  const prices::Provider* const provider = book.provider_at(backend.url);
  const prices::Model* const model = provider == nullptr ? nullptr : book.find_model(*provider, target.upstream);
  if (model == nullptr) return std::nullopt;
  const bool embeddings_only = target.surfaces == std::vector<Surface>{Surface::embeddings};
  std::optional<TokenPrices> taken = prices_of(*model);
  const bool has_output = std::all_of(model->tariffs.begin(), model->tariffs.end(), [](const prices::Tariff& tariff) {
    return std::any_of(tariff.rates.begin(), tariff.rates.end(), [](const auto& rate) { return prices::units()[rate.first].kind == "output"; });
  });
  if (!taken || (!has_output && !embeddings_only)) return std::nullopt;
  taken->source = fmt::format("price book {}/{} as of {}", provider->id, model->id, book.as_of);
  return taken;
}

/// What the book says of other units. A moderation without a price is one that costs nothing: that is how the book lists them.
std::optional<UnitPrices> book_unit_prices(const Backend& backend, const prices::PriceBook& book, const Target& target) {
  const prices::Provider* const provider = book.provider_at(backend.url);
  const prices::Model* const model = provider == nullptr ? nullptr : book.find_model(*provider, target.upstream);
  if (model == nullptr || model->tariffs.size() != 1) return std::nullopt;
  const auto& rates = model->tariffs.front().rates;
  UnitPrices read;
  if (rates.empty()) {
    if (target.surfaces != std::vector<Surface>{Surface::moderations}) return std::nullopt;
    read.per_request = Usd{};
    return read;
  }
  constexpr Int128 to_picodollars = 1'000'000;             // from 10^-18 USD
  for (const auto& [unit, rate] : rates) {
    const std::string& kind = prices::units()[unit].kind;
    if (!rate.above.empty()) return std::nullopt;
    if (kind == "input_characters") {
      read.per_million_characters = Usd{static_cast<std::int64_t>(divide_half_even(rate.base, to_picodollars))};
    } else if (kind == "audio_seconds" || kind == "input_audio_seconds") {
      read.per_audio_minute = Usd{static_cast<std::int64_t>(divide_half_even(rate.base, 60 * to_picodollars))};
    } else {
      return std::nullopt;                                 // half a price is none
    }
  }
  return read;
}

bool agree(const TokenPrices& a, const TokenPrices& b) {
  return a.input == b.input && a.output == b.output && a.cached_input == b.cached_input && a.cache_write == b.cache_write;
}

/// What a managed target without `prices:` costs: in the price book of the configuration, else in the program. There the catalogue is
/// right where the two differ, for it is kept by hand; where they agree the book says more: audio, images, long inputs.
void take_known_prices(const Backend& backend, const Draft& draft, Target& target) {
  if (backend.pool || backend.simulated || backend.url.empty()) return;
  const Result<BackendUrl> url = parse_backend_url(backend.url);
  if (!url) return;
  const prices::PriceBook& book = draft.book ? *draft.book : prices::built_in_book();
  target.prices = book_prices(backend, book, target);
  if (target.is_passed_to()) {
    target.unit_prices = book_unit_prices(backend, book, target);
    return;
  }
  if (draft.book) return;
  const CatalogueModel* const found = find_in_catalogue(url.value().host, target.upstream);
  if (found == nullptr) return;
  const bool says_more = found->prices.input_tokens_max == 0 || (target.prices && target.prices->long_input);
  if (target.prices && says_more && agree(*target.prices, found->prices)) return;
  target.prices = found->prices;
  // Past this many input tokens the provider charges a rate that the catalogue's prices are not: by default nothing is
  // sent there.
  if (target.context_tokens == 0) target.context_tokens = found->prices.input_tokens_max;
}

void load_surfaces(const Cursor& place, const Backend& backend, Target& target) {
  const bool chat_only = serves_chat_only(backend);
  target.surfaces = {Surface::chat};
  if (!chat_only) target.surfaces.push_back(Surface::completions);
  if (!place.present()) return;
  static const std::vector<std::string> words(surface_names.begin(), surface_names.end());
  std::vector<Surface> surfaces;
  for (const Cursor& item : place.one_or_more()) {
    const auto index = item.one_of(words);
    if (!index) continue;
    const auto surface = static_cast<Surface>(*index);
    if (const std::string_view why = why_not_passed(backend, surface); !why.empty()) {
      item.report(std::string(why));
      continue;
    }
    if (chat_only && surface != Surface::chat) {
      item.report("this backend's dialect serves chat only; remove the others");
      continue;
    }
    bool is_new = true;
    for (const Surface known : surfaces) is_new = is_new && known != surface;
    if (is_new) surfaces.push_back(surface);
  }
  const auto passed = std::count_if(surfaces.begin(), surfaces.end(), passes_through);
  if (passed != 0 && static_cast<std::size_t>(passed) != surfaces.size()) {
    place.report("a model is either read or passed through (images, speech, transcriptions, moderations, files, batches): make two models of it");
  }
  const auto without = std::count_if(surfaces.begin(), surfaces.end(), [](Surface each) { return !names_model(each); });
  if (without != 0 && static_cast<std::size_t>(without) != surfaces.size()) place.report("files and batches have no model: give them an entry of their own under models");
  if (!surfaces.empty()) target.surfaces = std::move(surfaces);
}

// Part of the address of a job is the model's name.
void check_job_name(const Cursor& written, const Cursor& target, const Backend& backend, const std::string& upstream) {
  const Cursor& place = written.present() ? written : target;
  const bool two = upstream.find('/') != std::string::npos && !upstream.starts_with('/') && !upstream.ends_with('/');
  if (backend.dialect == DialectName::runpod && !two) place.report("upstream of a runpod model is ENDPOINT/MODEL: the endpoint's id, and the name that its worker serves the model by");
  if (backend.dialect == DialectName::fal && !two) place.report("upstream of a fal model is OWNER/APP, with its path behind it if there is one");
  const bool plain = std::all_of(upstream.begin(), upstream.end(), [](char c) { return c > ' ' && c <= '~' && c != '?' && c != '#' && c != '%'; });
  if (facts_of(backend.dialect).form == WireForm::job && !plain) place.report("upstream is part of a path: letters, digits, and - _ . : / only");
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
  check_job_name(section.at("upstream"), place, backend, target.upstream);
  section.integer("context_tokens", target.context_tokens, 1, tokens_max);
  section.integer("output_tokens_max", target.output_tokens_max, 1, tokens_max);
  section.share("capability", target.capability);
  section.flag("tools", target.tools);
  section.flag("images", target.images);
  section.flag("json_schema", target.json_schema);
  load_surfaces(section.at("serves"), backend, target);
  section.integer("concurrency_max", target.concurrency_max, 1, 1'000'000);
  const bool embeddings_only = target.surfaces == std::vector<Surface>{Surface::embeddings};
  const Cursor prices = section.at("prices");
  if (target.is_passed_to()) {
    load_passed_prices(prices, target);
  } else {
    target.prices = load_prices(prices, embeddings_only);
  }
  if (prices.present() && backend.pool) {
    prices.report("this backend has a pool and is billed by its hardware; remove the prices, or the pool");
  }
  if (!prices.present()) take_known_prices(backend, draft, target);
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
