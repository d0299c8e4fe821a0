#include "router/complexity.hpp"

#include "router/model.hpp"

namespace tollgate {

float score_of(const Features& features) noexcept { return base_model().score(terms_of(features), features.lexical); }

Tier tier_of(float score, const TierBounds& bounds) noexcept {
  // Bounds are compared as floats, so that a score that equals a bound as written reaches it.
  if (score >= static_cast<float>(bounds.reasoning)) return Tier::reasoning;
  if (score >= static_cast<float>(bounds.complex)) return Tier::complex;
  return score >= static_cast<float>(bounds.medium) ? Tier::medium : Tier::simple;
}

Complexity classify(const ChatView& chat, const TierBounds& bounds) noexcept {
  const float score = score_of(features_of(chat));
  return {score, tier_of(score, bounds)};
}

}  // namespace tollgate
