#pragma once
// What the parts of `tollgate calibrate` hand each other.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "advice/calibration.hpp"
#include "advice/score_use.hpp"
#include "config/yaml_edit.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {

/// Requests with their scores and costs, wherever they are from.
struct CalibrationInput {
  std::vector<advice::ScoredRequest> requests;
  advice::QualitySource quality = advice::QualitySource::none;
  std::string source;                ///< "ledger tollgate.db, 2026-10-22T… to …"
  std::string costs;                 ///< what the costs are, for people
  std::vector<std::string> notes;    ///< what was left out, what is not known
  std::int64_t went_to_strong = -1;  ///< really, in the ledger; -1: not known
};

/// From the ledger; an exit code other than ok: said why.
[[nodiscard]] int read_recorded(const CalibrateOptions& options, const Config& config, const advice::ScoreUse& use,
                                CalibrationInput& out);
/// From request bodies as JSON lines.
[[nodiscard]] int read_bodies(const CalibrateOptions& options, const Config& config, const advice::ScoreUse& use,
                              CalibrationInput& out);

/// A value to be changed, with the one that stands there now.
struct BoundaryChange {
  YamlEdit edit;
  double now = 0;
  [[nodiscard]] std::string path() const;
};

struct Calibration {
  const advice::ScoreUse& use;
  const advice::Curve& curve;
  const CalibrationInput& input;
  const advice::CurvePoint* chosen = nullptr;  ///< nullptr: nothing was wanted
  std::vector<BoundaryChange> changes;
};

void print_calibration(const Calibration& all, const CalibrateOptions& options);
void print_calibration_json(const Calibration& all, const CalibrateOptions& options);
/// The changes as lines for the configuration.
[[nodiscard]] std::string yaml_lines(const std::vector<BoundaryChange>& changes);
/// Puts them into the file; everything else in it stays. An exit code.
[[nodiscard]] int write_changes(const std::vector<BoundaryChange>& changes, const std::string& path);

}  // namespace tollgate::cli
