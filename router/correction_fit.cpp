#include "router/correction_fit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "router/complexity.hpp"

namespace tollgate {
namespace {

constexpr std::size_t inputs = dense_count + 1;  // the logit and the features; the intercept comes last
constexpr std::size_t unknowns = inputs + 1;
constexpr std::array penalties{3.0, 30.0, 300.0, 1e6};  // the last leaves the slope and the intercept, nearly alone
constexpr double intercept_penalty = 1e-3;
constexpr int steps_max = 25;
constexpr double step_small = 1e-6;
constexpr double auc_slack = 0.01;

using Vector = std::array<double, unknowns>;
using Rows = std::vector<const LabelledRow*>;

/// Where features lie and how far they spread, among the rows of one fit.
struct Scale {
  std::array<double, dense_count> mean{}, spread{};
};

double sigmoid(double x) noexcept { return 1 / (1 + std::exp(-x)); }

double loss_of(double p, bool label) noexcept {
  constexpr double edge = 1e-6;
  return -std::log(std::clamp(label ? p : 1 - p, edge, 1.0));
}

std::uint64_t mixed(std::int64_t id) noexcept {
  auto x = static_cast<std::uint64_t>(id) + 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}
/// The same for requests that look the same to the model, so that none is held out while its like is fitted to: traffic
/// repeats itself.
std::uint64_t kind_of(const LabelledRow& row) noexcept {
  std::uint64_t kind = mixed(static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(row.base_score)));
  for (const std::uint8_t byte : row.features) kind = (kind ^ byte) * 0x100000001B3U;
  return mixed(static_cast<std::int64_t>(kind));
}
std::size_t fold_of(const LabelledRow& row) noexcept { return kind_of(row) % folds; }
bool is_for_choosing(const LabelledRow& row) noexcept { return (kind_of(row) >> 32) % 5 == 0; }

Scale scale_of(const Rows& rows) {
  Scale scale;
  const auto count = static_cast<double>(rows.size());
  for (std::size_t i = 0; i < dense_count; ++i) {
    double sum = 0, squares = 0;
    for (const LabelledRow* row : rows) {
      const double x = row->features[i] / 16.0;
      sum += x;
      squares += x * x;
    }
    scale.mean[i] = sum / count;
    scale.spread[i] = std::sqrt(std::max(squares / count - scale.mean[i] * scale.mean[i], 0.0));
  }
  return scale;
}

void fill(const LabelledRow& row, const Scale& scale, Vector& x) {
  x[0] = static_cast<double>(logit_of(row.base_score));
  for (std::size_t i = 0; i < dense_count; ++i) {
    // What never varies says nothing, and what hardly does would be blown up.
    constexpr double least = 0.05;
    x[i + 1] = scale.spread[i] < least ? 0 : (row.features[i] / 16.0 - scale.mean[i]) / scale.spread[i];
  }
  x[inputs] = 1;
}

/// Solves a · x = b in place for a symmetric positive definite matrix, by Cholesky. False: it is not.
bool solve(std::vector<Vector>& a, Vector& b) {
  for (std::size_t i = 0; i < unknowns; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i][j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i][k] * a[j][k];
      if (i != j) {
        a[i][j] = sum / a[j][j];
      } else if (sum > 0) {
        a[i][i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  for (std::size_t i = 0; i < unknowns; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  for (std::size_t i = unknowns; i-- > 0;) {
    for (std::size_t k = i + 1; k < unknowns; ++k) b[i] -= a[k][i] * b[k];
    b[i] /= a[i][i];
  }
  return true;
}

double penalty_of(std::size_t unknown, double l2) noexcept { return unknown == inputs ? intercept_penalty : l2; }
double pulled_to(std::size_t unknown) noexcept { return unknown == 0 ? 1 : 0; }

double objective(const std::vector<Vector>& xs, const Rows& rows, const Vector& at, double l2) {
  double sum = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const double z = std::inner_product(at.begin(), at.end(), xs[r].begin(), 0.0);
    const double signed_z = rows[r]->needs_strong ? z : -z;
    sum += signed_z > 0 ? std::log1p(std::exp(-signed_z)) : std::log1p(std::exp(signed_z)) - signed_z;
  }
  for (std::size_t i = 0; i < unknowns; ++i) {
    const double off = at[i] - pulled_to(i);
    sum += penalty_of(i, l2) * off * off / 2;
  }
  return sum;
}

/// One Newton step from `at`, or nothing if there is none.
std::optional<Vector> newton_step(const std::vector<Vector>& xs, const Rows& rows, const Vector& at, double l2) {
  std::vector<Vector> curvature(unknowns, Vector{});
  Vector slope{};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Vector& x = xs[r];
    const double p = sigmoid(std::inner_product(at.begin(), at.end(), x.begin(), 0.0));
    const double off = (rows[r]->needs_strong ? 1 : 0) - p, bend = std::max(p * (1 - p), 1e-9);
    for (std::size_t i = 0; i < unknowns; ++i) {
      slope[i] += off * x[i];
      const double bent = bend * x[i];
      for (std::size_t j = 0; j <= i; ++j) curvature[i][j] += bent * x[j];
    }
  }
  for (std::size_t i = 0; i < unknowns; ++i) {
    slope[i] -= penalty_of(i, l2) * (at[i] - pulled_to(i));
    curvature[i][i] += penalty_of(i, l2);
  }
  if (!solve(curvature, slope)) return std::nullopt;
  return slope;
}

Correction unscaled(const Vector& at, const Scale& scale, const std::vector<bool>& used) {
  Correction correction;
  double intercept = at[inputs];
  correction.slope = static_cast<float>(at[0]);
  for (std::size_t i = 0; i < dense_count; ++i) {
    if (!used[i]) continue;
    const double weight = at[i + 1] / scale.spread[i];
    correction.weights[i] = static_cast<float>(weight);
    intercept -= weight * scale.mean[i];
  }
  correction.intercept = static_cast<float>(intercept);
  return correction;
}

Correction fit(const Rows& rows, double l2) {
  const Scale scale = scale_of(rows);
  std::vector<Vector> xs(rows.size());
  std::vector<bool> used(dense_count, false);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    fill(*rows[r], scale, xs[r]);
    for (std::size_t i = 0; i < dense_count; ++i) used[i] = used[i] || xs[r][i + 1] != 0;
  }
  Vector at{};
  at[0] = 1;
  double best = objective(xs, rows, at, l2);
  for (int step = 0; step < steps_max; ++step) {
    const std::optional<Vector> direction = newton_step(xs, rows, at, l2);
    if (!direction) break;
    Vector next{};
    double share = 1, reached = best;
    do {  // halved until it leads down: the objective is convex, so it will
      for (std::size_t i = 0; i < unknowns; ++i) next[i] = at[i] + share * (*direction)[i];
      reached = objective(xs, rows, next, l2);
      share /= 2;
    } while (reached > best && share > 1e-4);
    if (reached > best) break;
    at = next;
    const double gained = best - reached;
    best = reached;
    if (gained < step_small * std::max(best, 1.0)) break;
  }
  return unscaled(at, scale, used);
}

double mean_loss(const Rows& rows, const Correction& correction) {
  double sum = 0;
  for (const LabelledRow* row : rows)
    sum += loss_of(static_cast<double>(correction.apply(row->base_score, row->features)), row->needs_strong);
  return sum / static_cast<double>(rows.size());
}

bool has_both_labels(const Rows& rows) {
  const auto needs = [](const LabelledRow* row) { return row->needs_strong; };
  return std::any_of(rows.begin(), rows.end(), needs) && !std::all_of(rows.begin(), rows.end(), needs);
}

/// The penalty that does best on a fifth of the rows, fitted to the others.
double chosen_penalty(const Rows& rows) {
  Rows fitting, choosing;
  for (const LabelledRow* row : rows) (is_for_choosing(*row) ? choosing : fitting).push_back(row);
  if (choosing.empty() || !has_both_labels(fitting)) return penalties.back();
  double best = 0, best_loss = INFINITY;
  for (const double l2 : penalties) {
    const double loss = mean_loss(choosing, fit(fitting, l2));
    if (loss < best_loss) {
      best = l2;
      best_loss = loss;
    }
  }
  return best;
}

struct Scored {
  double score;
  bool label;
};

/// Chance that a row with the label scores above one without it; equal scores count half.
double area(std::vector<Scored> rows) {
  std::sort(rows.begin(), rows.end(), [](const Scored& a, const Scored& b) { return a.score > b.score; });
  double sum = 0, without = 0, with = 0;
  for (std::size_t i = 0; i < rows.size();) {
    double more_without = 0, more_with = 0;
    const double score = rows[i].score;
    for (; i < rows.size() && rows[i].score == score; ++i) ++(rows[i].label ? more_with : more_without);
    sum += more_without * (with + more_with / 2);
    without += more_without;
    with += more_with;
  }
  return without > 0 && with > 0 ? sum / (without * with) : 0.5;
}

Figures figures_of(const std::vector<Scored>& rows, const TierBounds& tiers) {
  Figures figures;
  for (const Scored& row : rows) {
    figures.log_loss += loss_of(row.score, row.label) / static_cast<double>(rows.size());
    const double off = row.score - (row.label ? 1 : 0);
    figures.brier += off * off / static_cast<double>(rows.size());
    ++figures.tiers[static_cast<std::size_t>(tier_of(static_cast<float>(row.score), tiers))][row.label ? 1 : 0];
  }
  figures.auc = area(rows);
  return figures;
}

}  // namespace

