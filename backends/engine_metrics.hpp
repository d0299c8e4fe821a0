#pragma once
// What an inference engine says of itself: its Prometheus exposition, read into one normal form whoever wrote it. Pure.
//
//    const Result<EngineSample> sample = read_engine_metrics(text);
//
// Known are vLLM (names of every version since 0.6), SGLang, llama.cpp's server, TGI and TensorRT-LLM; with a colon
// or an underscore behind the engine's name, and counters with or without `_total`. Series of several models or data
// ranks are added up. What an engine does not tell stays nullopt: it is unknown, not zero.

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/result.hpp"

namespace tollgate {

enum class EngineKind : std::uint8_t { vllm, sglang, llamacpp, tgi, trtllm };
[[nodiscard]] std::string_view name_of(EngineKind kind) noexcept;  ///< "vllm" …

struct EngineSample {
  EngineKind kind = EngineKind::vllm;
  std::optional<std::int64_t> running, waiting;  ///< requests (sequences: a request with n choices is n of them)
  std::optional<double> kv_cache_usage;          ///< 0 to 1; the mean over data ranks
  /// Since the engine was started. Prompt tokens include those found in the prefix cache where the engine says so, else
  /// `prompt_excludes_cached`.
  std::optional<std::uint64_t> prompt_tokens, generation_tokens, cached_prompt_tokens;
  bool prompt_excludes_cached = false;
};

/// Lines that are no samples are passed over: an exposition is written by many hands, and one odd line must not blind
/// the gateway. Fails if the text holds no series of a known engine; the message says what it seems to be.
[[nodiscard]] Result<EngineSample> read_engine_metrics(std::string_view text);

/// One sample line. Views into the text.
struct ExpositionSample {
  std::string_view name;
  std::string_view labels;  ///< between the braces, as written
  double value = 0;
};
/// nullopt: a comment, a blank line, or no sample.
[[nodiscard]] std::optional<ExpositionSample> read_sample(std::string_view line);
/// The value of a label as written, escapes and all; nullopt if the sample has none of this name.
[[nodiscard]] std::optional<std::string_view> label_of(const ExpositionSample& sample, std::string_view name);

}  // namespace tollgate
