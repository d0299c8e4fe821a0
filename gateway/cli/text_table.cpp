#include "gateway/cli/text_table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tollgate::cli {
namespace {

/// Characters, not bytes: names may be anything.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_amount(const std::string& text) {
  return !text.empty() && text.find_first_not_of("-0123456789.") == std::string::npos;
}

}  // namespace

void TextTable::column(std::string heading, bool numbers) { columns_.push_back({std::move(heading), numbers}); }
void TextTable::row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
void TextTable::rule() { rows_.emplace_back(); }

void TextTable::print() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = width(columns_[i].heading);
    for (const auto& row : rows_) {
      if (!row.empty()) widest = std::max(widest, width(row[i]));
    }
    widths.push_back(widest);
  }
  const auto line_of = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = cell_at(i);
      const std::string padding(widths[i] - width(cell), ' ');
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
