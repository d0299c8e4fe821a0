#include "metrics/csv.hpp"

namespace tollgate {
namespace {

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  }

  Result<std::vector<CsvRow>> read() {
    std::vector<CsvRow> rows;
    while (!rest_.empty()) {
      CsvRow row{line_, {}};
      bool more = true;
      while (more) {
        TOLLGATE_TRY(more, read_field(row.fields));
      }
      const bool empty = row.fields.size() == 1 && row.fields[0].empty();
      if (!empty) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  /// True: another field follows in this row.
  Result<bool> read_field(std::vector<std::string>& fields) {
    std::string field;
    if (rest_.starts_with('"')) {
      TOLLGATE_TRY(read_quoted(field));
    }
    const std::size_t end = rest_.find_first_of(",\n");
    std::string_view plain = rest_.substr(0, end);
    if (plain.ends_with('\r')) plain.remove_suffix(1);
    field += plain;
    fields.push_back(std::move(field));
    const bool comma = end != std::string_view::npos && rest_[end] == ',';
    if (end != std::string_view::npos && !comma) ++line_;
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return comma;
  }

  Result<void> read_quoted(std::string& field) {
    const std::size_t began = line_;
    rest_.remove_prefix(1);
    for (;;) {
      const std::size_t quote = rest_.find('"');
      if (quote == std::string_view::npos) {
        return fail(Fault::bad_request, "line " + std::to_string(began) + ": a quote is opened and never closed");
      }
      const std::string_view piece = rest_.substr(0, quote);
      for (const char c : piece) line_ += c == '\n' ? 1 : 0;
      field += piece;
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) return success();
      field += '"';
      rest_.remove_prefix(1);
    }
  }

  std::string_view rest_;
  std::size_t line_ = 1;
};

}  // namespace

Result<std::vector<CsvRow>> parse_csv(std::string_view text) { return CsvReader(text).read(); }

}  // namespace tollgate
