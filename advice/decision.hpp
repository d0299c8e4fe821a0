#pragma once
// The decision tree of the field's guides, walked with measured values: each step says what was asked, what was found, what follows.

#include <string>
#include <vector>

#include "advice/tiers.hpp"

namespace tollgate::advice {

struct DecisionStep {
  std::string question, found, therefore;
};

struct Decision {
  TierKind tier = TierKind::managed;
  std::vector<DecisionStep> steps;
  std::string burden;            ///< what running it takes
  std::string managed_ruled_out; ///< why no managed host is advised, whatever it costs; "": none is ruled out
  /// Against the cheapest managed host; negative: it costs more. Zero with known = false: not to be said.
  UsdSum saving_per_month;
  bool saving_known = false;
};

struct Circumstances {
  bool team = true;              ///< people who run GPUs are there
  bool closed_fits = true;       ///< a managed model does the task well enough
};
/// What the field's guides say against each other, and what was found here.
[[nodiscard]] std::string guides_note(const Comparison& all);
[[nodiscard]] Decision decide(const Comparison& all, const Circumstances& circumstances);

}  // namespace tollgate::advice
