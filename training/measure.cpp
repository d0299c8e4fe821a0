#include "training/measure.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tollgate::training {

std::optional<Curve> curve_of(std::vector<Scored> rows) {
  const auto n = static_cast<double>(rows.size());
  double gap = 0;
  for (const Scored& row : rows) gap += static_cast<double>(row.strong - row.weak) / n;
  if (rows.empty() || gap <= 0) return std::nullopt;
  std::ranges::stable_sort(rows, std::greater(), &Scored::score);
  Curve curve;
  std::array<std::pair<double, double*>, 2> wanted = {{{0.5, &curve.cpt50}, {0.8, &curve.cpt80}}};
  for (auto& [share, percent] : wanted) *percent = -1;
  double x = 0, y = 0, area = 0;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t j = i;
    double gain = 0;
    for (; j < rows.size() && !(rows[j].score < rows[i].score); ++j)
      gain += static_cast<double>(rows[j].strong - rows[j].weak) / n;
    const double next_x = static_cast<double>(j) / n, next_y = y + gain;
    area += (next_x - x) * (y + next_y) / 2;
    for (auto& [share, percent] : wanted) {
      const double level = share * gap;
      if (*percent < 0 && next_y >= level - 1e-12)
        *percent = 100 * (x + (next_x - x) * (gain > 0 ? (level - y) / gain : 1));
    }
    x = next_x;
    y = next_y;
    i = j;
  }
  for (auto& [share, percent] : wanted) {
    if (*percent < 0) *percent = 100;
  }
  curve.apgr = area / gap;
  return curve;
}

int tier_at(float score, const Borders& borders) noexcept {
  return static_cast<int>(std::ranges::count_if(borders, [score](float border) { return score >= border; }));
}

Agreement agreement_of(std::span<const TierScore> rows, const Borders& borders) {
  Agreement agreement;
  std::array<double, 4> total{};
  for (const TierScore& row : rows) {
    const int off = std::abs(tier_at(row.score, borders) - row.tier);
    const auto tier = static_cast<std::size_t>(row.tier);
    total[tier] += 1;
    if (off == 0) agreement.recall[tier] += 1;
    if (off == 0) agreement.exact += 1;
    if (off <= 1) agreement.within_one += 1;
  }
  const auto n = static_cast<double>(std::max<std::size_t>(rows.size(), 1));
  agreement.exact /= n;
  agreement.within_one /= n;
  for (std::size_t i = 0; i < total.size(); ++i) agreement.recall[i] /= std::max(total[i], 1.0);
  return agreement;
}

Borders borders_of(std::vector<TierScore> rows) {
  std::ranges::stable_sort(rows, std::less(), &TierScore::score);
  Borders borders{};
  for (int border = 0; border < 3; ++border) {
    // Errors of a border below the first row: all rows of lower tiers stand above it. Each row passed changes that by
    // one. The middle of all places that are best is taken, for a single one may be chance.
    long errors = std::ranges::count_if(rows, [border](const TierScore& row) { return row.tier <= border; });
    long best = errors;
    std::size_t first = 0, last = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      errors += rows[i].tier <= border ? -1 : 1;
      if (errors < best) {
        best = errors;
        first = last = i + 1;
      } else if (errors == best) {
        last = i + 1;
      }
    }
    const std::size_t at = (first + last) / 2;
    const float low = rows[at == 0 ? 0 : at - 1].score, high = rows[std::min(at, rows.size() - 1)].score;
    const auto index = static_cast<std::size_t>(border);
    borders[index] = (low + high) / 2;
    if (border > 0 && borders[index] <= borders[index - 1]) borders[index] = borders[index - 1] + 1e-3F;
  }
  return borders;
}

}  // namespace tollgate::training
