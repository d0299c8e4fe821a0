#pragma once
// Features → a score in [0,1]: a logistic model with weights set by hand, all in one table (complexity.cpp), so that
// `explain` can say which of them mattered.
//
//    float score = score_of(features);                 // the one function that a learned model replaces
//    for (const Part& part : parts_of(features)) …     // what each term added
//
// 0.5 is the place where one would begin to prefer a strong model. Pure, no heap, any thread.

#include <array>
#include <string_view>

#include "router/features.hpp"
#include "router/router.hpp"

namespace tollgate {

[[nodiscard]] float score_of(const Features& features) noexcept;
/// The band of a score: the highest tier whose lower bound it reaches.
[[nodiscard]] Tier tier_of(float score, const TierBounds& bounds) noexcept;

/// One term of the model for one request.
struct Part {
  std::string_view name;  ///< printable ASCII
  float value = 0;        ///< of the term, mostly in [0,1]
  float weight = 0;
  [[nodiscard]] float adds() const noexcept { return value * weight; }  ///< to the logit
};
inline constexpr std::size_t part_count = 34;
[[nodiscard]] std::array<Part, part_count> parts_of(const Features& features) noexcept;

}  // namespace tollgate
