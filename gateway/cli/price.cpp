// `tollgate price`: what usages of providers cost, line by line, from the price book.

#include <cstdio>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "config/prices/quote.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/price_files.hpp"

namespace tollgate::cli {

namespace {

using Json = nlohmann::ordered_json;
using prices::Quote;

Json refusal(Quote::Status status, const std::string& reason) {
  return {{"status", prices::name_of(status)}, {"reason", reason}};
}

Json shown(const Quote& quote) {
  if (quote.status != Quote::Status::priced) return refusal(quote.status, quote.reason);
  Json lines = Json::array();
  for (const Quote::Line& line : quote.lines) {
    lines.push_back({{"kind", prices::units()[line.unit].kind},
                     {"quantity", line.quantity},
                     {"usd_per_million", decimal_text(line.per_million, prices::price_decimals)},
                     {"usd", decimal_text(line.usd, prices::quote_decimals)}});
  }
  return {{"status", "priced"},
          {"input_usd", decimal_text(quote.input_usd, prices::quote_decimals)},
          {"output_usd", decimal_text(quote.output_usd, prices::quote_decimals)},
          {"usd", decimal_text(quote.usd, prices::quote_decimals)},
          {"lines", std::move(lines)}};
}

/// "2026-08-21T00:00:00Z", with a fraction or an offset such as +02:00 if it must be, or a date alone.
std::optional<std::chrono::sys_seconds> parse_time(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%d", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == 'T' || *rest == ' ' || *rest == 't') rest = ::strptime(rest + 1, "%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') {
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  long offset = 0;
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else if (*rest == '+' || *rest == '-') {
    std::tm zone{};
    rest = ::strptime(rest, "%z", &zone);
    if (rest == nullptr) return std::nullopt;
    offset = zone.tm_gmtoff;
  }
  if (*rest != '\0') return std::nullopt;
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&parts) - offset}};
}

Json price_line(const prices::PriceBook& book, const std::string& text) {
  const Json line = Json::parse(text, nullptr, false);
  if (!line.is_object()) return refusal(Quote::Status::invalid, "the line is not a JSON object");
  for (const char* const key : {"provider", "model"}) {
    if (!line.contains(key) || !line.at(key).is_string())
      return refusal(Quote::Status::invalid, std::string("'") + key + "' must be a string");
  }
  if (!line.contains("usage") || !line.at("usage").is_object())
    return refusal(Quote::Status::invalid, "'usage' must be an object");
  std::string api;
  if (line.contains("api") && !line.at("api").is_null()) {
    if (!line.at("api").is_string()) return refusal(Quote::Status::invalid, "'api' must be a string");
    api = line.at("api").get<std::string>();
  }
  auto at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  if (line.contains("at") && !line.at("at").is_null()) {
    const auto given = line.at("at").is_string() ? parse_time(line.at("at").get<std::string>()) : std::nullopt;
    if (!given) return refusal(Quote::Status::invalid, "'at' must be a time such as 2026-08-21T00:00:00Z");
    at = *given;
  }
  const auto provider = line.at("provider").get<std::string>(), model = line.at("model").get<std::string>();
  const nlohmann::json usage = line.at("usage");
  return shown(prices::price_usage(book, {provider, model, api, usage, at}));
}

}  // namespace

int price(const PriceOptions& options) {
  const Result<prices::PriceBook> book = book_from(options.prices);
  if (!book) {
    print_error(book.error().message);
    return exit_code_of(book.error());
  }
  bool any_invalid = false;
  for (std::string text; std::getline(std::cin, text);) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Json answer = price_line(book.value(), text);
    any_invalid = any_invalid || answer.at("status") == "invalid";
    const Json line = Json::parse(text, nullptr, false);
    if (line.is_object() && line.contains("id")) answer["id"] = line.at("id");
    const std::string out = answer.dump() + "\n";
    std::fwrite(out.data(), 1, out.size(), stdout);
  }
  return any_invalid ? finding : ok;
}

}  // namespace tollgate::cli
