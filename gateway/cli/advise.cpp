// `tollgate advise`: what the same requests cost on each tier, and where one becomes cheaper than another.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "advice/decision.hpp"
#include "advice/ledger_workload.hpp"
#include "config/config.hpp"
#include "config/decimal.hpp"
#include "config/interpolate.hpp"
#include "config/yaml_tree.hpp"
#include "gateway/cli/advise.hpp"
#include "gateway/cli/costs.hpp"
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

/// What the configuration says of the hardware behind a target, where the command line says nothing else.
struct Known {
  const Pool* pool = nullptr;      ///< nullptr: none, or the target is not configured
  std::optional<Usd> operations;   ///< a month; of a pool's rate
};

const YamlNode* child_of(const YamlNode* node, std::string_view key) {
  for (std::size_t i = 0; node != nullptr && i < node->keys.size(); ++i) {
    if (node->keys[i].text == key) return &node->children[i];
  }
  return nullptr;
}

/// `ops_usd_per_month` of a backend's pool: a Pool knows it only as a part of its rate.
std::optional<Usd> operations_of(const std::string& yaml, std::string_view backend) {
  YamlProblem ignored;
  const std::optional<YamlNode> tree = parse_yaml(yaml, ignored);
  if (!tree) return std::nullopt;
  const YamlNode* const place = child_of(child_of(child_of(child_of(&*tree, "backends"), backend), "pool"), "ops_usd_per_month");
  if (place == nullptr) return std::nullopt;
  const Result<std::string> text = interpolate(place->text, process_environment());
  const Result<Usd> usd = text ? parse_usd(text.value()) : Result<Usd>(text.error());
  return usd && usd.value().count() > 0 ? std::optional(usd.value()) : std::nullopt;
}

/// False: it cannot be said, and `assumption` says why.
bool set_speed(const AdviseOptions& options, const Known& known, const std::string& model, Hardware& hardware, std::string& assumption) {
  Speed& speed = hardware.speed;
  speed = {options.prefill_per_second, options.decode_per_second, options.decode_alone_per_second};
  if (speed.prefill <= 0 && speed.decode <= 0 && known.pool != nullptr && known.pool->token_weights.calibrated()) {
    speed.prefill = static_cast<double>(known.pool->token_weights.prefill_per_second);
    speed.decode = static_cast<double>(known.pool->token_weights.decode_per_second);
    assumption = fmt::format("speeds as the pool is configured: {:g} prompt and {:g} answer tokens a second when full", speed.prefill, speed.decode);
  } else if (speed.prefill > 0 && speed.decode > 0) {
    assumption = "speeds as given";
  }
  if (!assumption.empty()) {
    if (speed.decode_alone <= 0) speed.decode_alone = std::min(speed.decode, h100_70b_alone);
    return true;
  }
  const double billions = billions_of(model);
  if (hardware.replica.gpu != "H100" || billions <= 0) {
    assumption = fmt::format("how fast {} runs '{}' is not known; give --prefill-tokens-per-second and --decode-tokens-per-second of one replica ({} × {})",
                             hardware.replica.gpu, model, hardware.replica.count, hardware.replica.gpu);
    return false;
  }
  const double scale = 70 / billions * static_cast<double>(hardware.replica.count);
  speed = {h100_70b_prefill * scale, h100_70b_decode * scale, h100_70b_alone * std::min(4.0, 70 / billions) * std::min(2.0, static_cast<double>(hardware.replica.count))};
  assumption = fmt::format("speeds assumed from reports of a 70B model on an H100, by size: {:.0f} prompt and {:.0f} answer tokens a second when full; measure yours",
                           speed.prefill, speed.decode);
  return true;
}

