#include "config/prices/book.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace tollgate::embedded {
extern const std::string_view price_book_json;
}

namespace tollgate::prices {

namespace {

using Json = nlohmann::json;

/// What is wrong with a book; caught where it is read.
struct Wrong : std::runtime_error {
  using std::runtime_error::runtime_error;
};

const Json& member(const Json& object, const char* key, const std::string& where) {
  if (!object.is_object() || !object.contains(key)) throw Wrong(fmt::format("{}: '{}' is missing", where, key));
  return object.at(key);
}

std::string text_of(const Json& value, const std::string& where) {
  if (!value.is_string()) throw Wrong(fmt::format("{}: expected a string", where));
  return value.get<std::string>();
}

const Json& array_of(const Json& value, const std::string& where) {
  if (!value.is_array()) throw Wrong(fmt::format("{}: expected an array", where));
  return value;
}

Match read_match(const Json& rule, const std::string& where) {
  if (!rule.is_object() || rule.size() != 1) throw Wrong(fmt::format("{}: a match has one member", where));
  static constexpr std::pair<const char*, Match::Op> ops[] = {
      {"is", Match::Op::is},       {"starts", Match::Op::starts},
      {"ends", Match::Op::ends},   {"contains", Match::Op::contains},
      {"regex", Match::Op::regex}, {"any", Match::Op::any},
      {"all", Match::Op::all}};
  const std::string& name = rule.begin().key();
  const Json& value = rule.begin().value();
  const auto* const op =
      std::find_if(std::begin(ops), std::end(ops), [&](const auto& known) { return name == known.first; });
  if (op == std::end(ops)) throw Wrong(fmt::format("{}: unknown match '{}'", where, name));
  Match match;
  match.op = op->second;
  if (match.op == Match::Op::any || match.op == Match::Op::all) {
    for (const Json& part : array_of(value, where)) match.of.push_back(read_match(part, where));
  } else if (match.op == Match::Op::regex) {
    match.text = text_of(value, where);
    match.pattern = std::make_shared<const re2::RE2>(match.text, re2::RE2::Quiet);
    if (!match.pattern->ok())
      throw Wrong(fmt::format("{}: '{}' is no regular expression: {}", where, match.text, match.pattern->error()));
  } else {
    match.text = lower_case(text_of(value, where));
  }
  return match;
}

Price read_price(const Json& value, const std::string& where) {
  const Result<Int128> price = scaled_decimal(text_of(value, where), price_decimals);
  if (!price) throw Wrong(fmt::format("{}: {}", where, price.error().message));
  return price.value();
}

Rate read_rate(const Json& value, const std::string& where) {
  Rate rate;
  if (value.is_string()) {
    rate.base = read_price(value, where);
    return rate;
  }
  rate.base = read_price(member(value, "base", where), where);
  for (const Json& tier : array_of(member(value, "above", where), where)) {
    if (!tier.is_array() || tier.size() != 2 || !tier[0].is_number_unsigned())
      throw Wrong(fmt::format("{}: a tier is [tokens, \"price\"]", where));
    rate.above.emplace_back(tier[0].get<std::int64_t>(), read_price(tier[1], where));
  }
  std::sort(rate.above.begin(), rate.above.end());
  return rate;
}

std::chrono::sys_days read_day(const std::string& text, const std::string& where) {
  int year = 0;
  unsigned month = 0, day = 0;
  if (std::sscanf(text.c_str(), "%4d-%2u-%2u", &year, &month, &day) ==
      3) {  // NOLINT(cert-err34-c): checked by ok() below
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
    if (date.ok()) return date;
  }
  throw Wrong(fmt::format("{}: '{}' is no date such as 2026-08-21", where, text));
}

std::chrono::seconds read_clock(const std::string& text, const std::string& where) {
  int hours = 0, minutes = 0, seconds = 0;
  const int got =
      std::sscanf(text.c_str(), "%2d:%2d:%2d", &hours, &minutes, &seconds);  // NOLINT(cert-err34-c): checked below
  if (got < 2 || hours < 0 || hours > 24 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) {
    throw Wrong(fmt::format("{}: '{}' is no time of day such as 16:30", where, text));
  }
  return std::chrono::hours{hours} + std::chrono::minutes{minutes} + std::chrono::seconds{seconds};
}

Tariff read_tariff(const Json& value, const std::string& where) {
  Tariff tariff;
  if (value.contains("from")) tariff.from = read_day(text_of(value.at("from"), where), where);
  if (value.contains("daily")) {
    const Json& daily = array_of(value.at("daily"), where);
    if (daily.size() != 2) throw Wrong(fmt::format("{}: daily is [begin, end]", where));
    tariff.daily = {read_clock(text_of(daily[0], where), where), read_clock(text_of(daily[1], where), where)};
  }
  for (const auto& [kind, rate] : member(value, "usd", where).items()) {
    const auto unit = unit_of_kind(kind);
    if (!unit) throw Wrong(fmt::format("{}: unknown kind '{}'", where, kind));
    tariff.rates.emplace_back(*unit, read_rate(rate, where + "." + kind));
  }
  return tariff;
}

Model read_model(const Json& value, const std::string& provider) {
  Model model;
  model.id = text_of(member(value, "id", provider), provider);
  const std::string where = provider + "/" + model.id;
  if (value.contains("match")) {
    model.match = read_match(value.at("match"), where);
  } else {
    model.match.text = lower_case(model.id);
  }
  for (const Json& tariff : array_of(member(value, "prices", where), where))
    model.tariffs.push_back(read_tariff(tariff, where));
  if (model.tariffs.empty()) throw Wrong(fmt::format("{}: no prices", where));
  return model;
}

UsageForm read_form(const Json& value, const std::string& where) {
  UsageForm form;
  form.api = text_of(member(value, "api", where), where);
  for (const Json& key : array_of(member(value, "root", where), where)) form.root.push_back(text_of(key, where));
  for (const Json& entry : array_of(member(value, "counts", where), where)) {
    const auto unit = unit_of_kind(text_of(member(entry, "kind", where), where));
    if (!unit) throw Wrong(fmt::format("{}: unknown kind in the usage of '{}'", where, form.api));
    UsageForm::Count count{*unit, {}, entry.value("required", false)};
    for (const Json& step : array_of(member(entry, "path", where), where)) {
      if (step.is_string()) {
        count.path.push_back({step.get<std::string>(), std::nullopt});
      } else {
        count.path.push_back({text_of(member(step, "where", where), where), text_of(member(step, "is", where), where)});
      }
    }
    if (count.path.empty()) throw Wrong(fmt::format("{}: an empty path in the usage of '{}'", where, form.api));
    form.counts.push_back(std::move(count));
  }
  return form;
}

Provider read_provider(const Json& value) {
  Provider provider;
  provider.id = text_of(member(value, "id", "a provider"), "a provider's id");
  if (value.contains("match")) provider.match = read_match(value.at("match"), provider.id);
  provider.url_pattern = value.value("url", "");
  if (value.contains("serves_models_of"))
    provider.serves_models_of = value.at("serves_models_of").get<std::vector<std::string>>();
  if (value.contains("usage")) {
    for (const Json& form : array_of(value.at("usage"), provider.id))
      provider.forms.push_back(read_form(form, provider.id));
  }
  for (const Json& model : array_of(member(value, "models", provider.id), provider.id))
    provider.models.push_back(read_model(model, provider.id));
  return provider;
}

}  // namespace

std::int64_t day_of(const std::string& as_of) {
  return std::chrono::sys_seconds{read_day(as_of, "as_of")}.time_since_epoch().count();
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return lower;
}

Result<Int128> scaled_decimal(std::string_view text, int decimals) {
  const auto wrong = [&](const char* why) {
    return fail(Fault::bad_config, fmt::format("'{}' is no exact price: {}", text, why));
  };
  std::string_view mantissa = text;
  int exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || exponent < -40 || exponent > 40)
      return wrong("its exponent");
    mantissa = text.substr(0, e);
  }
  constexpr Int128 most = Int128{1} << 120;
  Int128 value = 0;
  int places =
      decimals + exponent;  // digits still to come before the scaled point … counted down behind the decimal point
  bool behind = false, any = false;
  for (const char c : mantissa) {
    if (c == '.' && !behind) {
      behind = true;
      continue;
    }
    if (c < '0' || c > '9') return wrong(c == '-' ? "it is negative" : "it is no decimal number");
    any = true;
    if (behind && places == 0) {
      if (c != '0') return wrong("it has too many decimals");
      continue;
    }
    value = value * 10 + (c - '0');
    if (value > most) return wrong("it is too large");
    if (behind) --places;
  }
  if (!any) return wrong("it has no digits");
  for (; places > 0; --places) {
    value *= 10;
    if (value > most) return wrong("it is too large");
  }
  for (; places < 0; ++places) {
    if (value % 10 != 0) return wrong("it has too many decimals");
    value /= 10;
  }
  return value;
}

