// `tollgate advise`: what the same requests cost on each tier, and where one becomes cheaper than another.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "advice/break_even.hpp"
#include "advice/decision.hpp"
#include "advice/ledger_workload.hpp"
#include "config/config.hpp"
#include "config/decimal.hpp"
#include "gateway/cli/advise.hpp"
#include "gateway/cli/costs.hpp"
#include "gateway/cli/text_table.hpp"
#include "gateway/cli/time_spec.hpp"

namespace tollgate::cli {
namespace {

using namespace advice;   // NOLINT(google-build-using-namespace): this file is all about it
using Json = nlohmann::ordered_json;

/// "30M" → 30,000,000; nullopt: not a count.
std::optional<std::int64_t> count_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0 || number > 1e15) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const double factor = unit.empty() ? 1 : unit == "k" || unit == "K" ? 1e3 : unit == "M" ? 1e6 : unit == "B" || unit == "G" ? 1e9 : 0;
  if (factor == 0 || number * factor < 1) return std::nullopt;
  return static_cast<std::int64_t>(number * factor);
}

/// Throughput of a full H100 with a dense model of 70 billion parameters: 2,100 to 3,000 answer tokens a second are reported; others by size.
constexpr double h100_70b_decode = 2500, h100_70b_prefill = 10'000, h100_70b_alone = 50;

bool set_speed(const AdviseOptions& options, const std::string& model, Hardware& hardware, std::string& assumption) {
  Speed& speed = hardware.speed;
  speed = {options.prefill_per_second, options.decode_per_second, options.decode_alone_per_second};
  if (speed.prefill > 0 && speed.decode > 0) {
    if (speed.decode_alone <= 0) speed.decode_alone = std::min(speed.decode, h100_70b_alone);
    assumption = "speeds as given";
    return true;
  }
  const double billions = billions_of(model);
  if (hardware.replica.gpu != "H100" || billions <= 0) {
    print_error(fmt::format("how fast {} runs '{}' is not known; give --prefill-tokens-per-second and --decode-tokens-per-second of one replica ({} × {})",
                            hardware.replica.gpu, model, hardware.replica.count, hardware.replica.gpu));
    return false;
  }
  const double scale = 70 / billions * static_cast<double>(hardware.replica.count);
  speed = {h100_70b_prefill * scale, h100_70b_decode * scale, h100_70b_alone * std::min(4.0, 70 / billions) * std::min(2.0, static_cast<double>(hardware.replica.count))};
  assumption = fmt::format("speeds assumed from reports of a 70B model on an H100, by size: {:.0f} prompt and {:.0f} answer tokens a second when full; measure yours",
                           speed.prefill, speed.decode);
  return true;
}

bool set_price(const std::string& text, const char* flag, std::optional<Usd>& out) {
  if (text.empty()) return true;
  const Result<Usd> price = parse_usd(text);
  if (!price || price.value().count() <= 0) {
    print_error(fmt::format("{} {}: give a price in USD, such as 2.49", flag, text));
    return false;
  }
  out = price.value();
  return true;
}

