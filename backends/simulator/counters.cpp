#include "backends/simulator/counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace tollgate::simulator {
namespace {

// vLLM's own buckets, in seconds.
std::vector<double> latency_buckets() {
  return {0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
}
std::vector<double> first_token_buckets() {
  return {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
          1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
}
std::vector<double> token_buckets() {
  return {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80};
}
std::vector<double> count_buckets() {
  std::vector<double> bounds;
  for (double decade = 1; decade <= 100'000; decade *= 10)
    for (const double step : {1, 2, 5}) bounds.push_back(step * decade);
  return bounds;
}

/// Writes one exposition; every series of the engine carries the same labels.
class Text {
 public:
  explicit Text(std::string_view model) {
    labels_ = "engine=\"0\",model_name=\"";
    for (const char c : model) {
      if (c == '\\' || c == '"') labels_ += '\\';
      if (c == '\n')
        labels_ += "\\n";
      else
        labels_ += c;
    }
    labels_ += '"';
  }
  void head(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Number>
  void sample(std::string_view name, Number value, std::string_view more = {}) {
    fmt::format_to(std::back_inserter(out_), "{}{{{}{}{}}} {}\n", name, labels_, more.empty() ? "" : ",", more, value);
  }
  template <class Number>
  void one(std::string_view name, std::string_view type, std::string_view help, Number value) {
    head(name, type, help);
    sample(name, value);
  }
  void histogram(std::string_view name, std::string_view help, const Histogram& h) {
    head(name, "histogram", help);
    std::uint64_t below = 0;
    const std::string bucket = std::string(name) + "_bucket";
    for (std::size_t i = 0; i < h.bounds().size(); ++i) {
      below += h.counts()[i];
      sample(bucket, below, fmt::format("le=\"{}\"", h.bounds()[i]));
    }
    sample(bucket, h.count(), "le=\"+Inf\"");
    sample(std::string(name) + "_sum", h.sum());
    sample(std::string(name) + "_count", h.count());
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string labels_, out_;
};

void write_histograms(Text& text, const Counters& c) {
  text.histogram("vllm:time_to_first_token_seconds", "Arrival to first token, in seconds.", c.time_to_first_token);
  text.histogram("vllm:inter_token_latency_seconds", "Time between two tokens of a sequence, in seconds.",
                 c.inter_token);
  text.histogram("vllm:request_time_per_output_token_seconds", "Mean time per token after the first, in seconds.",
                 c.time_per_output_token);
  text.histogram("vllm:e2e_request_latency_seconds", "Arrival to end, in seconds.", c.e2e);
  text.histogram("vllm:request_queue_time_seconds", "Time spent waiting, in seconds.", c.queue);
  text.histogram("vllm:request_inference_time_seconds", "Time spent running, in seconds.", c.inference);
  text.histogram("vllm:request_prefill_time_seconds", "Start of running to first token, in seconds.", c.prefill);
  text.histogram("vllm:request_decode_time_seconds", "First token to end, in seconds.", c.decode);
  text.histogram("vllm:request_prompt_tokens", "Prompt tokens per request.", c.request_prompt_tokens);
  text.histogram("vllm:request_generation_tokens", "Generated tokens per request.", c.request_generation_tokens);
  text.histogram("vllm:request_params_max_tokens", "The max_tokens that requests ask for.", c.request_max_tokens);
  text.histogram("vllm:request_params_n", "The n that requests ask for.", c.request_choices);
}

}  // namespace

std::string_view name_of(FinishReason reason) noexcept {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::abort:
      return "abort";
    case FinishReason::error:
      return "error";
  }
  return "error";
}

void Histogram::observe(double value) noexcept {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  ++count_;
  sum_ += value;
}

Counters::Counters()
    : time_to_first_token(first_token_buckets()),
      inter_token(token_buckets()),
      time_per_output_token(token_buckets()),
      e2e(latency_buckets()),
      queue(latency_buckets()),
      inference(latency_buckets()),
      prefill(latency_buckets()),
      decode(latency_buckets()),
      request_prompt_tokens(count_buckets()),
      request_generation_tokens(count_buckets()),
      request_max_tokens(count_buckets()),
      request_choices({1, 2, 5, 10, 20}) {}

std::string exposition(const Counters& c, const EngineState& s, std::string_view model) {
  Text text(model);
  text.one("vllm:num_requests_running", "gauge", "Requests in the batch.", s.running);
  text.one("vllm:num_requests_waiting", "gauge", "Requests waiting for a slot or for KV cache.", s.waiting);
  text.one("vllm:kv_cache_usage_perc", "gauge", "KV cache in use; 1 is all of it.",
           static_cast<double>(s.kv_tokens) / static_cast<double>(s.kv_tokens_max));
  text.head("vllm:cache_config_info", "gauge", "The cache's configuration, as labels.");
  text.sample("vllm:cache_config_info", 1,
              fmt::format("block_size=\"{}\",enable_prefix_caching=\"{}\",num_gpu_blocks=\"{}\"", s.cache_block_tokens,
                          s.prefix_cache ? "True" : "False", s.kv_tokens_max / s.cache_block_tokens));
  text.one("vllm:prompt_tokens_total", "counter", "Prompt tokens processed.", c.prompt_tokens);
  text.head("vllm:prompt_tokens_by_source_total", "counter", "Prompt tokens processed, by where they came from.");
  text.sample("vllm:prompt_tokens_by_source_total", c.prompt_tokens - c.prompt_tokens_cached,
              "source=\"local_compute\"");
  text.sample("vllm:prompt_tokens_by_source_total", c.prompt_tokens_cached, "source=\"local_cache_hit\"");
  text.one("vllm:prompt_tokens_cached_total", "counter", "Prompt tokens found in the prefix cache.",
           c.prompt_tokens_cached);
  text.one("vllm:prompt_tokens_recomputed_total", "counter", "Tokens computed again after a preemption.",
           c.prompt_tokens_recomputed);
  text.one("vllm:generation_tokens_total", "counter", "Tokens generated.", c.generation_tokens);
  text.one("vllm:prefix_cache_queries_total", "counter", "Tokens looked up in the prefix cache.",
           c.prefix_cache_queries);
  text.one("vllm:prefix_cache_hits_total", "counter", "Tokens found in the prefix cache.", c.prefix_cache_hits);
  text.one("vllm:num_preemptions_total", "counter", "Sequences put back because the KV cache was full.", c.preemptions);
  text.head("vllm:request_success_total", "counter", "Finished requests, by how they ended.");
  for (std::size_t i = 0; i < finish_reason_count; ++i)
    text.sample("vllm:request_success_total", c.request_success[i],
                fmt::format("finished_reason=\"{}\"", name_of(static_cast<FinishReason>(i))));
  write_histograms(text, c);
  text.one("sim:busy_seconds_total", "counter", "Time in which anything ran.", s.busy_seconds);
  text.one("sim:gpu_seconds_total", "counter", "Sum over requests of their integral of 1/running.", s.gpu_seconds);
  text.one("sim:clock_seconds_total", "counter", "Time since the engine was started.", s.clock_seconds);
  text.one("sim:requests_total", "counter", "HTTP requests that reached an endpoint that generates.", s.requests);
  text.one("sim:faults_total", "counter", "Requests that were made to misbehave.", s.faults);
  text.one("sim:connections_open", "gauge", "Connections open now.", s.connections_open);
  return text.take();
}

}  // namespace tollgate::simulator