Price Rate::at(std::int64_t input_tokens) const noexcept {
  Price price = base;
  for (const auto& [tokens, dearer] : above) {
    if (input_tokens > tokens) price = dearer;
  }
  return price;
}

bool Tariff::holds(std::chrono::sys_seconds at) const noexcept {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  if (from && day < *from) return false;
  if (!daily) return true;
  const std::chrono::seconds clock = at - day;
  const auto [begin, end] = *daily;
  return begin <= end ? begin <= clock && clock < end : clock >= begin || clock < end;
}

const Tariff& Model::tariff(std::chrono::sys_seconds at) const noexcept {
  const auto holding =
      std::find_if(tariffs.rbegin(), tariffs.rend(), [&](const Tariff& tariff) { return tariff.holds(at); });
  return holding == tariffs.rend() ? tariffs.front() : *holding;
}

bool Match::holds(std::string_view name) const {
  switch (op) {
    case Op::is:
      return name == text;
    case Op::starts:
      return name.starts_with(text);
    case Op::ends:
      return name.ends_with(text);
    case Op::contains:
      return name.find(text) != std::string_view::npos;
    case Op::regex:
      return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *pattern);
    case Op::any:
      return std::any_of(of.begin(), of.end(), [&](const Match& part) { return part.holds(name); });
    case Op::all:
      return std::all_of(of.begin(), of.end(), [&](const Match& part) { return part.holds(name); });
  }
  return false;
}

