// `tollgate prices`: the price book, imported, listed, shown, compared.

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "config/prices/import.hpp"
#include "gateway/cli/commands.hpp"
#include "gateway/cli/price_files.hpp"

namespace tollgate::cli {

namespace {

using Json = nlohmann::ordered_json;
using prices::PriceBook;

std::chrono::sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::string today() {
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(now())};
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                static_cast<unsigned>(day.day()));
  return text;
}

int refused(const Error& error) {
  print_error(error.message);
  return exit_code_of(error);
}

std::string usd_text(const prices::Tariff& tariff, prices::UnitId wanted) {
  for (const auto& [unit, rate] : tariff.rates) {
    if (unit == wanted) return decimal_text(rate.base, prices::price_decimals) + (rate.above.empty() ? "" : "+");
  }
  return "-";
}

Json usd_json(const prices::Tariff& tariff) {
  Json usd = Json::object();
  for (const auto& [unit, rate] : tariff.rates) {
    const std::string& kind = prices::units()[unit].kind;
    if (rate.above.empty()) {
      usd[kind] = decimal_text(rate.base, prices::price_decimals);
      continue;
    }
    usd[kind] = {{"base", decimal_text(rate.base, prices::price_decimals)}, {"above", Json::array()}};
    for (const auto& [tokens, price] : rate.above)
      usd[kind]["above"].push_back({tokens, decimal_text(price, prices::price_decimals)});
  }
  return usd;
}

/// What a price is for: "1M tokens", "1000 web_searches".
std::string per_text(const prices::Unit& unit) {
  if (unit.family == "tokens") return "1M tokens";
  if (unit.per == 3600) return "hour";
  return std::to_string(unit.per);
}

}  // namespace

int prices_import(const PricesOptions& options) {
  const Result<std::string> text = read_file(options.file);
  if (!text) return refused(text.error());
  Result<prices::Imported> imported =
      prices::import_prices(text.value(), options.file, options.as_of.empty() ? today() : options.as_of);
  if (!imported) {
    print_error(imported.error().message);
    std::fprintf(stderr, "nothing was changed\n");
    return exit_code_of(imported.error());
  }
  const bool replaces = ::access(options.to.c_str(), F_OK) == 0;
  const Result<PriceBook> current = book_from(replaces ? options.to : "");
  if (!current && !options.force) {
    print_error(current.error().message + "; --force replaces it unread");
    return exit_code_of(current.error());
  }
  const std::vector<std::string> doubts =
      current ? prices::implausible(current.value(), imported.value().book, now()) : std::vector<std::string>{};
  // Against an older list of the same kind one doubt is enough. Lists of different makers mean different things by a
  // few of their prices (text and image output in one, say); there only many doubts tell of a wrong unit.
  const std::size_t models = imported.value().book.model_count();
  const bool same_kind = replaces && current && current.value().origin == imported.value().book.origin;
  const bool refused_as_a_whole = !doubts.empty() && (same_kind || doubts.size() * 20 > models);
  for (const std::string& doubt : doubts)
    std::fprintf(stderr, "%s: %s\n", refused_as_a_whole ? "implausible" : "differs", doubt.c_str());
  if (refused_as_a_whole && !options.force) {
    std::fprintf(
        stderr,
        "%s is refused as a whole: %zu implausible against %s; nothing was changed (--force takes it all the same)\n",
        options.file.c_str(), doubts.size(), replaces ? options.to.c_str() : "the built-in prices");
    return finding;
  }
  if (!options.dry_run) {
    if (const Result<void> written = replace_file(options.to, imported.value().text); !written)
      return refused(written.error());
  }
  const PriceBook& book = imported.value().book;
  if (options.json) {
    const Json report{{"origin", book.origin},
                      {"as_of", book.as_of},
                      {"providers", book.providers.size()},
                      {"models", book.model_count()},
                      {"skipped", imported.value().skipped},
                      {"written", options.dry_run ? Json() : Json(options.to)}};
    std::printf("%s\n", report.dump(2).c_str());
  } else {
    std::printf("%zu models of %zu providers from %s, as of %s%s%s; %zu entries cannot be held%s\n", book.model_count(),
                book.providers.size(), book.origin.c_str(), book.as_of.c_str(),
                options.dry_run ? "; not written (--dry-run)" : ", written to ",
                options.dry_run ? "" : options.to.c_str(), imported.value().skipped.size(),
                imported.value().skipped.empty() ? "" : " (--json lists them)");
  }
  return ok;
}

