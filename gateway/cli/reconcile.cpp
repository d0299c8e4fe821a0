// `tollgate reconcile`: a provider's exports against the ledger.
#include "metrics/reconcile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "config/address.hpp"
#include "config/config.hpp"
#include "config/decimal.hpp"
#include "config/price_catalogue.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;

std::optional<std::string> contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return std::nullopt;
  return text;
}

int read_invoices(const ReconcileOptions& options, Invoice& invoice) {
  for (const std::string& path : options.invoices) {
    const std::optional<std::string> text = contents_of(path);
    if (!text) {
      print_error("cannot read '" + path + "'");
      return io_failure;
    }
    if (const Result<void> added = invoice.add(*text, path); !added) {
      print_error(added.error().message);
      return finding;
    }
  }
  if (invoice.first_day().empty()) {
    print_error("the export has no rows below its heading: nothing to compare");
    return finding;
  }
  return ok;
}

/// The configuration, if there is one to read; without it the ledger's targets must say enough.
int load_config(const ReconcileOptions& options, ConfigPtr& config) {
  const bool needed = options.ledger.empty() || options.backends.empty();
  const Result<std::string> text = read_config_text(options.config);
  if (!text) {
    if (!needed) return ok;
    print_error(text.error().message + "; or name the ledger with --ledger and the backends with --backend");
    return io_failure;
  }
  const Result<ConfigPtr> loaded = load_text(text.value(), options.config, process_environment());
  if (!loaded && needed) {
    print_error(loaded.error().message);
    return finding;
  }
  if (loaded) config = loaded.value();
  return ok;
}

bool is_at(const Backend& backend, InvoiceProvider provider) {
  const Result<BackendUrl> url = parse_backend_url(backend.url);
  return !backend.simulated && url && catalogue_provider(url.value().host) == name_of(provider);
}

/// For each target of the invoice's backends, what the provider calls its model.
std::map<std::string, std::string> models_of(const ReconcileOptions& options, const ConfigPtr& config,
                                             InvoiceProvider provider, const CostsReport& report) {
  std::map<std::string, std::string> models;
  const auto chosen = [&](std::string_view backend) {
    return std::find(options.backends.begin(), options.backends.end(), backend) != options.backends.end();
  };
  // Targets that the configuration does not have any more are still in the ledger.
  for (const CostsRow& row : report.rows) {
    const std::string& target = row.labels[1];
    const std::size_t slash = target.find('/');
    if (slash != std::string::npos && chosen(target.substr(0, slash))) models[target] = target.substr(slash + 1);
  }
  if (!config) return models;
  for (const Target& target : config->targets) {
    const Backend& backend = config->backend_of(target);
    const bool wanted = options.backends.empty() ? is_at(backend, provider) : chosen(text(backend.name));
    if (wanted) models[std::string(text(target.id))] = target.upstream;
  }
  return models;
}

std::string tokens_text(const std::optional<std::int64_t>& tokens) { return tokens ? std::to_string(*tokens) : ""; }
std::string usd_text(const std::optional<UsdSum>& usd) { return usd ? decimal_text(*usd) : "unknown"; }

void print_days(const Reconciliation& result) {
  TextTable table;
  table.column("day", false);
  table.column("model", false);
  for (const char* const heading : {"attempts", "USD ledger", "USD invoice", "USD difference"})
    table.column(heading, true);
  table.column("", false);
  std::vector<std::vector<std::string>> rows;
  for (const ReconciledDay& day : result.days) {
    const bool unknown_cost = day.ledger_unpriced > 0 && day.ledger_usd == UsdSum{};
    rows.push_back({day.day, day.model, std::to_string(day.ledger_attempts),
                    unknown_cost ? "unknown" : decimal_text(day.ledger_usd),
                    day.invoice_usd ? decimal_text(*day.invoice_usd) : "",
                    day.unknown ? "unknown" : decimal_text(day.difference), day.beyond ? "differs" : "agrees"});
  }
  for (const std::size_t column : {3U, 4U, 5U}) {
    std::vector<std::string*> amounts;
    amounts.reserve(rows.size());
    for (auto& row : rows) amounts.push_back(&row[column]);
    align_decimals(amounts);
  }
  for (auto& row : rows) table.row(std::move(row));
  table.print();
}

void print_differences(const Reconciliation& result) {
  for (const Difference& each : result.differences) {
    std::string kind(name_of(each.kind));
    std::replace(kind.begin(), kind.end(), '_', ' ');
    std::printf("%s %s: %s%s%s", each.day.c_str(), each.model.c_str(), kind.c_str(),
                each.token_class.empty() ? "" : ", ", each.token_class.c_str());
    if (each.kind == DifferenceKind::tokens) {
      std::printf(": ledger %s, invoice %s", tokens_text(each.ledger_tokens).c_str(),
                  tokens_text(each.invoice_tokens).c_str());
    } else if (each.invoice_usd) {
      std::printf(": ledger %s USD, invoice %s USD", usd_text(each.ledger_usd).c_str(),
                  usd_text(each.invoice_usd).c_str());
    }
    std::printf("; worth %s USD\n  %s\n", usd_text(each.usd).c_str(), each.explanation.c_str());
  }
}

