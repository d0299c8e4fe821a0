#include "advice/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "config/decimal.hpp"

namespace tollgate::advice {
namespace {

constexpr std::int32_t whole_ppm = 1'000'000;
constexpr int score_decimals = 6;
constexpr std::size_t tenths = 10;

/// Sums over all requests for a cut that moves from the highest score down.
class RunningSum {
 public:
  void start(const std::vector<ScoredRequest>& requests) {
    for (const ScoredRequest& each : requests) {
      add(each.weak, each.weak_quality, 1);
    }
  }
  void to_strong(const ScoredRequest& each) {
    add(each.weak, each.weak_quality, -1);
    add(each.strong, each.strong_quality, 1);
  }
  [[nodiscard]] std::optional<UsdSum> cost() const { return cost_unknown_ == 0 ? std::optional(cost_) : std::nullopt; }
  [[nodiscard]] std::optional<double> quality(std::size_t requests) const {
    if (quality_unknown_ > 0 || requests == 0) return std::nullopt;
    return quality_ / static_cast<double>(requests);
  }

 private:
  void add(const std::optional<Usd>& cost, const std::optional<double>& quality, int sign) {
    if (!cost) {
      cost_unknown_ += sign;
    } else if (sign > 0) {
      cost_ += *cost;
    } else {
      cost_ -= *cost;
    }
    if (!quality) {
      quality_unknown_ += sign;
    } else {
      quality_ += sign * *quality;
    }
  }
  UsdSum cost_;
  double quality_ = 0;
  std::int64_t cost_unknown_ = 0, quality_unknown_ = 0;
};

/// Mean of what is known of one side in a range; absent: too little is known.
template <class Range>
std::optional<double> rate_of(const Range& range, std::optional<double> ScoredRequest::*quality) {
  double sum = 0;
  std::int64_t known = 0;
  for (const ScoredRequest& each : range) {
    if (!(each.*quality)) continue;
    sum += *(each.*quality);
    ++known;
  }
  return known < Curve::outcomes_min ? std::nullopt : std::optional(sum / static_cast<double>(known));
}

struct Slice {
  std::vector<ScoredRequest>::iterator first, last;
  [[nodiscard]] auto begin() const { return first; }
  [[nodiscard]] auto end() const { return last; }
};

}  // namespace

std::string_view name_of(QualitySource source) noexcept {
  switch (source) {
    case QualitySource::none:
      return "none";
    case QualitySource::paired:
      return "paired";
    case QualitySource::rated:
      return "rated";
    case QualitySource::capability:
      return "capability";
  }
  return "none";
}

std::int32_t CurvePoint::bound_ppm() const noexcept {
  const std::int32_t middle = below_ppm + (above_ppm - below_ppm) / 2;
  for (std::int32_t step = whole_ppm / 10; step > 1; step /= 10) {
    const std::int32_t near = (middle + step / 2) / step * step;
    if (near > below_ppm && near < above_ppm) return near;
  }
  return middle;
}

std::string CurvePoint::bound_text() const { return decimal_text(static_cast<Int128>(bound_ppm()), score_decimals); }

Curve::Curve(std::vector<ScoredRequest> requests, QualitySource source)
    : requests_(std::move(requests)), source_(source) {
  std::stable_sort(requests_.begin(), requests_.end(),
                   [](const ScoredRequest& a, const ScoredRequest& b) { return a.score_ppm > b.score_ppm; });
  for (const ScoredRequest& each : requests_) {
    weak_outcomes_ += each.weak_quality ? 1 : 0;
    strong_outcomes_ += each.strong_quality ? 1 : 0;
  }
  if (source_ == QualitySource::rated) fill_from_rates();
  find_points();
}

/// An answer that nobody rated counts as those that were rated, of the same side in the same tenth of the traffic. Of
/// the strong side nothing may be known where it was never asked: it then counts as always right, so that what is kept
/// is not told too high.
void Curve::fill_from_rates() {
  for (std::size_t tenth = 0; tenth < tenths; ++tenth) {
    const auto at = [&](std::size_t part) {
      return requests_.begin() + static_cast<std::ptrdiff_t>(requests_.size() * part / tenths);
    };
    const Slice slice{at(tenth), at(tenth + 1)};
    const std::optional<double> weak = rate_of(slice, &ScoredRequest::weak_quality);
    const double strong = rate_of(slice, &ScoredRequest::strong_quality).value_or(1.0);
    for (ScoredRequest& each : slice) {
      each.weak_quality = weak;
      each.strong_quality = strong;
    }
  }
}

void Curve::find_points() {
  RunningSum sum;
  sum.start(requests_);
  const auto add = [&](std::int32_t below, std::int32_t above, std::int64_t strong) {
    // A bound has six decimals and lies inside (0,1): two scores next to each other leave no room for one.
    if (above - below < 2) return;
    points_.push_back({below, above, strong, sum.cost(), sum.quality(requests_.size())});
  };
  std::int32_t above = whole_ppm;
  for (std::size_t i = 0; i < requests_.size();) {
    const std::int32_t score = requests_[i].score_ppm;
    add(score, above, static_cast<std::int64_t>(i));
    for (; i < requests_.size() && requests_[i].score_ppm == score; ++i) sum.to_strong(requests_[i]);
    above = score;
  }
  if (!requests_.empty()) add(0, above, static_cast<std::int64_t>(requests_.size()));
  quality_of_strong_ = sum.quality(requests_.size());
}

double Curve::share(const CurvePoint& point) const noexcept {
  return requests_.empty() ? 0 : static_cast<double>(point.strong) / static_cast<double>(requests_.size());
}

std::optional<double> Curve::kept(const CurvePoint& point) const noexcept {
  if (!point.quality || !quality_of_strong_ || *quality_of_strong_ <= 0) return std::nullopt;
  return *point.quality / *quality_of_strong_;
}

const CurvePoint* Curve::nearest_share(double wanted) const noexcept {
  const CurvePoint* best = nullptr;
  for (const CurvePoint& point : points_) {
    if (best == nullptr || std::abs(share(point) - wanted) < std::abs(share(*best) - wanted)) best = &point;
  }
  return best;
}

const CurvePoint* Curve::least_for_quality(double wanted) const noexcept {
  constexpr double rounding = 1e-12;
  const CurvePoint* best = nullptr;
  for (const CurvePoint& point : points_) {
    const std::optional<double> has = kept(point);
    if (!has || *has < wanted - rounding) continue;
    const bool cheaper = best == nullptr || (point.cost && best->cost && *point.cost < *best->cost);
    if (cheaper) best = &point;
  }
  return best;
}

std::vector<const CurvePoint*> Curve::thinned(int steps) const {
  std::vector<const CurvePoint*> out;
  for (int i = 0; i <= steps; ++i) {
    const CurvePoint* const point = nearest_share(static_cast<double>(i) / steps);
    if (point != nullptr && (out.empty() || out.back()->strong < point->strong)) out.push_back(point);
  }
  return out;
}

std::int64_t Curve::above(double score) const noexcept {
  const auto first_not = std::find_if(requests_.begin(), requests_.end(), [&](const ScoredRequest& each) {
    return static_cast<double>(each.score_ppm) <= score * whole_ppm;
  });
  return std::distance(requests_.begin(), first_not);
}

}  // namespace tollgate::advice