int prices_list(const PricesOptions& options) {
  const Result<PriceBook> book = book_from(options.prices);
  if (!book) return refused(book.error());
  const auto unit = [](const char* kind) { return prices::unit_of_kind(kind).value(); };
  const prices::UnitId columns[] = {unit("input"), unit("cached_input"), unit("cache_write"), unit("output")};
  const prices::Provider* only = nullptr;
  if (!options.provider.empty() && (only = book.value().find_provider(options.provider)) == nullptr) {
    print_error("no provider '" + options.provider + "' in the price book");
    return finding;
  }
  Json listed = Json::array();
  if (!options.json)
    std::printf("%-20s %-52s %12s %12s %12s %12s\n", "provider", "model", "input", "cached", "cache write", "output");
  for (const prices::Provider& provider : book.value().providers) {
    if (only != nullptr && &provider != only) continue;
    for (const prices::Model& model : provider.models) {
      const prices::Tariff& tariff = model.tariff(now());
      if (options.json) {
        listed.push_back({{"provider", provider.id}, {"model", model.id}, {"usd_per_million", usd_json(tariff)}});
        continue;
      }
      std::printf("%-20s %-52s", provider.id.c_str(), model.id.c_str());
      for (const prices::UnitId column : columns) std::printf(" %12s", usd_text(tariff, column).c_str());
      std::printf("\n");
    }
  }
  if (options.json) {
    std::printf("%s\n",
                Json{{"as_of", book.value().as_of}, {"origin", book.value().origin}, {"models", std::move(listed)}}
                    .dump(2)
                    .c_str());
  } else {
    std::printf(
        "USD per million tokens as of %s (figures: %s); + dearer for long inputs, - not known. `tollgate prices show "
        "PROVIDER MODEL` shows all.\n",
        book.value().as_of.c_str(), book.value().origin.c_str());
  }
  return ok;
}

int prices_show(const PricesOptions& options) {
  const Result<PriceBook> book = book_from(options.prices);
  if (!book) return refused(book.error());
  const prices::Provider* const provider = book.value().find_provider(options.provider);
  const prices::Model* const model = provider == nullptr ? nullptr : book.value().find_model(*provider, options.model);
  if (model == nullptr) {
    print_error(provider == nullptr ? "no provider '" + options.provider + "' in the price book"
                                    : "no model '" + options.model + "' of " + provider->id + " in the price book");
    return finding;
  }
  const prices::Tariff& holds = model->tariff(now());
  Json tariffs = Json::array();
  for (const prices::Tariff& tariff : model->tariffs) {
    const bool in_force = &tariff == &holds;
    Json entry{{"in_force", in_force}};
    std::string when;
    if (tariff.from) {
      const std::chrono::year_month_day day{*tariff.from};
      char text[40];
      std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()),
                    static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
      entry["from"] = text;
      when = std::string(" from ") + text;
    }
    if (tariff.daily) {
      const auto clock = [](std::chrono::seconds of_day) {
        char text[16];
        std::snprintf(text, sizeof text, "%02d:%02d", static_cast<int>(of_day / std::chrono::hours{1}),
                      static_cast<int>(of_day / std::chrono::minutes{1}) % 60);
        return std::string(text);
      };
      entry["daily_utc"] = {clock(tariff.daily->first), clock(tariff.daily->second)};
      when += " from " + clock(tariff.daily->first) + " to " + clock(tariff.daily->second) + " UTC";
    }
    entry["usd_per_million"] = usd_json(tariff);
    tariffs.push_back(std::move(entry));
    if (options.json) continue;
    std::printf("%s/%s%s%s\n", provider->id.c_str(), model->id.c_str(), when.c_str(),
                in_force ? "" : " (not in force now)");
    for (const auto& [unit, rate] : tariff.rates) {
      std::printf("  %-24s %14s USD per %s\n", prices::units()[unit].kind.c_str(), prices::rate_text(rate).c_str(),
                  per_text(prices::units()[unit]).c_str());
    }
  }
  if (options.json)
    std::printf("%s\n", Json{{"provider", provider->id},
                             {"model", model->id},
                             {"as_of", book.value().as_of},
                             {"tariffs", std::move(tariffs)}}
                            .dump(2)
                            .c_str());
  return ok;
}

int prices_diff(const PricesOptions& options) {
  const Result<PriceBook> before = book_from(options.prices);
  if (!before) return refused(before.error());
  const Result<std::string> text = read_file(options.file);
  if (!text) return refused(text.error());
  const Result<prices::Imported> after =
      prices::import_prices(text.value(), options.file, today());  // a book of ours, or a list of others
  if (!after) return refused(after.error());
  const std::vector<prices::Change> changes = prices::difference(before.value(), after.value().book, now());
  Json listed = Json::array();
  for (const prices::Change& change : changes) {
    const auto rate = [](const std::optional<prices::Rate>& of) {
      return of ? prices::rate_text(*of) : std::string("-");
    };
    if (options.json) {
      listed.push_back({{"provider", change.provider},
                        {"model", change.model},
                        {"kind", change.kind},
                        {"before", change.kind.empty() || !change.before ? Json() : Json(rate(change.before))},
                        {"after", change.kind.empty() || !change.after ? Json() : Json(rate(change.after))},
                        {"what", change.kind.empty() ? (change.before ? "model gone" : "model new") : "price"}});
    } else if (change.kind.empty()) {
      std::printf("%s %s/%s\n", change.before ? "gone" : "new ", change.provider.c_str(), change.model.c_str());
    } else {
      std::printf("     %s/%s %s: %s -> %s\n", change.provider.c_str(), change.model.c_str(), change.kind.c_str(),
                  rate(change.before).c_str(), rate(change.after).c_str());
    }
  }
  if (options.json) std::printf("%s\n", Json{{"changes", std::move(listed)}}.dump(2).c_str());
  return changes.empty() ? ok : finding;
}

}  // namespace tollgate::cli
