#pragma once
// How long an engine says that a request took: vLLM's `metrics` object, given where the body says
// `include_metrics: true` and the server runs with --enable-per-request-metrics (0.25 and later). Times count from the
// moment the engine took the request out of its queue, so residency on the hardware = first token + generation.

#include <chrono>
#include <optional>
#include <string_view>

namespace tollgate {

struct EngineTimings {
  std::optional<std::chrono::microseconds> first_token;  ///< taken from the queue to first token
  std::optional<std::chrono::microseconds> generation;   ///< first token to last
  std::optional<std::chrono::microseconds> queue;        ///< waited before

  [[nodiscard]] bool known() const noexcept { return first_token || generation || queue; }
};

/// Reads the object's text. What is null, absent, negative or longer than a day stays unknown.
[[nodiscard]] EngineTimings read_timings(std::string_view object);

/// A member found at the top level of a JSON object's text.
struct MemberSpan {
  std::size_t value = 0, end = 0;          ///< of its value
  std::size_t cut_begin = 0, cut_end = 0;  ///< what to cut out: the member with one neighbouring comma
};
/// `json` must be one JSON object; `key` without quotes. nullopt: it is not there.
[[nodiscard]] std::optional<MemberSpan> find_member(std::string_view json, std::string_view key);

}  // namespace tollgate
