#pragma once
// Requests with known outcomes → a Correction, and what it is worth on rows it was not fitted to.
//
//    FitReport report = fit_correction(rows, current, tiers);
//    if (report.is_better(0.005)) install(report.correction);
//
// Logistic regression on the base score's logit and the standardised dense features, with an L2 penalty that pulls
// towards the base score as it is (slope 1, no weights), so that few rows change little. How strong the penalty is, is
// chosen on rows held out of each fit. Requests that look the same to the model are in the same fold. Deterministic: the same rows give the same
// correction to the bit on the same machine. Pure, no I/O.

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "router/correction.hpp"

namespace tollgate {

struct LabelledRow {
  std::int64_t id = 0;
  float base_score = 0;
  DenseFeatures features{};
  bool needs_strong = false;  ///< the weaker target's answer was not good enough
};

struct Figures {
  double log_loss = 0;  ///< nats per row
  double brier = 0;     ///< mean square of score less label
  double auc = 0;       ///< chance that a row that needs the strong target scores above one that does not
  std::array<std::array<std::size_t, 2>, tier_count> tiers{};  ///< per tier: rows that do not, rows that do need it
};

struct FitReport {
  std::size_t rows = 0, needing_strong = 0;
  Figures before, after;  ///< of what is in force, and of models that had not seen the row
  double gain = 0;        ///< in log loss per row
  double gain_error = 0;  ///< its standard error
  double l2 = 0;
  Correction correction;  ///< fitted to all rows

  /// By at least `margin` nats per row, twice the gain's standard error, and without ranking worse.
  [[nodiscard]] bool is_better(double margin) const noexcept;
};

inline constexpr std::size_t folds = 5;
inline constexpr std::size_t fit_rows_max = 20'000;
/// Fewer rows, or fewer of either label, say nothing.
inline constexpr std::size_t fit_rows_min = 200, fit_label_rows_min = 20;

/// `current`: what is in force; nullptr: the base model's own scores. Both labels must occur among the rows.
[[nodiscard]] FitReport fit_correction(std::span<const LabelledRow> rows, const Correction* current,
                                       const TierBounds& tiers);

}  // namespace tollgate
