// What `tollgate advise` found, for a terminal and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "advice/break_even.hpp"
#include "config/decimal.hpp"
#include "gateway/cli/advise.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {
namespace {

using namespace advice;   // NOLINT(google-build-using-namespace): this file is all about it
using Json = nlohmann::ordered_json;

std::string dollars(UsdSum usd) {
  const auto cents = static_cast<std::int64_t>(divide_half_even(usd.picodollars(), 10'000'000'000));
  std::string whole = std::to_string(std::abs(cents) / 100);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(whole.size()) - 3; at > 0; at -= 3) whole.insert(static_cast<std::size_t>(at), ",");
  return fmt::format("{}{}.{:02}", cents < 0 ? "-" : "", whole, std::abs(cents) % 100);
}

std::string big(double tokens) {
  if (tokens >= 1e9) return fmt::format("{:.2f}B", tokens / 1e9);
  if (tokens >= 1e6) return fmt::format("{:.2f}M", tokens / 1e6);
  return tokens >= 1e4 ? fmt::format("{:.1f}k", tokens / 1e3) : fmt::format("{:.0f}", tokens);
}

std::string whole_dollars(Usd usd) {
  const std::string text = decimal_text(usd);
  return "$" + text;
}

std::string bar(double share) {
  constexpr int width = 24;
  const int filled = static_cast<int>(std::min(1.0, std::max(0.0, share)) * width + 0.5);
  std::string out;
  for (int i = 0; i < width; ++i) out += i < filled ? "█" : "·";
  return out;
}

/// One character a day.
std::string sparkline(const std::vector<std::int64_t>& days) {
  constexpr const char* levels[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::size_t days_max = 90, last_level = std::size(levels) - 1;
  const std::size_t begin = days.size() > days_max ? days.size() - days_max : 0;
  std::int64_t most = 1;
  for (std::size_t i = begin; i < days.size(); ++i) most = std::max(most, days[i]);
  std::string out;
  for (std::size_t i = begin; i < days.size(); ++i) out += levels[static_cast<std::size_t>(static_cast<double>(days[i]) / static_cast<double>(most) * last_level + 0.5)];
  return out;
}

double input_share(const Workload& workload) {
  return workload.tokens() > 0 ? static_cast<double>(workload.input_tokens) / static_cast<double>(workload.tokens()) : 0;
}

std::optional<Usd> middle_of(const std::vector<GpuOffer>& offers) {
  return offers.empty() ? std::optional<Usd>{} : std::optional(offers[offers.size() / 2].per_gpu_hour);
}

std::string offers_text(const std::string& gpu, OfferKind kind, const std::optional<Usd>& own) {
  if (own) return whole_dollars(*own) + " a GPU-hour, your own";
  const std::vector<GpuOffer> offers = offers_of(gpu, kind);
  if (offers.empty()) return "not known of " + gpu;
  return whole_dollars(offers.front().per_gpu_hour) + " to " + whole_dollars(offers.back().per_gpu_hour) + " a GPU-hour, list prices of " + offers.front().provider +
         (offers.size() > 1 ? " to " + offers.back().provider : "");
}

void print_traffic(const AdvicePage& page) {
  const Workload& workload = page.all.workload;
  std::printf("%s, from %s: %s tokens a day (%.0f %% input), %s requests a day\n", workload.model.c_str(), workload.source.c_str(), big(workload.per_day(workload.tokens())).c_str(),
              100 * input_share(workload), big(workload.per_day(workload.requests)).c_str());
  if (workload.tokens_by_day.size() > 1) std::printf("Tokens by day: %s trend: %s\n", sparkline(workload.tokens_by_day).c_str(), trend_text(page.trend).c_str());
  std::printf("GPUs: %lld replica%s of %lld × %s at %.0f %% of their throughput; %s\n\n", static_cast<long long>(page.all.needed.replicas), page.all.needed.replicas == 1 ? "" : "s",
              static_cast<long long>(page.all.hardware.replica.count), page.all.hardware.replica.gpu.c_str(), 100 * page.all.needed.utilisation(), page.assumption.c_str());
}

void print_tiers(const Comparison& all) {
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
}

void print_points(const AdvicePage& page) {
  if (page.points.empty()) return;
  const bool trends = page.all.workload.measured;
  std::printf("\n");
  TextTable breaks;
  breaks.column("break-even", false);
  breaks.column("at", true);
  breaks.column("today", true);
  if (trends) breaks.column("the trend", false);
  for (const BreakEven& point : page.points) {
    std::vector<std::string> row{point.what, point.value, point.today};
    if (trends) row.push_back(point.trend);
    breaks.row(std::move(row));
  }
  breaks.print();
}

Json amount_json(const Amount& amount) { return {{"low_usd", decimal_text(amount.low)}, {"usd", decimal_text(amount.mid)}, {"high_usd", decimal_text(amount.high)}}; }

Json tiers_json(const Comparison& all) {
  Json out = Json::array();
  for (const TierCost& tier : all.tiers) {
    Json each{{"tier", name_of(tier.kind)}, {"where", tier.where}};
    if (!tier.unknown.empty()) {
      each["unknown"] = tier.unknown;
    } else {
      each["per_month"] = amount_json(tier.per_month());
      for (const Line& line : tier.lines) each["lines"].push_back({{"what", line.what}, {"per_month", amount_json(line.usd)}});
    }
    out.push_back(std::move(each));
  }
  return out;
}

Json trend_json(const AdvicePage& page) {
  if (!page.all.workload.measured) return {};
  Json out{{"days", page.trend.days}, {"text", trend_text(page.trend)}, {"tokens_by_day", page.all.workload.tokens_by_day}};
  if (page.trend.known()) {
    out["tokens_per_day_now"] = page.trend.now;
    out["more_tokens_per_day_each_day"] = page.trend.per_day;
    out["standard_error"] = page.trend.error;
  }
  return out;
}

}  // namespace

std::vector<BreakEven> break_evens(const Comparison& all, const std::vector<Host>& hosts, const Trend& trend) {
  std::vector<BreakEven> out;
  const Hardware& hardware = all.hardware;
  const std::optional<Usd> rent = hardware.dedicated_per_gpu_hour ? hardware.dedicated_per_gpu_hour : middle_of(offers_of(hardware.replica.gpu, OfferKind::dedicated));
  const std::optional<Usd> second = hardware.serverless_per_gpu_hour ? hardware.serverless_per_gpu_hour : middle_of(offers_of(hardware.replica.gpu, OfferKind::serverless));
  const double today = all.workload.per_day(all.workload.tokens()), utilisation = all.needed.utilisation();
  // The same GPUs are busier in proportion to the traffic.
  const auto add = [&](const char* key, std::string what, double share) {
    const std::string when = share > 1 ? "never" : utilisation > 0 ? crossing_text(trend, today * share / utilisation) : "";
    out.push_back({std::move(what), share > 1 ? fmt::format("never ({:.0f} %)", 100 * share) : fmt::format("{:.0f} %", 100 * share), fmt::format("{:.0f} %", 100 * utilisation), share, key,
                   utilisation, when});
  };
  if (rent && second) add("dedicated_over_serverless_utilisation", "GPUs at work for rented to beat serverless", dedicated_over_serverless(*rent, *second, all.windows.overhead()));
  const double share = input_share(all.workload);
  const TierCost* const cheapest_managed = all.of(TierKind::managed);
  for (const Host& host : hosts) {
    if (cheapest_managed == nullptr || cheapest_managed->where != host.provider + "/" + host.model) continue;
    if (rent) {
      const Usd replica{rent->count() * hardware.replica.count};
      add("dedicated_over_managed_utilisation", "full throughput for rented to beat " + host.provider, dedicated_over_managed(replica, host.input, host.output, share, hardware.speed));
    }
    if (const TierCost* const own = all.of(TierKind::dedicated)) {
      const double tokens = tokens_per_day_over_managed(own->per_month().mid, host.input, host.output, share);
      out.push_back({"tokens a day for the rented GPUs above to beat " + host.provider, big(tokens), big(today), tokens, "dedicated_over_managed_tokens_per_day", today, crossing_text(trend, tokens)});
      const double price = flip_price_per_million(own->per_month().mid, today);
      const double now = (static_cast<double>(host.input.count()) * share + static_cast<double>(host.output.count()) * (1 - share)) * 1e-9;
      out.push_back({"$/M tokens at which managed and rented cost the same", fmt::format("{:.3f}", price), fmt::format("{:.3f}", now), price, "flip_usd_per_million_tokens", now, ""});
    }
  }
  if (const auto owned = owned_per_gpu_hour(hardware); owned && rent) add("owned_over_rented_utilisation", "hours used for bought GPUs to beat renting just these", owned_over_elastic(*owned, *rent));
  return out;
}

std::vector<Assumption> assumptions_of(const Comparison& all, const std::string& speeds) {
  const Hardware& hardware = all.hardware;
  const Operations& operations = all.operations;
  std::vector<Assumption> out;
  out.push_back({"speed of a replica", speeds, "--prefill-tokens-per-second, --decode-tokens-per-second"});
  out.push_back({"rent", offers_text(hardware.replica.gpu, OfferKind::dedicated, hardware.dedicated_per_gpu_hour), "--usd-per-gpu-hour"});
  out.push_back({"serverless", offers_text(hardware.replica.gpu, OfferKind::serverless, hardware.serverless_per_gpu_hour) +
                                   fmt::format("; {:g} s to boot, stopped after {:g} s without work", hardware.serverless.cold_start_seconds, hardware.serverless.idle_timeout_seconds),
                 "--usd-per-serverless-gpu-hour, --cold-start-seconds, --idle-timeout-seconds"});
  const std::optional<Usd> purchase = hardware.purchase_per_gpu ? hardware.purchase_per_gpu : purchase_known(hardware.replica.gpu);
  const std::optional<Usd> owned = owned_per_gpu_hour(hardware);
  std::string bought = "what " + hardware.replica.gpu + " costs to buy is not known";
  if (hardware.owned_per_gpu_hour) {
    bought = whole_dollars(*owned) + " a GPU-hour, as the pool is configured";
  } else if (purchase) {
    bought = fmt::format("{} a GPU over {:g} years, {:g} kW × PUE {:g} × ${:g}/kWh, ${:g} a kW and month for room: ${:.3f} a GPU-hour", whole_dollars(*purchase), hardware.life_years, hardware.kw_per_gpu,
                         hardware.pue, hardware.usd_per_kwh, hardware.colocation_usd_per_kw_month, static_cast<double>(owned->count()) * 1e-12);
  }
  out.push_back({"bought GPUs", std::move(bought), "--purchase-usd-per-gpu, --life-years, --kw-per-gpu, --pue, --usd-per-kwh, --colocation-usd-per-kw-month"});
  if (operations.known_per_month) {
    out.push_back({"operations", whole_dollars(*operations.known_per_month) + " a month, as given or configured", "--ops-usd-per-month"});
  } else {
    const auto range = [](const Usd (&of)[3]) { return of[0] == of[2] ? whole_dollars(of[0]) : whole_dollars(of[0]) + " to " + whole_dollars(of[2]); };
    const std::string hours = operations.engineering_hours[0] == operations.engineering_hours[2] ? fmt::format("{:g}", operations.engineering_hours[0])
                                                                                                 : fmt::format("{:g} to {:g}", operations.engineering_hours[0], operations.engineering_hours[2]);
    out.push_back({"operations", fmt::format("{} engineering hours a month at {}, observability {} a month; of serverless {:.0f} % of it, of managed none", hours, range(operations.usd_per_engineering_hour),
                                             range(operations.observability_per_month), 100 * operations.serverless_share),
                   "--engineering-hours, --usd-per-engineering-hour, --observability-usd-per-month, --ops-usd-per-month"});
  }
  out.push_back({"managed", "list prices of the built-in price book, without discounts for cached input", ""});
  return out;
}

void print_page(const AdvicePage& page) {
  print_traffic(page);
  print_tiers(page.all);
  print_points(page);
  std::printf("\n");
  const Decision& decision = page.decision;
  int number = 0;
  for (const DecisionStep& step : decision.steps) std::printf("%d. %s %s\n   → %s\n", ++number, step.question.c_str(), step.found.c_str(), step.therefore.c_str());
  std::printf("\nAdvice: %s. Running it takes %s.\n", std::string(name_of(decision.tier)).c_str(), decision.burden.c_str());
  if (!decision.managed_ruled_out.empty()) std::printf("Managed hosts are ruled out: %s.\n", decision.managed_ruled_out.c_str());
  if (decision.saving_known && decision.tier == TierKind::managed) {
    std::printf("That is the cheapest managed host.\n");
  } else if (decision.saving_known) {
    std::printf("Against the cheapest managed host: %s a month.\n",
                decision.saving_per_month.picodollars() < 0 ? ("$" + dollars(UsdSum{} - decision.saving_per_month) + " more").c_str() : ("$" + dollars(decision.saving_per_month) + " less").c_str());
  }
  std::printf("\nAssumed:\n");
  for (const Assumption& each : page.assumptions) std::printf("  %s: %s%s\n", each.what.c_str(), each.value.c_str(), each.flags.empty() ? "" : (" (" + each.flags + ")").c_str());
  std::printf("\n%s\n", guides_note(page.all).c_str());
}

Json page_json(const AdvicePage& page) {
  const Comparison& all = page.all;
  const Decision& decision = page.decision;
  const Workload& workload = all.workload;
  Json out{{"model", workload.model}, {"target", page.target.empty() ? Json() : Json(page.target)}, {"source", workload.source}, {"measured", workload.measured},
           {"hours", static_cast<double>(workload.window_us) / 3.6e9}, {"requests_per_day", workload.per_day(workload.requests)},
           {"input_tokens_per_day", workload.per_day(workload.input_tokens)}, {"output_tokens_per_day", workload.per_day(workload.output_tokens)}, {"assumption", page.assumption},
           {"replicas", all.needed.replicas}, {"gpus_per_replica", all.hardware.replica.count}, {"gpu", all.hardware.replica.gpu}, {"utilisation", all.needed.utilisation()}};
  const Shape shape = shape_of(workload);
  out["shape"] = {{"busy_ratio", shape.busy_ratio}, {"variation", shape.variation}, {"peak_over_mean", shape.peak_over_mean}, {"longest_gap_hours", shape.longest_gap_hours}};
  out["constrained_share"] = workload.measured && workload.requests > 0 ? Json(static_cast<double>(workload.constrained) / static_cast<double>(workload.requests)) : Json();
  out["trend"] = trend_json(page);
  out["serverless"] = {{"cold_starts", all.windows.cold_starts}, {"requests_that_waited", all.windows.waited}, {"workers_at_once", all.windows.workers_at_once}, {"overhead", all.windows.overhead()}};
  out["tiers"] = tiers_json(all);
  out["break_even"] = Json::object();
  out["break_even_points"] = Json::array();
  for (const BreakEven& point : page.points) {
    out["break_even"][point.key] = point.number;
    out["break_even_points"].push_back({{"key", point.key}, {"what", point.what}, {"at", point.value}, {"today", point.today}, {"at_number", point.number}, {"today_number", point.today_number},
                                        {"trend", point.trend.empty() ? Json() : Json(point.trend)}});
  }
  for (const DecisionStep& step : decision.steps) out["decision"].push_back({{"question", step.question}, {"found", step.found}, {"therefore", step.therefore}});
  out["advice"] = name_of(decision.tier);
  out["burden"] = decision.burden;
  out["managed_ruled_out"] = decision.managed_ruled_out.empty() ? Json() : Json(decision.managed_ruled_out);
  out["saving_per_month_usd"] = decision.saving_known ? Json(decimal_text(decision.saving_per_month)) : Json();
  out["assumptions"] = Json::array();
  for (const Assumption& each : page.assumptions) out["assumptions"].push_back({{"what", each.what}, {"value", each.value}, {"flags", each.flags}});
  out["guides"] = guides_note(all);
  return out;
}

}  // namespace tollgate::cli
