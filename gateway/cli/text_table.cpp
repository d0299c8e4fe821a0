#include "gateway/cli/text_table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "gateway/cli/help.hpp"

namespace tollgate::cli {
namespace {

constexpr std::size_t gap = 2, text_least = 8, no_limit = std::numeric_limits<std::size_t>::max() / 2;

/// Characters, not bytes: names may be anything.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// At most `most` characters; what is left out is shown by an ellipsis.
std::string shortened(const std::string& text, std::size_t most) {
  if (width(text) <= most) return text;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && ++seen == most) break;
  }
  return text.substr(0, end) + "…";
}

bool is_amount(const std::string& text) {
  return !text.empty() && text.find_first_not_of("-0123456789.") == std::string::npos;
}

}  // namespace

void TextTable::column(std::string heading, bool numbers) { columns_.push_back({std::move(heading), numbers}); }
void TextTable::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
void TextTable::rule() { rows_.emplace_back(); }

std::vector<std::size_t> TextTable::natural_widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = width(columns_[i].heading);
    for (const auto& row : rows_) {
      if (!row.empty()) widest = std::max(widest, width(row[i]));
    }
    widths.push_back(widest);
  }
  return widths;
}

// Texts give way, the widest first; numbers never do, for a number that is cut is another number.
bool TextTable::fit(std::vector<std::size_t>& widths, std::size_t room) const {
  const auto taken = [&widths] { return std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1)); };
  while (taken() > room) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (!columns_[i].numbers && widths[i] > text_least && (widest == nullptr || widths[i] > *widest)) widest = &widths[i];
    }
    if (widest == nullptr) return false;
    --*widest;
  }
  return true;
}

/// Too wide even so: each row as lines of heading and value.
void TextTable::print_blocks() const {
  std::size_t left = 0;
  for (const Column& column : columns_) left = std::max(left, width(column.heading));
  bool first = true;
  for (const auto& row : rows_) {
    if (row.empty()) continue;
    if (!first) std::printf("\n");
    first = false;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& heading = columns_[i].heading;
      if (!row[i].empty()) std::printf("%s%s  %s\n", heading.c_str(), std::string(left - width(heading), ' ').c_str(), row[i].c_str());
    }
  }
}

void TextTable::print() const { print(terminal_width(no_limit)); }

void TextTable::print(std::size_t room) const {
  if (columns_.empty()) return;
  std::vector<std::size_t> widths = natural_widths();
  if (!fit(widths, room)) return print_blocks();
  const auto line_of = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = columns_[i].numbers ? cell_at(i) : shortened(cell_at(i), widths[i]);
      const std::string padding(widths[i] - std::min(widths[i], width(cell)), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].numbers ? padding + cell : cell + padding);
    }
    while (line.ends_with(' ')) line.pop_back();
    return line;
  };
  const bool colour = colour_allowed();
  const std::string heading = line_of([&](std::size_t i) { return columns_[i].heading; });
  std::printf("%s%s%s\n", colour ? "\033[1m" : "", heading.c_str(), colour ? "\033[0m" : "");
  for (const auto& row : rows_) {
    const std::string line = row.empty() ? line_of([&](std::size_t i) { return std::string(widths[i], '-'); })
                                         : line_of([&](std::size_t i) { return row[i]; });
    std::printf("%s\n", line.c_str());
  }
}

bool colour_allowed() {
  const char* const forbidden = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): one thread
  return (forbidden == nullptr || *forbidden == '\0') && ::isatty(STDOUT_FILENO) == 1;
}

void align_decimals(const std::vector<std::string*>& amounts) {
  const auto decimals = [](const std::string& text) {
    const std::size_t point = text.find('.');
    return point == std::string::npos ? 0 : text.size() - point - 1;
  };
  std::size_t most = 2;  // cents
  for (const std::string* amount : amounts) {
    if (is_amount(*amount)) most = std::max(most, decimals(*amount));
  }
  for (std::string* amount : amounts) {
    if (!is_amount(*amount)) continue;
    const std::size_t has = decimals(*amount);
    if (has == 0) *amount += '.';
    amount->append(most - has, '0');
  }
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) line += (i == 0 ? "" : ",") + csv_field(fields[i]);
  return line;
}

}  // namespace tollgate::cli
