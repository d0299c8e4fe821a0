// `pool:` of hardware that is paid for by the second it works: serverless workers, and calls whose provider reports
// what it bills.
#include <fmt/format.h>

#include <algorithm>

#include "config/decimal.hpp"
#include "config/draft.hpp"
#include "config/load_pool.hpp"

namespace tollgate {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds pause_max = 24h;

/// "metrics.predict_time" → {"metrics", "predict_time"}.
std::vector<std::string> path_of(const std::string& text) {
  std::vector<std::string> steps(1);
  for (const char c : text) {
    if (c == '.') {
      steps.emplace_back();
    } else {
      steps.back() += c;
    }
  }
  return steps;
}

bool is_header_name(const std::string& name) {
  const auto legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  return name.size() <= 100 && std::all_of(name.begin(), name.end(), legal);
}

bool load_billed_seconds(const Cursor& place, BilledSeconds& out) {
  if (!place.present()) return false;
  MapReader section(place);
  if (!section.cursor().present()) return false;
  const Cursor header = section.at("header"), json = section.at("json");
  section.choice("unit", out.milliseconds, {{"s", false}, {"ms", true}});
  if (header.present() == json.present()) {
    place.report("says where an answer tells its billed time: write header: NAME or json: PATH, one of the two");
    return false;
  }
  const auto written = header.present() ? header.text() : json.text();
  if (!written) return false;
  if (json.present()) {
    out.json = path_of(*written);
    const bool whole = std::none_of(out.json.begin(), out.json.end(), [](const std::string& s) { return s.empty(); });
    if (!whole) json.report("is a path of member names with points between them, such as metrics.predict_time");
    return whole;
  }
  out.header = *written;
  std::transform(out.header.begin(), out.header.end(), out.header.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (is_header_name(out.header)) return true;
  header.report("is no name of a header");
  return false;
}

}  // namespace

std::optional<Int128> load_second_price(MapReader& section, const Pool& pool) {
  constexpr Int128 usd = 1'000'000'000'000;
  const Cursor place = section.required("usd_per_gpu_second");
  const auto price = place.present() ? place.decimal(usd_decimals, 0, 10 * usd) : std::nullopt;
  if (!price || pool.gpus == 0) return std::nullopt;
  return *price * 3600 * pool.gpus;
}

bool load_serverless(MapReader& section, Pool& pool) {
  ServerlessRules& rules = pool.serverless;
  section.seconds("cold_start_seconds", rules.cold_start, 0ms, pause_max);
  section.flag("cold_start_billed", rules.cold_start_billed);
  section.seconds("idle_timeout_seconds", rules.idle_timeout, 0ms, pause_max);
  section.seconds("min_billed_seconds", rules.min_billed, 0ms, pause_max);
  section.seconds("increment_seconds", rules.increment, 1ms, pause_max);
  section.integer("workers_max", rules.workers_max, 1, 1000);
  section.integer("requests_per_worker", rules.requests_per_worker, 1, 100'000);
  return true;
}

bool load_reported(MapReader& section, DialectName dialect, Pool& pool) {
  if (!section.at("billed_seconds").present()) {
    if (dialect == DialectName::replicate) pool.billed_seconds.json = {"metrics", "predict_time"};
    if (dialect == DialectName::runpod) {
      pool.billed_seconds.json = {"executionTime"};
      pool.billed_seconds.milliseconds = true;
    }
    if (!pool.billed_seconds.json.empty()) return true;
  }
  return load_billed_seconds(section.required("billed_seconds"), pool.billed_seconds);
}

void load_attribution(MapReader& section, Pool& pool) {
  static const std::vector<std::string> methods{"time", "tokens"};
  const Cursor attribution = section.at("attribution");
  const auto method = attribution.present() ? attribution.one_of(methods) : std::nullopt;
  TokenWeights weights;
  const Cursor prefill = section.at("prefill_tokens_per_second"), decode = section.at("decode_tokens_per_second");
  if (prefill.present()) weights.prefill_per_second = prefill.integer(1, 100'000'000).value_or(0);
  if (decode.present()) weights.decode_per_second = decode.integer(1, 100'000'000).value_or(0);
  if (prefill.present() != decode.present()) {
    section.cursor().report(
        "token weights compare the two phases of a request: write prefill_tokens_per_second and "
        "decode_tokens_per_second, or none of them");
    return;
  }
  if (method == 1 && !prefill.present()) {
    attribution.report("tokens needs prefill_tokens_per_second and decode_tokens_per_second of the engine");
    return;
  }
  if (method != 0) pool.token_weights = weights;
}

}  // namespace tollgate
