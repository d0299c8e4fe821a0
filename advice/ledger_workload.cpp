#include "advice/ledger_workload.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <memory>

#include "metrics/records.hpp"

namespace tollgate::advice {
namespace {

struct Close {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};

constexpr int busy_timeout_ms = 10'000;

// Totals are those of metrics/usage.hpp: classes are disjoint.
constexpr const char* sql = R"sql(
SELECT n.text, r.arrived_us,
       a.input + a.cached_input + a.cache_write + a.cache_write_1h + a.input_audio + a.cached_input_audio + a.input_image + a.cached_input_image,
       a.output + a.output_audio + a.output_image, coalesce(c.covered, 0) <> 0
FROM request r JOIN attempt a ON a.request = r.id JOIN name n ON n.id = a.target JOIN name re ON re.id = a.result LEFT JOIN coverage c ON c.request = r.id
WHERE r.id >= ?4 AND r.arrived_us >= ?1 AND r.arrived_us < ?2 AND a.usage_source > 0 AND re.text <> 'hedge_lost' AND ((r.flags >> 2) & 3) = 0 AND (?3 = '' OR n.text = ?3)
ORDER BY r.id
)sql";

constexpr std::int64_t hour_us = 3'600'000'000, day_us = 24 * hour_us;

Error cannot_read(const std::string& path, sqlite3* connection) {
  return fail(Fault::io_failed, "the ledger " + path + " cannot be read: " + (connection == nullptr ? "out of memory" : sqlite3_errmsg(connection)));
}

/// Of any request; `until_us`: there is none.
Result<std::int64_t> first_arrival(const LedgerQuestion& question, sqlite3* opened) {
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(opened, "SELECT arrived_us FROM request ORDER BY id LIMIT 1", -1, &prepared, nullptr) != SQLITE_OK) return cannot_read(question.path, opened);
  const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
  const int step = sqlite3_step(prepared);
  if (step != SQLITE_ROW && step != SQLITE_DONE) return cannot_read(question.path, opened);
  return step == SQLITE_ROW ? sqlite3_column_int64(prepared, 0) : question.until_us;
}

}  // namespace

Result<std::vector<Workload>> ledger_workloads(const LedgerQuestion& question) {
  sqlite3* opened = nullptr;
  const int status = sqlite3_open_v2(question.path.c_str(), &opened, SQLITE_OPEN_READONLY, nullptr);
  const std::unique_ptr<sqlite3, Close> connection(opened);
  if (status != SQLITE_OK) return cannot_read(question.path, opened);
  sqlite3_busy_timeout(opened, busy_timeout_ms);
  TOLLGATE_TRY(const std::int64_t first, first_arrival(question, opened));
  const std::int64_t since_us = std::max(question.since_us, std::min(first, question.until_us - hour_us));
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(opened, sql, -1, &prepared, nullptr) != SQLITE_OK) return cannot_read(question.path, opened);
  const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
  sqlite3_bind_int64(prepared, 1, since_us);
  sqlite3_bind_int64(prepared, 2, question.until_us);
  sqlite3_bind_text(prepared, 3, question.target.c_str(), -1, SQLITE_STATIC);
  sqlite3_bind_int64(prepared, 4, static_cast<std::int64_t>(lowest_request_id_at(since_us)));
  std::map<std::string, Workload> by_target;
  int step = SQLITE_ROW;
  for (step = sqlite3_step(prepared); step == SQLITE_ROW; step = sqlite3_step(prepared)) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_column_text(prepared, 0));
    Workload& workload = by_target[name == nullptr ? "" : name];
    const std::int64_t at = sqlite3_column_int64(prepared, 1) - since_us;
    const std::int64_t input = sqlite3_column_int64(prepared, 2), output = sqlite3_column_int64(prepared, 3);
    ++workload.requests;
    workload.input_tokens += input;
    workload.output_tokens += output;
    workload.constrained += sqlite3_column_int(prepared, 4);
    const auto day = static_cast<std::size_t>(at / day_us);
    if (workload.tokens_by_day.size() <= day) workload.tokens_by_day.resize(day + 1);
    workload.tokens_by_day[day] += input + output;
    if (workload.requests > arrivals_max) continue;
    workload.arrivals.push_back({at, static_cast<std::int32_t>(input), static_cast<std::int32_t>(output)});
    if (workload.requests == arrivals_max) workload.arrivals_us = at;
  }
  if (step != SQLITE_DONE) return cannot_read(question.path, opened);
  std::vector<Workload> out;
  for (auto& [target, workload] : by_target) {
    workload.model = target;
    workload.source = "ledger " + question.path;
    workload.measured = true;
    workload.window_us = question.until_us - since_us;
    workload.tokens_by_day.resize(static_cast<std::size_t>((workload.window_us + day_us - 1) / day_us));
    std::stable_sort(workload.arrivals.begin(), workload.arrivals.end(), [](const Arrival& a, const Arrival& b) { return a.at_us < b.at_us; });   // reactors note theirs in turn
    if (workload.requests < arrivals_max) workload.arrivals_us = workload.window_us;
    out.push_back(std::move(workload));
  }
  std::stable_sort(out.begin(), out.end(), [](const Workload& a, const Workload& b) { return a.tokens() > b.tokens(); });
  return out;
}

}  // namespace tollgate::advice
