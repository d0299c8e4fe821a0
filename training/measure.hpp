#pragma once
// How good scores are: on outcomes the measures of the RouteLLM paper (arXiv 2406.18665), on labelled requests the
// share of right tiers.

#include <array>
#include <optional>
#include <span>
#include <vector>

namespace tollgate::training {

struct Scored {
  float score = 0;  ///< higher: needs the strong model
  float weak = 0, strong = 0;
};

struct Curve {
  double apgr = 0;              ///< area over the weak model's quality, as a share of the strong model's; 0.5 is chance
  double cpt50 = 0, cpt80 = 0;  ///< percent of calls that must go to the strong model for 50 % and 80 % of the gap
};
/// nullopt: the strong model is not better. Equal scores are taken together.
[[nodiscard]] std::optional<Curve> curve_of(std::vector<Scored> rows);

struct TierScore {
  float score = 0;
  int tier = 0;
};
struct Agreement {
  double exact = 0, within_one = 0;
  std::array<double, 4> recall{};  ///< of each tier
};
using Borders = std::array<float, 3>;
[[nodiscard]] int tier_at(float score, const Borders& borders) noexcept;
[[nodiscard]] Agreement agreement_of(std::span<const TierScore> rows, const Borders& borders);
/// The rising borders that put the fewest rows on the wrong side of each.
[[nodiscard]] Borders borders_of(std::vector<TierScore> rows);

}  // namespace tollgate::training
