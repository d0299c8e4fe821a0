// `tollgate calibrate`: from which complexity score on requests should go to the strong side.
#include "gateway/cli/calibrate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "config/config.hpp"
#include "config/decimal.hpp"

namespace tollgate::cli {
namespace {

using namespace advice;  // NOLINT(google-build-using-namespace): this file is all about it

constexpr int score_decimals = 6;
constexpr std::int64_t few_requests = 200;

std::string score_of(double value) { return decimal_text(static_cast<Int128>(value * 1e6 + 0.5), score_decimals); }

void set_tier(TierBounds now, Tier tier, const CurvePoint& chosen, std::vector<BoundaryChange>& changes) {
  const TierBounds bounds = moved_bounds(now, tier, static_cast<double>(chosen.bound_ppm()) / 1e6);
  const std::array<std::tuple<const char*, double, double>, 3> all{
      std::tuple("medium", now.medium, bounds.medium), std::tuple("complex", now.complex, bounds.complex),
      std::tuple("reasoning", now.reasoning, bounds.reasoning)};
  for (const auto& [key, was, is] : all) {
    if (score_of(was) != score_of(is)) changes.push_back({{{"tiers", key}, score_of(is)}, was});
  }
}

/// Every key that holds the boundary, and the tiers, so that their names mean the same.
std::vector<BoundaryChange> changes_for(const ScoreUse& use, const Config& config, Tier tier,
                                        const CurvePoint& chosen) {
  std::vector<BoundaryChange> changes;
  const std::string bound = chosen.bound_text();
  const auto set_capability = [&](const BoundaryKey& key) {
    if (score_of(key.now) != bound) changes.push_back({{key.path, bound}, key.now});
  };
  for (const BoundaryKey& key : use.keys) {
    if (key.path.front() != "tiers") set_capability(key);
  }
  if (use.keys.front().path.back() == "capability") {
    const double limit = static_cast<double>(chosen.bound_ppm()) / 1e6;
    for (const Target* target :
         use.weak) {  // a boundary that falls below what others are trusted with takes them along
      const bool is_key = target->capability >= use.now;
      if (!is_key && target->capability > limit) {
        set_capability({{"backends", std::string(text(config.backend_of(*target).name)), "models",
                         std::string(text(target->model)), "capability"},
                        target->capability});
      }
    }
  }
  set_tier(config.tiers, tier, chosen, changes);
  return changes;
}

bool choose_point(const CalibrateOptions& options, const Curve& curve, CalibrationInput& input,
                  const CurvePoint*& chosen) {
  if (options.strong_share >= 0) {
    chosen = curve.nearest_share(options.strong_share);
    if (chosen == nullptr) print_error("all requests have a score of 0 or of 1: there is no boundary between them");
    return chosen != nullptr;
  }
  if (options.quality < 0) return true;
  chosen = curve.least_for_quality(options.quality);
  if (chosen != nullptr) return true;
  std::string why = "no boundary is known to keep that quality";
  if (curve.source() == QualitySource::rated) {
    why += fmt::format(
        ": {} answers of the weak side were rated; each tenth of the traffic, by score, needs at least {} of them "
        "before it can be given to it",
        curve.weak_outcomes(), Curve::outcomes_min);
  }
  print_error(why);
  for (const std::string& note : input.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  return false;
}

/// Nothing is known of any answer: what the configuration says of its targets is all there is.
void assume_capabilities(const ScoreUse& use, CalibrationInput& input) {
  double weak = 0, strong = 0;
  for (const Target* target : use.weak) weak = std::max(weak, target->capability);
  for (const Target* target : use.strong) strong = std::max(strong, target->capability);
  for (ScoredRequest& each : input.requests) {
    const double score = static_cast<double>(each.score_ppm) / 1e6;
    each.weak_quality = score <= weak ? 1.0 : 0.0;
    each.strong_quality = score <= strong ? 1.0 : 0.0;
  }
  input.quality = QualitySource::capability;
  input.notes.emplace_back(
      "no outcome of any answer is known, so quality is ASSUMED from the configured capabilities: an answer counts as "
      "right up to its target's capability. "
      "Ratings in the ledger, or weak_ok and strong_ok in the lines of --jsonl, would make it a measurement");
}

}  // namespace

std::string BoundaryChange::path() const {
  std::string out;
  for (const std::string& each : edit.path) out += (out.empty() ? "" : ".") + each;
  return out;
}

int calibrate(const CalibrateOptions& options) {
  const Result<ConfigPtr> loaded = load_file(options.config, process_environment());
  if (!loaded) {
    print_error(loaded.error().message);
    return exit_code_of(loaded.error());
  }
  const Config& config = *loaded.value();
  const Result<ScoreUse> use = score_use_of(config, options.route);
  if (!use) {
    print_error(options.config + ": " + use.error().message);
    return finding;
  }
  CalibrationInput input;
  if (const int code = options.jsonl.empty() ? read_recorded(options, config, use.value(), input)
                                             : read_bodies(options, config, use.value(), input);
      code != ok)
    return code;
  if (input.requests.empty()) {
    print_error("there is nothing to calibrate by: no requests in " + input.source);
    for (const std::string& note : input.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
    return finding;
  }
  if (options.quality >= 0 && input.quality == QualitySource::none) assume_capabilities(use.value(), input);
  const Curve curve(std::move(input.requests), input.quality);
  if (curve.requests() < few_requests)
    input.notes.push_back(
        fmt::format("{} requests are few: the share in tomorrow's traffic may be quite another", curve.requests()));
  Calibration all{use.value(), curve, input, nullptr, {}};
  if (!choose_point(options, curve, input, all.chosen)) return finding;
  if (all.chosen != nullptr) {
    const Tier tier = use.value().by_tier           ? use.value().tier
                      : options.tier == "medium"    ? Tier::medium
                      : options.tier == "reasoning" ? Tier::reasoning
                                                    : Tier::complex;
    all.changes = changes_for(use.value(), config, tier, *all.chosen);
  }
  if (options.yaml) {
    std::printf("%s", yaml_lines(all.changes).c_str());
  } else if (options.json) {
    print_calibration_json(all, options);
  } else {
    print_calibration(all, options);
  }
  return options.write ? write_changes(all.changes, options.config) : ok;
}

}  // namespace tollgate::cli
