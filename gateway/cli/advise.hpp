#pragma once
// What `tollgate advise` found for one workload, and the report of it for people who were not there.

#include <string>
#include <vector>

#include "advice/decision.hpp"
#include "advice/same_model.hpp"

namespace tollgate::cli {

struct BreakEven {
  std::string what, value, today;
  double number = 0;
  std::string key;
};

struct AdvicePage {
  advice::Comparison all;
  advice::Decision decision;
  std::vector<BreakEven> points;
  std::string assumption;
  std::vector<advice::Host> hosts;
};
/// One HTML file with everything in it: styles for light, dark and paper, charts as SVG, nothing from outside.
[[nodiscard]] std::string html_report(const std::vector<AdvicePage>& pages, const std::string& made_at);

}  // namespace tollgate::cli
