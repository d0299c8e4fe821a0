#pragma once
// A table for people: columns aligned, numbers to the right. Bold headings on a terminal, unless NO_COLOR is set.
// It fits the terminal (or COLUMNS): long texts are cut, and where that is not enough each row becomes a block of lines.

#include <cstddef>
#include <string>
#include <vector>

namespace tollgate::cli {

class TextTable {
 public:
  /// A column of numbers is set to the right.
  void column(std::string heading, bool numbers);
  void row(std::vector<std::string> cells);
  /// A line across before the next row.
  void rule();
  void print() const;
  /// As if the terminal had so many columns.
  void print(std::size_t room) const;

 private:
  [[nodiscard]] std::vector<std::size_t> natural_widths() const;
  [[nodiscard]] bool fit(std::vector<std::size_t>& widths, std::size_t room) const;
  void print_blocks() const;

  struct Column {
    std::string heading;
    bool numbers;
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty one is a line across
};

/// Whether standard output may be coloured.
[[nodiscard]] bool colour_allowed();
/// Pads the decimals of exact amounts with zeros so that their points stand under each other; other texts are left.
void align_decimals(const std::vector<std::string*>& amounts);
/// A CSV field (RFC 4180).
[[nodiscard]] std::string csv_field(const std::string& text);
/// Fields as a line of CSV.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& fields);

}  // namespace tollgate::cli