std::string dollars(UsdSum usd) {
  const auto cents = static_cast<std::int64_t>(divide_half_even(usd.picodollars(), 10'000'000'000));
  std::string whole = std::to_string(std::abs(cents) / 100);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(whole.size()) - 3; at > 0; at -= 3) whole.insert(static_cast<std::size_t>(at), ",");
  return fmt::format("{}{}.{:02}", cents < 0 ? "-" : "", whole, std::abs(cents) % 100);
}

std::string big(double tokens) {
  if (tokens >= 1e9) return fmt::format("{:.2f}B", tokens / 1e9);
  if (tokens >= 1e6) return fmt::format("{:.2f}M", tokens / 1e6);
  return fmt::format("{:.0f}", tokens);
}

std::vector<BreakEven> break_evens(const Comparison& all, const std::vector<Host>& hosts) {
  std::vector<BreakEven> out;
  const Hardware& hardware = all.hardware;
  const auto dedicated = offers_of(hardware.replica.gpu, OfferKind::dedicated), serverless = offers_of(hardware.replica.gpu, OfferKind::serverless);
  const auto middle = [](const std::vector<GpuOffer>& offers) { return offers.empty() ? std::optional<Usd>{} : std::optional(offers[offers.size() / 2].per_gpu_hour); };
  const std::optional<Usd> rent = hardware.dedicated_per_gpu_hour ? hardware.dedicated_per_gpu_hour : middle(dedicated);
  const std::optional<Usd> second = hardware.serverless_per_gpu_hour ? hardware.serverless_per_gpu_hour : middle(serverless);
  const std::string used = fmt::format("{:.0f} %", 100 * all.needed.utilisation());
  const auto add = [&](const char* key, std::string what, double share, const std::string& today) {
    out.push_back({std::move(what), share > 1 ? fmt::format("never ({:.0f} %)", 100 * share) : fmt::format("{:.0f} %", 100 * share), today, share, key});
  };
  if (rent && second) add("dedicated_over_serverless_utilisation", "GPUs at work for rented to beat serverless", dedicated_over_serverless(*rent, *second, all.windows.overhead()), used);
  const double share = all.workload.tokens() > 0 ? static_cast<double>(all.workload.input_tokens) / static_cast<double>(all.workload.tokens()) : 0;
  const TierCost* const cheapest_managed = all.of(TierKind::managed);
  for (const Host& host : hosts) {
    if (cheapest_managed == nullptr || cheapest_managed->where != host.provider + "/" + host.model) continue;
    if (rent) {
      const Usd replica{rent->count() * hardware.replica.count};
      add("dedicated_over_managed_utilisation", "full throughput for rented to beat " + host.provider, dedicated_over_managed(replica, host.input, host.output, share, hardware.speed), used);
    }
    if (const TierCost* const own = all.of(TierKind::dedicated)) {
      const double tokens = tokens_per_day_over_managed(own->per_month().mid, host.input, host.output, share);
      out.push_back({"tokens a day for the rented GPUs above to beat " + host.provider, big(tokens), big(all.workload.per_day(all.workload.tokens())), tokens, "dedicated_over_managed_tokens_per_day"});
      const double price = flip_price_per_million(own->per_month().mid, all.workload.per_day(all.workload.tokens()));
      const double now = (static_cast<double>(host.input.count()) * share + static_cast<double>(host.output.count()) * (1 - share)) * 1e-9;
      out.push_back({"$/M tokens at which managed and rented cost the same", fmt::format("{:.3f}", price), fmt::format("{:.3f}", now), price, "flip_usd_per_million_tokens"});
    }
  }
  if (const auto owned = owned_per_gpu_hour(hardware); owned && rent) add("owned_over_rented_utilisation", "hours used for bought GPUs to beat renting just these", owned_over_elastic(*owned, *rent), used);
  return out;
}

std::string bar(double share) {
  constexpr int width = 24;
  const int filled = static_cast<int>(std::min(1.0, std::max(0.0, share)) * width + 0.5);
  std::string out;
  for (int i = 0; i < width; ++i) out += i < filled ? "█" : "·";
  return out;
}

void print_page(const Comparison& all, const Decision& decision, const std::vector<BreakEven>& points, const std::string& assumption) {
  const Workload& workload = all.workload;
  std::printf("%s, from %s: %s tokens a day (%.0f %% input), %s requests a day\n", workload.model.c_str(), workload.source.c_str(),
              big(workload.per_day(workload.tokens())).c_str(), workload.tokens() > 0 ? 100.0 * static_cast<double>(workload.input_tokens) / static_cast<double>(workload.tokens()) : 0.0,
              big(workload.per_day(workload.requests)).c_str());
  std::printf("GPUs: %lld replica%s of %lld × %s at %.0f %% of their throughput; %s\n\n", static_cast<long long>(all.needed.replicas), all.needed.replicas == 1 ? "" : "s",
              static_cast<long long>(all.hardware.replica.count), all.hardware.replica.gpu.c_str(), 100 * all.needed.utilisation(), assumption.c_str());
  TextTable table;
  table.column("tier", false);
  table.column("where", false);
  table.column("$ a month", true);
  table.column("from", true);
  table.column("to", true);
  table.column("", false);
  UsdSum most;
  for (const TierCost& tier : all.tiers) most = std::max(most, tier.per_month().mid);
  for (const TierCost& tier : all.tiers) {
    const Amount sum = tier.per_month();
    if (!tier.unknown.empty()) {
      table.row({std::string(name_of(tier.kind)), tier.where, "unknown", "", "", tier.unknown});
    } else {
      const double share = most.picodollars() > 0 ? static_cast<double>(sum.mid.picodollars()) / static_cast<double>(most.picodollars()) : 0;
      const bool range = sum.low != sum.high;
      table.row({std::string(name_of(tier.kind)), tier.where, dollars(sum.mid), range ? dollars(sum.low) : "", range ? dollars(sum.high) : "", bar(share)});
    }
  }
  table.print();
  if (!points.empty()) {
    std::printf("\n");
    TextTable breaks;
    breaks.column("break-even", false);
    breaks.column("at", true);
    breaks.column("today", true);
    for (const BreakEven& point : points) breaks.row({point.what, point.value, point.today});
    breaks.print();
  }
  std::printf("\n");
  int number = 0;
  for (const DecisionStep& step : decision.steps) std::printf("%d. %s %s\n   → %s\n", ++number, step.question.c_str(), step.found.c_str(), step.therefore.c_str());
  std::printf("\nAdvice: %s. Running it takes %s.\n", std::string(name_of(decision.tier)).c_str(), decision.burden.c_str());
  if (decision.saving_known && decision.tier == TierKind::managed) {
    std::printf("That is the cheapest managed host.\n");
  } else if (decision.saving_known) {
    std::printf("Against the cheapest managed host: %s a month.\n",
                decision.saving_per_month.picodollars() < 0 ? ("$" + dollars(UsdSum{} - decision.saving_per_month) + " more").c_str() : ("$" + dollars(decision.saving_per_month) + " less").c_str());
  }
}

Json amount_json(const Amount& amount) { return {{"low_usd", decimal_text(amount.low)}, {"usd", decimal_text(amount.mid)}, {"high_usd", decimal_text(amount.high)}}; }

Json page_json(const Comparison& all, const Decision& decision, const std::vector<BreakEven>& points, const std::string& assumption) {
  const Workload& workload = all.workload;
  Json out{{"model", workload.model}, {"source", workload.source}, {"measured", workload.measured}, {"requests_per_day", workload.per_day(workload.requests)},
           {"input_tokens_per_day", workload.per_day(workload.input_tokens)}, {"output_tokens_per_day", workload.per_day(workload.output_tokens)}, {"assumption", assumption},
           {"replicas", all.needed.replicas}, {"gpus_per_replica", all.hardware.replica.count}, {"gpu", all.hardware.replica.gpu}, {"utilisation", all.needed.utilisation()}};
  const Shape shape = shape_of(workload);
  out["shape"] = {{"busy_ratio", shape.busy_ratio}, {"variation", shape.variation}, {"peak_over_mean", shape.peak_over_mean}, {"longest_gap_hours", shape.longest_gap_hours}};
  out["serverless"] = {{"cold_starts", all.windows.cold_starts}, {"requests_that_waited", all.windows.waited}, {"workers_at_once", all.windows.workers_at_once}, {"overhead", all.windows.overhead()}};
  out["tiers"] = Json::array();
  for (const TierCost& tier : all.tiers) {
    Json each{{"tier", name_of(tier.kind)}, {"where", tier.where}};
    if (!tier.unknown.empty()) {
      each["unknown"] = tier.unknown;
    } else {
      each["per_month"] = amount_json(tier.per_month());
      for (const Line& line : tier.lines) each["lines"].push_back({{"what", line.what}, {"per_month", amount_json(line.usd)}});
    }
    out["tiers"].push_back(std::move(each));
  }
  for (const BreakEven& point : points) out["break_even"][point.key] = point.number;
  for (const DecisionStep& step : decision.steps) out["decision"].push_back({{"question", step.question}, {"found", step.found}, {"therefore", step.therefore}});
  out["advice"] = name_of(decision.tier);
  out["burden"] = decision.burden;
  out["saving_per_month_usd"] = decision.saving_known ? Json(decimal_text(decision.saving_per_month)) : Json();
  return out;
}

/// The workloads asked about; false: said why there are none.
int read_workloads(const AdviseOptions& options, std::vector<Workload>& out) {
  if (!options.tokens_per_day.empty()) {
    const auto tokens = count_of(options.tokens_per_day);
    const auto requests = options.requests_per_day.empty() ? std::optional<std::int64_t>(0) : count_of(options.requests_per_day);
    if (!tokens || !requests) {
      print_error("--tokens-per-day and --requests-per-day take a count such as 30M, 500k or 120000");
      return usage;
    }
    if (options.model.empty()) {
      print_error("--model is missing: which model do these tokens go through, such as llama-3.3-70b?");
      return usage;
    }
    out.push_back(assumed_workload({options.model, *tokens, options.input_share, *requests, options.busy_hours}));
    return ok;
  }
  LedgerQuestion question;
  const std::int64_t now = now_micros();
  const Result<std::int64_t> since = parse_time(options.since, now), until = parse_time(options.until, now);
  if (!since || !until || until.value() <= since.value()) {
    print_error(!since ? "--since: " + since.error().message : !until ? "--until: " + until.error().message : "--until does not lie after --since");
    return usage;
  }
  question.since_us = since.value();
  question.until_us = until.value();
  question.target = options.target;
  if (const int code = find_ledger(options.ledger, options.config, question.ledger); code != ok) return code;
  Result<std::vector<Workload>> read = ledger_workloads(question);
  if (!read) {
    print_error(read.error().message);
    return io_failure;
  }
  out = std::move(read.value());
  if (out.empty()) {
    print_error(options.target.empty() ? "the ledger holds no answers since " + time_text(question.since_us) + "; or give the traffic: --tokens-per-day 30M --model NAME"
                                       : "the ledger holds no answers of " + options.target + " since " + time_text(question.since_us));
    return finding;
  }
  return ok;
}

/// What hosts call the model of a target: `upstream` of the configuration, else the part behind the slash.
void name_models(const AdviseOptions& options, std::vector<Workload>& workloads) {
  Result<ConfigPtr> config = fail(Fault::bad_config, "");
  if (options.ledger.empty()) {
    if (const Result<std::string> text = read_config_text(options.config)) config = load_text(text.value(), options.config, process_environment());
  }
  for (Workload& workload : workloads) {
    if (!workload.measured) continue;
    workload.source += ", " + workload.model;
    const Target* const target = config ? config.value()->find_target(workload.model) : nullptr;
    const std::size_t slash = workload.model.find('/');
    workload.model = !options.model.empty() ? options.model : target != nullptr ? target->upstream : workload.model.substr(slash + 1);
  }
}

int write_report(const AdviseOptions& options, const std::vector<AdvicePage>& pages) {
  std::ofstream file(options.html, std::ios::binary | std::ios::trunc);
  file << html_report(pages, time_text(now_micros()));
  file.close();
  if (!file) {
    print_error("cannot write '" + options.html + "'");
    return io_failure;
  }
  return ok;
}

}  // namespace