/// Rent, rate and operations of a pool that is configured; what the command line gave stays.
void take_from_pool(const AdviseOptions& options, const Known& known, Hardware& hardware, Operations& operations) {
  const Pool& pool = *known.pool;
  if (!options.gpu.empty() || pool.gpu.empty() || pool.gpus <= 0) return;
  const Result<GpuCount> gpu = parse_gpu(pool.gpu);
  if (!gpu) return;
  hardware.replica = {gpu.value().gpu, std::max<std::int64_t>(1, pool.gpus / std::max<std::int64_t>(1, pool.replicas))};
  constexpr std::int64_t hours = hours_per_month;
  const auto per_gpu_hour = [&] {
    const Int128 hourly = divide_half_even(pool.rate_picodollars, pool.rate_denominator) - divide_half_even(static_cast<Int128>(known.operations.value_or(Usd{}).count()), hours);
    return Usd{static_cast<std::int64_t>(divide_half_even(hourly, pool.gpus))};
  };
  if (pool.billing == Billing::dedicated && !hardware.dedicated_per_gpu_hour) hardware.dedicated_per_gpu_hour = per_gpu_hour();
  if (pool.billing == Billing::owned && !hardware.purchase_per_gpu) hardware.owned_per_gpu_hour = per_gpu_hour();
  if (pool.billing == Billing::serverless) {
    if (!hardware.serverless_per_gpu_hour) hardware.serverless_per_gpu_hour = per_gpu_hour();
    hardware.serverless.cold_start_seconds = std::chrono::duration<double>(pool.serverless.cold_start).count();
    hardware.serverless.idle_timeout_seconds = std::chrono::duration<double>(pool.serverless.idle_timeout).count();
    hardware.serverless.cold_start_billed = pool.serverless.cold_start_billed;
  }
  if (!operations.known_per_month && options.engineering_hours < 0) operations.known_per_month = known.operations;
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

struct Configuration {
  std::string yaml;
  ConfigPtr config;                ///< nullptr: none was asked for, or it cannot be read
};

Configuration configuration(const AdviseOptions& options) {
  if (options.config.empty() || !options.tokens_per_day.empty()) return {};
  Result<std::string> text = read_config_text(options.config);
  if (!text) return {};
  Result<ConfigPtr> config = load_text(text.value(), options.config, process_environment());
  return {std::move(text.value()), config ? std::move(config.value()) : nullptr};
}

/// What hosts call the model of a target: `upstream` of the configuration, else the part behind the slash.
std::string model_of(const AdviseOptions& options, const std::string& id, const Target* target) {
  if (!options.model.empty()) return options.model;
  return target != nullptr ? target->upstream : id.substr(id.find('/') + 1);
}

/// The hardware and operations of the command line; false: said what is wrong.
bool read_hardware(const AdviseOptions& options, Hardware& hardware, Operations& operations) {
  const Result<GpuCount> gpu = parse_gpu(options.gpu.empty() ? "h100" : options.gpu);
  if (!gpu) {
    print_error("--gpu: " + gpu.error().message);
    return false;
  }
  hardware.replica = gpu.value();
  std::optional<Usd> hourly, observability;
  if (!set_price(options.usd_per_gpu_hour, "--usd-per-gpu-hour", hardware.dedicated_per_gpu_hour) ||
      !set_price(options.usd_per_serverless_gpu_hour, "--usd-per-serverless-gpu-hour", hardware.serverless_per_gpu_hour) ||
      !set_price(options.purchase_usd_per_gpu, "--purchase-usd-per-gpu", hardware.purchase_per_gpu) ||
      !set_price(options.ops_usd_per_month, "--ops-usd-per-month", operations.known_per_month) ||
      !set_price(options.usd_per_engineering_hour, "--usd-per-engineering-hour", hourly) ||
      !set_price(options.observability_usd_per_month, "--observability-usd-per-month", observability)) {
    return false;
  }
  hardware.life_years = options.life_years;
  hardware.kw_per_gpu = options.kw_per_gpu;
  hardware.pue = options.pue;
  hardware.usd_per_kwh = options.usd_per_kwh;
  hardware.colocation_usd_per_kw_month = options.colocation_usd_per_kw_month;
  hardware.serverless.cold_start_seconds = options.cold_start_seconds;
  hardware.serverless.idle_timeout_seconds = options.idle_timeout_seconds;
  for (std::size_t i = 0; i < 3; ++i) {
    if (options.engineering_hours >= 0) operations.engineering_hours[i] = options.engineering_hours;
    if (hourly) operations.usd_per_engineering_hour[i] = *hourly;
    if (observability) operations.observability_per_month[i] = *observability;
  }
  return true;
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
  Hardware hardware_given;
  Operations operations_given;
  if (!read_hardware(options, hardware_given, operations_given)) return usage;
  std::vector<Workload> workloads;
  if (const int code = read_workloads(options, workloads); code != ok) return code;
  const Configuration configured = configuration(options);
  const ConfigPtr& config = configured.config;
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Json all_json = Json::array();
  std::vector<AdvicePage> pages;
  for (Workload& workload : workloads) {
    Hardware hardware = hardware_given;
    Operations operations = operations_given;
    Known known;
    std::string id, assumption;
    if (workload.measured) {
      id = workload.model;
      const Target* const target = config ? config->find_target(id) : nullptr;
      if (target != nullptr && config->backend_of(*target).pool) {
        known.pool = &*config->backend_of(*target).pool;
        known.operations = operations_of(configured.yaml, text(config->backend_of(*target).name));
      }
      workload.source += ", " + id;
      workload.model = model_of(options, id, target);
    }
    if (known.pool != nullptr) take_from_pool(options, known, hardware, operations);
    if (!set_speed(options, known, workload.model, hardware, assumption)) {
      if (!options.json) print_error(assumption);
      all_json.push_back({{"model", workload.model}, {"target", id.empty() ? Json() : Json(id)}, {"source", workload.source}, {"measured", workload.measured}, {"unknown", assumption}});
      continue;
    }
    std::vector<Host> hosts = hosts_of(prices::built_in_book(), workload.model, now);
    Comparison comparison = compare(workload, hardware, operations, hosts);
    Decision decision = decide(comparison, {!options.no_team, !options.needs_own_weights});
    const Trend trend = trend_of(workload);
    std::vector<BreakEven> points = break_evens(comparison, hosts, trend);
    std::vector<Assumption> assumptions = assumptions_of(comparison, assumption);
    pages.push_back({std::move(comparison), std::move(decision), std::move(points), std::move(assumption), std::move(hosts), std::move(id), trend, std::move(assumptions)});
    if (options.json) {
      all_json.push_back(page_json(pages.back()));
    } else {
      if (pages.size() > 1) std::printf("\n%s\n\n", std::string(72, '-').c_str());
      print_page(pages.back());
    }
  }
  if (!options.html.empty() && !pages.empty()) {
    if (const int code = write_report(options, pages); code != ok) return code;
  }
  if (options.json) std::printf("%s\n", all_json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  return pages.empty() ? finding : ok;
}

}  // namespace tollgate::cli