bool FitReport::is_better(double margin) const noexcept {
  return gain >= margin && gain >= 2 * gain_error && after.auc >= before.auc - auc_slack;
}

FitReport fit_correction(std::span<const LabelledRow> rows, const Correction* current, const TierBounds& tiers) {
  FitReport report;
  Rows all;
  for (const LabelledRow& row : rows) all.push_back(&row);
  std::array<Correction, folds> held_out;
  for (std::size_t fold = 0; fold < folds; ++fold) {
    Rows others;
    std::copy_if(all.begin(), all.end(), std::back_inserter(others),
                 [fold](const LabelledRow* row) { return fold_of(*row) != fold; });
    if (has_both_labels(others)) held_out[fold] = fit(others, chosen_penalty(others));
  }
  std::vector<Scored> before, after;
  double sum = 0, squares = 0;
  for (const LabelledRow& row : rows) {
    const float was = current != nullptr ? current->apply(row.base_score, row.features) : row.base_score;
    const float is = held_out[fold_of(row)].apply(row.base_score, row.features);
    before.push_back({static_cast<double>(was), row.needs_strong});
    after.push_back({static_cast<double>(is), row.needs_strong});
    const double gained =
        loss_of(before.back().score, row.needs_strong) - loss_of(after.back().score, row.needs_strong);
    sum += gained;
    squares += gained * gained;
    report.needing_strong += row.needs_strong ? 1 : 0;
  }
  const auto count = static_cast<double>(rows.size());
  report.rows = rows.size();
  report.before = figures_of(before, tiers);
  report.after = figures_of(after, tiers);
  report.gain = sum / count;
  report.gain_error = std::sqrt(std::max(squares / count - report.gain * report.gain, 0.0) / count);
  report.l2 = chosen_penalty(all);
  report.correction = fit(all, report.l2);
  return report;
}

}  // namespace tollgate
