#pragma once
// What became known of an answer after it was given: a rating, a format check, a judge's score.
// One per request and source; a later one takes the place of the earlier.
//
//    books.record(outcome, [](OutcomeResult result) { … });   // called on the ledger thread, once it is durable

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "config/names.hpp"

namespace tollgate {

enum class RequestId : std::int64_t;

// The numbers of these enums stand in ledgers: values are added at the end, never changed.
enum class OutcomeSource : std::uint8_t { feedback, format, judge };
/// good, bad: a rating, or a score (of a client or a judge) from 0.5 on or below it. ok … schema: what a look at the answer's form found, in the
/// order of AnswerCheck (gateway/answer_check.hpp).
enum class OutcomeVerdict : std::uint8_t {
  good,
  bad,
  ok,
  empty,
  refusal,
  truncated,
  garbage,
  invalid_json,
  schema
};
inline constexpr std::size_t outcome_source_count = 3, verdict_count = 9;
[[nodiscard]] std::string_view name_of(OutcomeSource source) noexcept;
[[nodiscard]] std::string_view name_of(OutcomeVerdict verdict) noexcept;

struct Outcome {
  RequestId request{};
  OutcomeSource source = OutcomeSource::feedback;
  OutcomeVerdict verdict = OutcomeVerdict::good;
  std::optional<std::int32_t> score_ppm;  ///< millionths, if a score was given
  std::int64_t at_us = 0;
  std::string comment;        ///< "" for none
  std::optional<NameId> key;  ///< who says it: only of requests that came with it. Absent: the gateway itself
};

enum class OutcomeResult : std::uint8_t {
  recorded,
  unchanged,    ///< the same was recorded before
  unknown,      ///< the ledger holds no such request of this key
  not_writable  ///< nothing was recorded
};
using OutcomeDone = std::function<void(OutcomeResult)>;

}  // namespace tollgate
