#pragma once
// CSV as RFC 4180 and spreadsheets write it: quoted fields, LF or CRLF, a byte order mark.

#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"

namespace tollgate {

struct CsvRow {
  std::size_t line = 0;  ///< of the file, counted from 1
  std::vector<std::string> fields;
};

/// All rows, the heading included; empty lines are left out. Refuses an open quote.
[[nodiscard]] Result<std::vector<CsvRow>> parse_csv(std::string_view text);

}  // namespace tollgate