int advise(const AdviseOptions& options) {
  Hardware hardware;
  const Result<GpuCount> gpu = parse_gpu(options.gpu);
  if (!gpu) {
    print_error("--gpu: " + gpu.error().message);
    return usage;
  }
  hardware.replica = gpu.value();
  if (!set_price(options.usd_per_gpu_hour, "--usd-per-gpu-hour", hardware.dedicated_per_gpu_hour) ||
      !set_price(options.usd_per_serverless_gpu_hour, "--usd-per-serverless-gpu-hour", hardware.serverless_per_gpu_hour) ||
      !set_price(options.purchase_usd_per_gpu, "--purchase-usd-per-gpu", hardware.purchase_per_gpu)) {
    return usage;
  }
  hardware.life_years = options.life_years;
  hardware.serverless.cold_start_seconds = options.cold_start_seconds;
  hardware.serverless.idle_timeout_seconds = options.idle_timeout_seconds;
  Operations operations;
  if (options.engineering_hours >= 0) {
    for (double& hours : operations.engineering_hours) hours = options.engineering_hours;
  }
  std::vector<Workload> workloads;
  if (const int code = read_workloads(options, workloads); code != ok) return code;
  name_models(options, workloads);
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Json all_json = Json::array();
  std::vector<AdvicePage> pages;
  bool first = true;
  for (const Workload& workload : workloads) {
    std::string assumption;
    if (!set_speed(options, workload.model, hardware, assumption)) continue;
    const std::vector<Host> hosts = hosts_of(prices::built_in_book(), workload.model, now);
    Comparison comparison = compare(workload, hardware, operations, hosts);
    Decision decision = decide(comparison, {!options.no_team, !options.needs_own_weights});
    std::vector<BreakEven> points = break_evens(comparison, hosts);
    if (options.json) {
      all_json.push_back(page_json(comparison, decision, points, assumption));
    } else {
      if (!first) std::printf("\n%s\n\n", std::string(72, '-').c_str());
      print_page(comparison, decision, points, assumption);
    }
    first = false;
    pages.push_back({std::move(comparison), std::move(decision), std::move(points), std::move(assumption), hosts});
  }
  if (!options.html.empty() && !pages.empty()) {
    if (const int code = write_report(options, pages); code != ok) return code;
  }
  if (options.json) std::printf("%s\n", all_json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return pages.empty() ? finding : ok;
}

}  // namespace tollgate::cli
