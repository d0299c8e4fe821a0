#include "gateway/cli/svg_chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tollgate::cli {
namespace {

constexpr double width = 760, label_width = 250, value_width = 110, bar_height = 18, bar_step = 28;
constexpr double chart_height = 300, left = 66, right = 26, top = 14, bottom = 44;

/// A scale from values to pixels, straight or logarithmic.
class Scale {
 public:
  Scale(double from, double to, double pixel_from, double pixel_to, bool log) : log_(log), from_(place(from)), to_(place(to)), pixel_from_(pixel_from), pixel_to_(pixel_to) {
    if (to_ <= from_) to_ = from_ + 1;
  }
  [[nodiscard]] double at(double value) const { return pixel_from_ + (place(value) - from_) / (to_ - from_) * (pixel_to_ - pixel_from_); }

 private:
  [[nodiscard]] double place(double value) const { return log_ ? std::log10(std::max(value, 1e-12)) : value; }
  bool log_;
  double from_, to_, pixel_from_, pixel_to_;
};

/// Round values that fall into the range: powers of ten, or steps of 1, 2 or 5.
std::vector<double> ticks(double from, double to, bool log) {
  std::vector<double> out;
  if (log) {
    for (double power = std::pow(10, std::ceil(std::log10(std::max(from, 1e-12)) - 1e-9)); power <= to * 1.0001; power *= 10) out.push_back(power);
    if (out.size() >= 2) return out;
    out.clear();
  }
  constexpr double wanted = 5;
  const double rough = (to - from) / wanted;
  if (rough <= 0) return {from};
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double share = rough / power;
  const double step = power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
  for (double value = std::ceil(from / step - 1e-9) * step; value <= to + step * 1e-6; value += step) out.push_back(value);
  return out;
}

std::string plain(double value) { return fmt::format("{:g}", value); }

struct Range {
  double from = INFINITY, to = -INFINITY;
  void take(double value) {
    from = std::min(from, value);
    to = std::max(to, value);
  }
};

void draw_axes(const LineChart& chart, const Range& x, const Range& y, const Scale& across, const Scale& up, std::string& svg) {
  for (const double value : ticks(y.from, y.to, chart.log_y)) {
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", left, width - right, up.at(value), up.at(value));
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6, up.at(value) + 4, html_text((chart.y_text != nullptr ? chart.y_text : plain)(value)));
  }
  for (const double value : ticks(x.from, x.to, chart.log_x)) {
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", across.at(value), chart_height - bottom + 16,
                       html_text((chart.x_text != nullptr ? chart.x_text : plain)(value)));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", left, width - right, chart_height - bottom);
  svg += fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", (left + width - right) / 2, chart_height - 6, html_text(chart.x_label));
  svg += fmt::format("<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"start\">{}</text>", left, top - 2, html_text(chart.y_label));
}

void draw_line(const Line& line, const Scale& across, const Scale& up, std::string& svg) {
  std::string path;
  double before = 0;
  for (const auto& [x, y] : line.points) {
    if (!path.empty() && line.stepped) path += fmt::format("L{:.1f},{:.1f}", across.at(x), before);
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : "L", across.at(x), up.at(y));
    before = up.at(y);
  }
  svg += fmt::format("<path class=\"line k{}\" d=\"{}\"/>", line.kind, path);
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? '?' : c;
    }
  }
  return out;
}

std::string bar_chart(const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max({most, bar.high, bar.mid});
  const Scale across(0, most > 0 ? most : 1, label_width, width - value_width, false);
  const double height = bar_step * static_cast<double>(bars.size()) + 6;
  std::string svg = fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\">", width, height);
  double y = 4;
  for (const Bar& bar : bars) {
    const double middle = y + bar_height / 2;
    svg += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", bar.marked ? "label marked" : "label", label_width - 8, middle + 4, html_text(bar.label));
    svg += fmt::format("<rect class=\"bar k{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", bar.kind, label_width, y, std::max(1.0, across.at(bar.mid) - label_width), bar_height);
    if (bar.low < bar.high) {
      svg += fmt::format("<path class=\"whisker\" d=\"M{0:.1f},{2:.1f}H{1:.1f}M{0:.1f},{3:.1f}v8M{1:.1f},{3:.1f}v8\"/>", across.at(bar.low), across.at(bar.high), middle, middle - 4);
    }
    svg += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", bar.marked ? "value marked" : "value", across.at(std::max(bar.mid, bar.high)) + 8, middle + 4, html_text(bar.value));
    y += bar_step;
  }
  return svg + "</svg>";
}

std::string line_chart(const LineChart& chart) {
  Range x, y;
  for (const Line& line : chart.lines) {
    for (const auto& [px, py] : line.points) {
      x.take(px);
      y.take(py);
    }
  }
  if (!chart.log_y) y.take(0);
  if (!(x.from < x.to)) return {};
  const Scale across(x.from, x.to, left, width - right, chart.log_x), up(y.from, y.to, chart_height - bottom, top + 6, chart.log_y);
  const double height = chart_height + 22;
  std::string svg = fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\">", width, height);
  draw_axes(chart, x, y, across, up, svg);
  double label_y = top + 16;
  for (const Marker& marker : chart.markers) {
    if (marker.x < x.from || marker.x > x.to) continue;
    const double at = across.at(marker.x);
    const bool to_the_left = at > width * 0.7;
    svg += fmt::format("<line class=\"marker\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", at, top + 4, chart_height - bottom);
    svg += fmt::format("<text class=\"note\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", at + (to_the_left ? -5 : 5), label_y, to_the_left ? "end" : "start", html_text(marker.label));
    label_y += 15;
  }
  double legend_x = left;
  for (const Line& line : chart.lines) {
    draw_line(line, across, up, svg);
    svg += fmt::format("<path class=\"line k{0}\" d=\"M{1:.1f},{2:.1f}h22\"/><text class=\"label\" x=\"{3:.1f}\" y=\"{4:.1f}\">{5}</text>", line.kind, legend_x, chart_height + 10, legend_x + 28, chart_height + 14,
                       html_text(line.label));
    legend_x += 46 + 7.0 * static_cast<double>(line.label.size());
  }
  return svg + "</svg>";
}

}  // namespace tollgate::cli
