#include "backends/engine_metrics.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace tollgate {
namespace {

constexpr std::string_view blanks = " \t";

enum class Quantity : std::uint8_t { running, waiting, kv_cache, prompt, generation, cached };
constexpr std::size_t quantity_count = 6;

struct KnownSeries {
  std::string_view name;  ///< normal form: '_' for ':', without "_total"
  EngineKind engine;
  Quantity quantity;
  std::uint8_t rank;  ///< of several names for one quantity the lowest that is there counts: they are the same number
};

// Sources: vLLM docs/design/metrics.md and vllm/v1/metrics/loggers.py of 0.6 to 0.27, SGLang's production metrics,
// llama.cpp tools/server README, TGI docs/reference/metrics, TensorRT-LLM's prometheus metrics.
constexpr std::array known_series{
    KnownSeries{"vllm_num_requests_running", EngineKind::vllm, Quantity::running, 0},
    KnownSeries{"vllm_num_requests_waiting", EngineKind::vllm, Quantity::waiting, 0},
    KnownSeries{"vllm_kv_cache_usage_perc", EngineKind::vllm, Quantity::kv_cache, 0},
    KnownSeries{"vllm_gpu_cache_usage_perc", EngineKind::vllm, Quantity::kv_cache, 1},
    KnownSeries{"vllm_prompt_tokens", EngineKind::vllm, Quantity::prompt, 0},
    KnownSeries{"vllm_generation_tokens", EngineKind::vllm, Quantity::generation, 0},
    KnownSeries{"vllm_prompt_tokens_cached", EngineKind::vllm, Quantity::cached, 0},
    KnownSeries{"vllm_prefix_cache_hits", EngineKind::vllm, Quantity::cached, 1},
    KnownSeries{"vllm_gpu_prefix_cache_hits", EngineKind::vllm, Quantity::cached, 2},
    KnownSeries{"sglang_num_running_reqs", EngineKind::sglang, Quantity::running, 0},
    KnownSeries{"sglang_num_queue_reqs", EngineKind::sglang, Quantity::waiting, 0},
    KnownSeries{"sglang_token_usage", EngineKind::sglang, Quantity::kv_cache, 0},
    KnownSeries{"sglang_prompt_tokens", EngineKind::sglang, Quantity::prompt, 0},
    KnownSeries{"sglang_generation_tokens", EngineKind::sglang, Quantity::generation, 0},
    KnownSeries{"sglang_cached_tokens", EngineKind::sglang, Quantity::cached, 0},
    KnownSeries{"llamacpp_requests_processing", EngineKind::llamacpp, Quantity::running, 0},
    KnownSeries{"llamacpp_requests_deferred", EngineKind::llamacpp, Quantity::waiting, 0},
    KnownSeries{"llamacpp_kv_cache_usage_ratio", EngineKind::llamacpp, Quantity::kv_cache, 0},
    KnownSeries{"llamacpp_prompt_tokens", EngineKind::llamacpp, Quantity::prompt, 0},
    KnownSeries{"llamacpp_tokens_predicted", EngineKind::llamacpp, Quantity::generation, 0},
    KnownSeries{"llamacpp_prompt_tokens_cached", EngineKind::llamacpp, Quantity::cached, 0},
    KnownSeries{"tgi_batch_current_size", EngineKind::tgi, Quantity::running, 0},
    KnownSeries{"tgi_queue_size", EngineKind::tgi, Quantity::waiting, 0},
    KnownSeries{"tgi_request_input_length_sum", EngineKind::tgi, Quantity::prompt, 0},
    KnownSeries{"tgi_request_generated_tokens_sum", EngineKind::tgi, Quantity::generation, 0},
    KnownSeries{"trtllm_num_requests_running", EngineKind::trtllm, Quantity::running, 0},
    KnownSeries{"trtllm_num_requests_waiting", EngineKind::trtllm, Quantity::waiting, 0},
    KnownSeries{"trtllm_kv_cache_utilization", EngineKind::trtllm, Quantity::kv_cache, 0},
};

/// Compares without making a copy: this is asked of every line.
bool has_name(std::string_view written, std::string_view known) noexcept {
  constexpr std::string_view total = "_total";
  if (written.size() == known.size() + total.size() && written.ends_with(total)) written.remove_suffix(total.size());
  if (written.size() != known.size()) return false;
  return std::equal(written.begin(), written.end(), known.begin(),
                    [](char w, char k) { return w == k || (w == ':' && k == '_'); });
}

const KnownSeries* find_series(std::string_view name) noexcept {
  for (const KnownSeries& series : known_series) {
    if (has_name(name, series.name)) return &series;
  }
  return nullptr;
}

/// Tensor and pipeline ranks of one engine tell the same requests again: only the first of each counts.
bool is_repeated(const ExpositionSample& sample) {
  for (const std::string_view label : {"tp_rank", "pp_rank", "moe_ep_rank"}) {
    const auto rank = label_of(sample, label);
    if (rank && *rank != "0" && !rank->empty()) return true;
  }
  return false;
}

/// One quantity under construction.
struct Sum {
  double value = 0;
  unsigned samples = 0;
  std::uint8_t rank = 255;
  void add(double more, std::uint8_t of_rank) noexcept {
    if (of_rank > rank) return;
    if (of_rank < rank) *this = Sum{0, 0, of_rank};
    value += more;
    ++samples;
  }
};
using Sums = std::array<Sum, quantity_count>;

std::optional<std::int64_t> requests(const Sum& sum) {
  constexpr double requests_max = 1e9;
  if (sum.samples == 0 || sum.value > requests_max) return std::nullopt;
  return std::llround(sum.value);
}

std::optional<std::uint64_t> tokens(const Sum& sum) {
  constexpr double exact_max = 9'007'199'254'740'992;  // 2^53: past it a double skips whole numbers
  if (sum.samples == 0 || sum.value > exact_max) return std::nullopt;
  return static_cast<std::uint64_t>(std::llround(sum.value));
}

EngineSample sample_of(EngineKind kind, const Sums& sums) {
  const auto at = [&](Quantity quantity) -> const Sum& { return sums[static_cast<std::size_t>(quantity)]; };
  EngineSample sample;
  sample.kind = kind;
  sample.running = requests(at(Quantity::running));
  sample.waiting = requests(at(Quantity::waiting));
  const Sum& cache = at(Quantity::kv_cache);
  if (cache.samples > 0) sample.kv_cache_usage = std::clamp(cache.value / cache.samples, 0.0, 1.0);
  sample.prompt_tokens = tokens(at(Quantity::prompt));
  sample.generation_tokens = tokens(at(Quantity::generation));
  sample.cached_prompt_tokens = tokens(at(Quantity::cached));
  if (kind != EngineKind::llamacpp) return sample;
  // llama.cpp counts what it computed; newer ones count what they found in the cache beside it.
  if (sample.prompt_tokens && sample.cached_prompt_tokens) {
    *sample.prompt_tokens += *sample.cached_prompt_tokens;
  } else {
    sample.prompt_excludes_cached = true;
  }
  return sample;
}

std::string nothing_known(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "the page is empty";
  if (text[begin] == '<') return "the page is HTML, not Prometheus text";
  if (text[begin] == '{' || text[begin] == '[') {
    return "the page is JSON, not Prometheus text (TensorRT-LLM has it at /prometheus/metrics)";
  }
  return "the page has no series of vLLM, SGLang, llama.cpp, TGI or TensorRT-LLM";
}

/// Behind the closing brace of a label set that begins at `at`; npos if it does not close. Values may hold braces.
std::size_t labels_end(std::string_view line, std::size_t at) noexcept {
  bool quoted = false;
  for (; at < line.size(); ++at) {
    if (quoted && line[at] == '\\') {
      ++at;
    } else if (line[at] == '"') {
      quoted = !quoted;
    } else if (line[at] == '}' && !quoted) {
      return at;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::string_view name_of(EngineKind kind) noexcept {
  static constexpr std::array<std::string_view, 5> names{"vllm", "sglang", "llamacpp", "tgi", "trtllm"};
  return names[static_cast<std::size_t>(kind)];
}

std::optional<ExpositionSample> read_sample(std::string_view line) {
  while (!line.empty() && (line.back() == '\r' || blanks.find(line.back()) != std::string_view::npos))
    line.remove_suffix(1);
  const std::size_t begin = line.find_first_not_of(blanks);
  if (begin == std::string_view::npos || line[begin] == '#') return std::nullopt;
  const std::size_t name_end = line.find_first_of(" \t{", begin);
  if (name_end == std::string_view::npos) return std::nullopt;
  ExpositionSample sample;
  sample.name = line.substr(begin, name_end - begin);
  std::size_t at = line.find_first_not_of(blanks, name_end);
  if (at != std::string_view::npos && line[at] == '{') {
    const std::size_t close = labels_end(line, at + 1);
    if (close == std::string_view::npos) return std::nullopt;
    sample.labels = line.substr(at + 1, close - at - 1);
    at = line.find_first_not_of(blanks, close + 1);
  }
  if (sample.name.empty() || at == std::string_view::npos) return std::nullopt;
  if (line[at] == '+') ++at;
  const std::string_view number = line.substr(at, line.find_first_of(blanks, at) - at);  // a timestamp may follow
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), sample.value);
  if (error == std::errc::result_out_of_range) return std::nullopt;
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  return sample;
}

std::optional<std::string_view> label_of(const ExpositionSample& sample, std::string_view name) {
  std::string_view rest = sample.labels;
  while (!rest.empty()) {
    const std::size_t begin = rest.find_first_not_of(" \t,");
    if (begin == std::string_view::npos) return std::nullopt;
    const std::size_t equals = rest.find('=', begin);
    const std::size_t open = rest.find('"', begin);
    if (equals == std::string_view::npos || open == std::string_view::npos || open < equals) return std::nullopt;
    std::size_t close = open + 1;
    while (close < rest.size() && rest[close] != '"') close += rest[close] == '\\' ? 2U : 1U;
    if (close >= rest.size()) return std::nullopt;
    std::string_view key = rest.substr(begin, equals - begin);
    while (!key.empty() && blanks.find(key.back()) != std::string_view::npos) key.remove_suffix(1);
    if (key == name) return rest.substr(open + 1, close - open - 1);
    rest.remove_prefix(close + 1);
  }
  return std::nullopt;
}

Result<EngineSample> read_engine_metrics(std::string_view text) {
  Sums sums{};
  std::optional<EngineKind> kind;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t newline = rest.find('\n');
    const std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    const std::optional<ExpositionSample> sample = read_sample(line);
    if (!sample || !std::isfinite(sample->value) || sample->value < 0) continue;
    const KnownSeries* const series = find_series(sample->name);
    if (series == nullptr || (kind && *kind != series->engine) || is_repeated(*sample)) continue;
    kind = series->engine;
    sums[static_cast<std::size_t>(series->quantity)].add(sample->value, series->rank);
  }
  if (!kind) return fail(Fault::upstream_garbage, nothing_known(text));
  return sample_of(*kind, sums);
}

}  // namespace tollgate
