#pragma once
// Features → a score in [0,1] by the trained model (router/model.hpp): how much a request needs a strong model.
//
//    float score = score_of(features);                 // by the model in the program
//    for (const Part& part : scoring.model->parts(terms_of(features), features.lexical)) …     // what each term added
//
// 0.25, 0.5 and 0.75 are where the tiers of the labelled requests (docs/routing/complexity.md) meet. Pure, no heap, any
// thread.

#include <array>
#include <string_view>

#include "router/features.hpp"
#include "router/router.hpp"
#include "router/terms.hpp"

namespace tollgate {

[[nodiscard]] float score_of(const Features& features) noexcept;
/// The band of a score: the highest tier whose lower bound it reaches.
[[nodiscard]] Tier tier_of(float score, const TierBounds& bounds) noexcept;

/// What one term did to one request's score.
struct Part {
  std::string_view name;  ///< printable ASCII
  float value = 0;        ///< of the term, mostly in [0,1]
  float weight = 0;       ///< what it added to the logit for this request
  [[nodiscard]] float adds() const noexcept { return weight; }
};
inline constexpr std::size_t part_count = term_count + 1;  ///< the last one: the words themselves

}  // namespace tollgate
