#pragma once
// What `tollgate advise` found for one workload, and the report of it for people who were not there.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "advice/decision.hpp"
#include "advice/same_model.hpp"
#include "advice/trend.hpp"

namespace tollgate::cli {

struct BreakEven {
  std::string what, value, today;
  double number = 0;
  std::string key;
  double today_number = 0;
  std::string trend;               ///< when the traffic's trend crosses it; "": that is no question of traffic
};

struct Assumption {
  std::string what, value, flags;  ///< flags: what changes it
};

struct AdvicePage {
  advice::Comparison all;
  advice::Decision decision;
  std::vector<BreakEven> points;
  std::string assumption;          ///< of the speeds
  std::vector<advice::Host> hosts;
  std::string target;              ///< whose traffic it is; "": assumed
  advice::Trend trend;
  std::vector<Assumption> assumptions;
};
[[nodiscard]] std::vector<BreakEven> break_evens(const advice::Comparison& all, const std::vector<advice::Host>& hosts, const advice::Trend& trend);
[[nodiscard]] std::vector<Assumption> assumptions_of(const advice::Comparison& all, const std::string& speeds);

void print_page(const AdvicePage& page);
[[nodiscard]] nlohmann::ordered_json page_json(const AdvicePage& page);
/// One HTML file with everything in it: styles for light, dark and paper, charts as SVG, nothing from outside.
[[nodiscard]] std::string html_report(const std::vector<AdvicePage>& pages, const std::string& made_at);

}  // namespace tollgate::cli
