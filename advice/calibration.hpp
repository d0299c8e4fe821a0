#pragma once
// From which complexity score on requests should go to the strong side: the curve of every cut between two scores, with
// the share that goes there, what all of it costs, and how good the answers are where that is known.
//
//    const Curve curve(std::move(requests), QualitySource::paired);
//    const CurvePoint* cut = curve.nearest_share(0.2);
//    cut->bound_text();                             // "0.54": what goes into the configuration
//
// Knows: scores, costs and outcomes as plain numbers. Knows nothing of: the ledger, the configuration, the model.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/units.hpp"

namespace tollgate::advice {

/// One request that went by, and what each side would make of it.
struct ScoredRequest {
  std::int32_t score_ppm = 0;                          ///< complexity in millionths
  std::optional<Usd> weak, strong;                     ///< cost there; absent: not known
  std::optional<double> weak_quality, strong_quality;  ///< of the answer, in [0,1]; absent: not known
};

enum class QualitySource : std::uint8_t {
  none,       ///< nothing is known of any answer
  paired,     ///< of every request both sides' outcomes are known
  rated,      ///< some answers were rated, each of the side that gave it: rates by tenths of the traffic
  capability  ///< assumed: a side is right up to its configured capability
};
[[nodiscard]] std::string_view name_of(QualitySource source) noexcept;

/// Requests with a score above the cut go to the strong side.
struct CurvePoint {
  std::int32_t below_ppm = 0, above_ppm = 0;  ///< the cut lies between these two scores, at neither
  std::int64_t strong = 0;                    ///< requests above it
  std::optional<UsdSum> cost;                 ///< of all requests; absent: of some it is not known
  std::optional<double> quality;              ///< mean over all requests; absent: not known

  /// The shortest decimal between the two scores, in millionths.
  [[nodiscard]] std::int32_t bound_ppm() const noexcept;
  [[nodiscard]] std::string bound_text() const;
};

class Curve {
 public:
  /// Fewer outcomes of a side than this in a tenth of the traffic say nothing.
  static constexpr std::int64_t outcomes_min = 5;

  Curve(std::vector<ScoredRequest> requests, QualitySource source);

  [[nodiscard]] std::int64_t requests() const noexcept { return static_cast<std::int64_t>(requests_.size()); }
  /// By rising share of the strong side, from none to all as far as scores and bounds in (0,1) allow; never empty where
  /// there are requests with a score inside.
  [[nodiscard]] const std::vector<CurvePoint>& points() const noexcept { return points_; }
  [[nodiscard]] QualitySource source() const noexcept { return source_; }
  [[nodiscard]] double share(const CurvePoint& point) const noexcept;
  /// Mean quality if the strong side took everything; absent: not known.
  [[nodiscard]] std::optional<double> quality_of_strong() const noexcept { return quality_of_strong_; }
  /// A point's quality as a part of that.
  [[nodiscard]] std::optional<double> kept(const CurvePoint& point) const noexcept;
  /// Requests whose outcome is known, of each side; of those that were rated.
  [[nodiscard]] std::int64_t weak_outcomes() const noexcept { return weak_outcomes_; }
  [[nodiscard]] std::int64_t strong_outcomes() const noexcept { return strong_outcomes_; }

  /// nullptr: there is no point. Of two equally near ones the cheaper (smaller) share.
  [[nodiscard]] const CurvePoint* nearest_share(double share) const noexcept;
  /// The cheapest point that keeps at least that part of the strong side's quality; nullptr: none is known to. Where
  /// costs are not known, the one with the smallest share.
  [[nodiscard]] const CurvePoint* least_for_quality(double kept) const noexcept;
  /// Every point of a share next to the multiples of 1/steps, without repeats.
  [[nodiscard]] std::vector<const CurvePoint*> thinned(int steps) const;
  /// Requests above a score.
  [[nodiscard]] std::int64_t above(double score) const noexcept;

 private:
  void fill_from_rates();
  void find_points();

  std::vector<ScoredRequest> requests_;  // by falling score
  std::vector<CurvePoint> points_;
  QualitySource source_;
  std::optional<double> quality_of_strong_;
  std::int64_t weak_outcomes_ = 0, strong_outcomes_ = 0;
};

}  // namespace tollgate::advice