const Provider* PriceBook::find_provider(std::string_view name) const {
  const std::string lower = lower_case(name);
  for (const Provider& provider : providers) {
    if (provider.id == lower) return &provider;
  }
  for (const Provider& provider : providers) {
    if (provider.match && provider.match->holds(lower)) return &provider;
  }
  return nullptr;
}

const Provider* PriceBook::provider_at(std::string_view url) const {
  const re2::StringPiece address(url.data(), url.size());
  for (const Provider& provider : providers) {
    if (provider.url_pattern.empty()) continue;
    const re2::RE2 pattern("^(?:" + provider.url_pattern + ")", re2::RE2::Quiet);
    if (pattern.ok() && re2::RE2::PartialMatch(address, pattern)) return &provider;
  }
  return nullptr;
}

const Model* PriceBook::find_model(const Provider& provider, std::string_view name) const {
  const std::string lower = lower_case(name);
  const auto among = [&](const Provider& of) -> const Model* {
    for (const Model& model : of.models) {
      if (model.match.holds(lower)) return &model;
    }
    return nullptr;
  };
  if (const Model* own = among(provider)) return own;
  for (const std::string& other : provider.serves_models_of) {
    for (const Provider& of : providers) {
      if (of.id != other) continue;
      if (const Model* found = among(of)) return found;
    }
  }
  return nullptr;
}

std::size_t PriceBook::model_count() const noexcept {
  std::size_t count = 0;
  for (const Provider& provider : providers) count += provider.models.size();
  return count;
}

Result<PriceBook> read_book(std::string_view text, const std::string& source) {
  try {
    const Json file = Json::parse(text);
    if (!file.is_object() || file.value("format", "") != "tollgate-prices" || file.value("version", 0) != 1) {
      throw Wrong("not a tollgate price book of version 1; `tollgate prices import` makes one");
    }
    PriceBook book;
    book.as_of = text_of(member(file, "as_of", "the book"), "as_of");
    static_cast<void>(read_day(book.as_of, "as_of"));
    book.origin = text_of(member(file, "origin", "the book"), "origin");
    for (const Json& provider : array_of(member(file, "providers", "the book"), "providers"))
      book.providers.push_back(read_provider(provider));
    return book;
  } catch (const Wrong& wrong) {
    return fail(Fault::bad_config, source + ": " + wrong.what());
  } catch (const Json::exception& error) {
    return fail(Fault::bad_config, source + ": " + error.what());
  }
}

std::string_view built_in_text() noexcept { return embedded::price_book_json; }

const PriceBook& built_in_book() {
  static const PriceBook book = [] {
    Result<PriceBook> read = read_book(built_in_text(), "config/prices/book.json");
    if (!read) throw std::logic_error(read.error().message);  // part of the program, and a test reads it
    return std::move(read.value());
  }();
  return book;
}

}  // namespace tollgate::prices
