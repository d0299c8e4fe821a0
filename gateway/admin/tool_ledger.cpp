#include "gateway/admin/tool_ledger.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace tollgate {
namespace {

/// A line of .pgpass, for every server.
std::string pass_file(std::string_view password) {
  std::string line = "*:*:*:*:";
  for (const char c : password) {
    if (c == ':' || c == '\\') line += '\\';
    line += c;
  }
  return line + "\n";
}

/// Where libpq looks for files and how it connects; the rest of the environment is nobody's business.
void pass_on_environment(std::vector<std::string>& environment) {
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view variable(*each);
    const bool wanted = variable.starts_with("HOME=") || (variable.starts_with("PG") && !variable.starts_with("PGPASSWORD="));
    if (wanted) environment.emplace_back(variable);
  }
}

}  // namespace

Result<void> read_ledger(const LedgerConfig& ledger, ToolJob& job) {
  if (ledger.postgres.empty()) {
    job.arguments.insert(job.arguments.end(), {"--ledger", ledger.path});
    return success();
  }
  TOLLGATE_TRY(Secret password, ledger.place().password());
  const char* const given = std::getenv("PGPASSWORD");  // NOLINT(concurrency-mt-unsafe): nobody sets variables
  if (password.empty() && given != nullptr) password = Secret(given);
  std::string url = ledger.postgres;
  if (!password.empty()) {
    url += (url.find('?') == std::string::npos ? "?passfile=" : "&passfile=") + ToolRun::text_path(job.texts.size());
    job.texts.push_back(pass_file(password.reveal()));
  }
  job.arguments.insert(job.arguments.end(), {"--ledger", std::move(url)});
  pass_on_environment(job.environment);
  return success();
}

}  // namespace tollgate
