#pragma once
// The body of POST /v1/feedback: {"request_id": "req_…", "rating": "good" | "bad", "score": 0…1, "comment": "…"}, with
// a rating, a score, or both. Pure.

#include <string_view>

#include "config/result.hpp"
#include "metrics/outcomes.hpp"

namespace tollgate {

inline constexpr std::size_t feedback_comment_bytes_max = 4096, feedback_bytes_max = 32 * 1024;

/// Errors name the member. Without a rating a score from 0.5 on is good; `comments`: keep the comment.
[[nodiscard]] Result<Outcome> parse_feedback(std::string_view body, bool comments);

}  // namespace tollgate
