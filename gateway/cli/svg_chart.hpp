#pragma once
// Small charts as inline SVG: no scripts, no fonts from outside, colours by class (k0 … k5) so that a page's style sheet decides how they
// look on a screen and on paper. Not money: pictures of it.

#include <string>
#include <utility>
#include <vector>

namespace tollgate::cli {

/// Text fit for HTML and SVG.
[[nodiscard]] std::string html_text(std::string_view text);

struct Bar {
  std::string label, value;      ///< beside it
  double low = 0, mid = 0, high = 0;
  int kind = 0;                  ///< its colour
  bool marked = false;
};
/// Lying bars from 0; a whisker from low to high where they differ.
[[nodiscard]] std::string bar_chart(const std::vector<Bar>& bars);

struct Line {
  std::string label;
  std::vector<std::pair<double, double>> points;   ///< x rising
  int kind = 0;
  bool stepped = false;
};
struct Marker {
  double x = 0;
  std::string label;
};
struct LineChart {
  std::string x_label, y_label;
  std::vector<Line> lines;
  std::vector<Marker> markers;   ///< upright, named
  bool log_x = false, log_y = false;
  /// How a value on an axis is written.
  std::string (*x_text)(double) = nullptr, (*y_text)(double) = nullptr;
};
[[nodiscard]] std::string line_chart(const LineChart& chart);

}  // namespace tollgate::cli
