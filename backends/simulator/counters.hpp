#pragma once
// What a simulated engine counts, and its text for Prometheus under vLLM's names (docs: vllm usage/metrics).
//
// Laws: request_success sums to the finished sequences, e2e.count() likewise; generation_tokens is the sum of what was
// generated, also by aborted sequences; prompt_tokens counts a prompt when its prefill ends, so by_source sums to it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::simulator {

enum class FinishReason : std::uint8_t { stop, length, abort, error };
inline constexpr std::size_t finish_reason_count = 4;
[[nodiscard]] std::string_view name_of(FinishReason reason) noexcept;

/// Counts per bucket, with sum: as Prometheus has them.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double value) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] double sum() const noexcept { return sum_; }
  [[nodiscard]] const std::vector<double>& bounds() const noexcept { return bounds_; }
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const noexcept {
    return counts_;
  }  ///< not cumulative; last is +Inf

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
};

struct Counters {
  Counters();
  std::uint64_t prompt_tokens = 0, prompt_tokens_cached = 0, prompt_tokens_recomputed = 0;
  std::uint64_t prefix_cache_queries = 0, prefix_cache_hits = 0;
  std::uint64_t generation_tokens = 0;
  std::uint64_t preemptions = 0;
  std::array<std::uint64_t, finish_reason_count> request_success{};
  Histogram time_to_first_token, inter_token, time_per_output_token, e2e, queue, inference, prefill, decode;
  Histogram request_prompt_tokens, request_generation_tokens, request_max_tokens, request_choices;
};

/// What is exported beside the counters.
struct EngineState {
  std::size_t running = 0, waiting = 0;
  std::uint64_t kv_tokens = 0, kv_tokens_max = 1;
  std::uint32_t cache_block_tokens = 16;
  bool prefix_cache = true;
  double busy_seconds = 0, gpu_seconds = 0, clock_seconds = 0;
  std::uint64_t requests = 0, connections_open = 0, faults = 0;
};

/// Whose names /metrics uses.
enum class MetricNames : std::uint8_t { vllm, vllm_old, sglang, llamacpp, tgi, trtllm };

/// The same under the names of other engines and of vLLM before 0.9; other_metrics.cpp.
[[nodiscard]] std::string other_exposition(MetricNames names, const Counters& counters, const EngineState& state,
                                           std::string_view model);

/// The text of /metrics: vLLM's series, and the simulator's own truth as `sim:` series.
[[nodiscard]] std::string exposition(const Counters& counters, const EngineState& state, std::string_view model);

}  // namespace tollgate::simulator