void print_text(const Reconciliation& result, const Invoice& invoice, const std::string& tolerance) {
  std::printf("%s, %s to %s; %s\n\n", std::string(name_of(*invoice.provider())).c_str(), invoice.first_day().c_str(),
              invoice.last_day().c_str(),
              !result.has_money       ? "the invoice says tokens only; differences are priced as the ledger priced them"
              : !invoice.has_tokens() ? "the invoice says money only; add the usage export to tell tokens from prices"
                                      : "tokens and money");
  if (result.days.empty()) {
    std::printf("neither side has any use of a model in these days\n");
    return;
  }
  print_days(result);
  if (!result.differences.empty()) std::printf("\n");
  print_differences(result);
  std::printf("\n%s: %lld of %zu days and models differ by more than %s USD\n",
              result.beyond > 0 ? "differs" : "agrees", static_cast<long long>(result.beyond), result.days.size(),
              tolerance.c_str());
}

void print_json(const Reconciliation& result, const Invoice& invoice, const std::string& tolerance) {
  using Json = nlohmann::ordered_json;
  const auto usd = [](const std::optional<UsdSum>& sum) { return sum ? Json(decimal_text(*sum)) : Json(nullptr); };
  const auto count = [](const std::optional<std::int64_t>& n) { return n ? Json(*n) : Json(nullptr); };
  Json json{{"provider", name_of(*invoice.provider())},
            {"first_day", invoice.first_day()},
            {"last_day", invoice.last_day()},
            {"tolerance_usd", tolerance},
            {"agrees", result.beyond == 0},
            {"beyond_tolerance", result.beyond},
            {"ledger_usd", decimal_text(result.ledger_usd)}};
  json["invoice_usd"] = result.has_money ? Json(decimal_text(result.invoice_usd)) : Json(nullptr);
  json["days"] = Json::array();
  for (const ReconciledDay& day : result.days) {
    json["days"].push_back({{"day", day.day},
                            {"model", day.model},
                            {"ledger_attempts", day.ledger_attempts},
                            {"ledger_unpriced_attempts", day.ledger_unpriced},
                            {"invoice_requests", count(day.invoice_requests)},
                            {"ledger_usd_known", decimal_text(day.ledger_usd)},
                            {"invoice_usd", usd(day.invoice_usd)},
                            {"difference_usd", day.unknown ? Json(nullptr) : Json(decimal_text(day.difference))},
                            {"beyond_tolerance", day.beyond}});
  }
  json["differences"] = Json::array();
  for (const Difference& each : result.differences) {
    json["differences"].push_back({{"day", each.day},
                                   {"model", each.model},
                                   {"kind", name_of(each.kind)},
                                   {"class", each.token_class},
                                   {"ledger_tokens", count(each.ledger_tokens)},
                                   {"invoice_tokens", count(each.invoice_tokens)},
                                   {"ledger_usd", usd(each.ledger_usd)},
                                   {"invoice_usd", usd(each.invoice_usd)},
                                   {"usd", usd(each.usd)},
                                   {"explanation", each.explanation}});
  }
  std::printf("%s\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace

int reconcile(const ReconcileOptions& options) {
  const Result<Usd> tolerance = parse_usd(options.tolerance_usd);
  if (!tolerance || tolerance.value() < Usd{}) {
    print_error("--tolerance-usd takes an amount such as 0.01, not '" + options.tolerance_usd + "'");
    return usage;
  }
  Invoice invoice;
  if (const int code = read_invoices(options, invoice); code != ok) return code;
  ConfigPtr config;
  if (const int code = load_config(options, config); code != ok) return code;
  const LedgerPlace place = options.ledger.empty() ? config->ledger.place() : LedgerPlace(options.ledger);
  const Result<std::unique_ptr<LedgerReader>> ledger = LedgerReader::open(place);
  if (!ledger) {
    print_error(ledger.error().message);
    return io_failure;
  }
  const Result<std::int64_t> first = parse_time(invoice.first_day(), 0), last = parse_time(invoice.last_day(), 0);
  if (!first || !last) {
    print_error("the export has a day that is none: " + (first ? last : first).error().message);
    return finding;
  }
  const CostsQuestion question{first.value(), last.value() + day_us, {Dimension::day, Dimension::target}};
  const Result<CostsReport> report = ledger.value()->costs(question);
  if (!report) {
    print_error(report.error().message);
    return io_failure;
  }
  const auto models = models_of(options, config, *invoice.provider(), report.value());
  if (models.empty()) {
    print_error(
        fmt::format("no target to compare: {}",
                    options.backends.empty()
                        ? fmt::format("no backend of {} is at {}; name those the invoice is about with --backend",
                                      options.config, name_of(*invoice.provider()))
                        : "neither the configuration nor the ledger has one of the backends that --backend names"));
    return usage;
  }
  const Reconciliation result = tollgate::reconcile(invoice, report.value(), models, tolerance.value());
  if (options.json) {
    print_json(result, invoice, options.tolerance_usd);
  } else {
    print_text(result, invoice, options.tolerance_usd);
  }
  return result.beyond > 0 ? finding : ok;
}

}  // namespace tollgate::cli
