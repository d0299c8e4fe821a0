// `tollgate ledger copy`: a SQLite ledger into PostgreSQL.
#include "metrics/ledger_copy.hpp"

#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "gateway/cli/commands.hpp"
#include "gateway/cli/text_table.hpp"

namespace tollgate::cli {

int copy_ledger(const LedgerCopyOptions& options) {
  const LedgerPlace from(options.from), to(options.to);
  const bool shows = ::isatty(STDERR_FILENO) != 0;
  const auto progress = [&](const std::string& table, std::int64_t rows) {
    if (shows) std::fprintf(stderr, "\r\033[K%s: %lld", table.c_str(), static_cast<long long>(rows));
  };
  const Result<LedgerCopy> copied = tollgate::copy_ledger(from, to, progress);
  if (shows) std::fprintf(stderr, "\r\033[K");
  if (!copied) {
    print_error(copied.error().message);
    return exit_code_of(copied.error());
  }
  if (options.json) {
    nlohmann::ordered_json tables;
    for (const auto& [name, table] : copied.value().tables) tables[name] = {{"read", table.read}, {"written", table.written}};
    std::printf("%s\n", nlohmann::ordered_json{{"from", from.shown()}, {"to", to.shown()}, {"tables", tables}}.dump(2).c_str());
    return ok;
  }
  TextTable table;
  table.column("table", false);
  for (const char* const heading : {"rows", "written", "there already"}) table.column(heading, true);
  for (const auto& [name, done] : copied.value().tables) {
    table.row({name, std::to_string(done.read), std::to_string(done.written), std::to_string(done.read - done.written)});
  }
  table.print();
  return ok;
}

}  // namespace tollgate::cli
