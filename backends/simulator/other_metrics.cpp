// /metrics under other engines' names: enough of each for those who read their load and their token counts.

#include <fmt/format.h>

#include <iterator>

#include "backends/simulator/counters.hpp"

namespace tollgate::simulator {
namespace {

class Page {
 public:
  explicit Page(std::string labels) : labels_(std::move(labels)) {}
  template <class Number>
  void one(std::string_view name, std::string_view type, Number value, std::string_view more = {}) {
    std::string labels = labels_;
    if (!more.empty()) labels += (labels.empty() ? "" : ",") + std::string(more);
    if (!labels.empty()) labels = "{" + labels + "}";
    fmt::format_to(std::back_inserter(out_), "# HELP {} Simulated.\n# TYPE {} {}\n{}{} {}\n", name, name, type, name,
                   labels, value);
  }
  void histogram(std::string_view name, double sum, std::uint64_t count) {
    fmt::format_to(std::back_inserter(out_),
                   "# TYPE {} histogram\n{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, name, count,
                   name, sum, name, count);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string labels_, out_;
};

std::string model_label(std::string_view model) {
  std::string label = "model_name=\"";
  for (const char c : model) {
    if (c == '\\' || c == '"') label += '\\';
    if (c != '\n') label += c;
  }
  return label + '"';
}

double cache_use(const EngineState& state) noexcept {
  return static_cast<double>(state.kv_tokens) / static_cast<double>(state.kv_tokens_max);
}

// vLLM up to 0.8: another name for the cache, counts of blocks for prefixes, no label `engine`.
std::string old_vllm(const Counters& c, const EngineState& s, std::string_view model) {
  Page page(model_label(model));
  page.one("vllm:num_requests_running", "gauge", static_cast<double>(s.running));
  page.one("vllm:num_requests_swapped", "gauge", 0.0);
  page.one("vllm:num_requests_waiting", "gauge", static_cast<double>(s.waiting));
  page.one("vllm:gpu_cache_usage_perc", "gauge", cache_use(s));
  page.one("vllm:cpu_cache_usage_perc", "gauge", 0.0);
  page.one("vllm:prompt_tokens_total", "counter", static_cast<double>(c.prompt_tokens));
  page.one("vllm:generation_tokens_total", "counter", static_cast<double>(c.generation_tokens));
  return page.take();
}

// Each tensor rank tells the same requests: a reader that adds them up counts double.
std::string sglang(const Counters& c, const EngineState& s, std::string_view model) {
  std::string out;
  for (const std::string_view rank : {"0", "1"}) {
    Page page(model_label(model) + fmt::format(",engine_type=\"unified\",pp_rank=\"0\",tp_rank=\"{}\"", rank));
    page.one("sglang:num_running_reqs", "gauge", s.running);
    page.one("sglang:num_queue_reqs", "gauge", s.waiting);
    page.one("sglang:num_used_tokens", "gauge", s.kv_tokens);
    page.one("sglang:token_usage", "gauge", cache_use(s));
    out += page.take();
  }
  Page page(model_label(model));
  page.one("sglang:prompt_tokens_total", "counter", c.prompt_tokens);
  page.one("sglang:generation_tokens_total", "counter", c.generation_tokens);
  page.one("sglang:cached_tokens_total", "counter", c.prompt_tokens_cached, "cache_source=\"device\"");
  return out + page.take();
}

// llama.cpp counts the prompt tokens that it computed, without those it found in a slot's cache.
std::string llamacpp(const Counters& c, const EngineState& s) {
  Page page("");
  page.one("llamacpp:prompt_tokens_total", "counter", c.prompt_tokens - c.prompt_tokens_cached);
  page.one("llamacpp:tokens_predicted_total", "counter", c.generation_tokens);
  page.one("llamacpp:n_decode_total", "counter", c.generation_tokens);
  page.one("llamacpp:requests_processing", "gauge", s.running);
  page.one("llamacpp:requests_deferred", "gauge", s.waiting);
  return page.take();
}

// TGI has no counters of tokens, but histograms whose sums are.
std::string tgi(const Counters& c, const EngineState& s) {
  Page page("");
  page.one("tgi_batch_current_size", "gauge", s.running);
  page.one("tgi_queue_size", "gauge", s.waiting);
  page.histogram("tgi_request_input_length", static_cast<double>(c.prompt_tokens), c.e2e.count());
  page.histogram("tgi_request_generated_tokens", static_cast<double>(c.generation_tokens), c.e2e.count());
  return page.take();
}

std::string trtllm(const EngineState& s, std::string_view model) {
  Page page(model_label(model) + ",engine_type=\"trtllm\"");
  page.one("trtllm_num_requests_running", "gauge", s.running);
  page.one("trtllm_num_requests_waiting", "gauge", s.waiting);
  page.one("trtllm_kv_cache_utilization", "gauge", cache_use(s));
  return page.take();
}

}  // namespace

std::string other_exposition(MetricNames names, const Counters& counters, const EngineState& state,
                             std::string_view model) {
  switch (names) {
    case MetricNames::vllm:
      return exposition(counters, state, model);
    case MetricNames::vllm_old:
      return old_vllm(counters, state, model);
    case MetricNames::sglang:
      return sglang(counters, state, model);
    case MetricNames::llamacpp:
      return llamacpp(counters, state);
    case MetricNames::tgi:
      return tgi(counters, state);
    case MetricNames::trtllm:
      return trtllm(state, model);
  }
  return {};
}

}  // namespace tollgate::simulator
