#include "advice/recorded_scores.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "metrics/ledger_schema.hpp"

namespace tollgate::advice {
namespace {

struct Close {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

constexpr int busy_timeout_ms = 10'000;
constexpr std::int64_t oldest_schema = 4;  // the first that says which requests a constraint covered

// Requests that the gateway itself made (shadow evaluations, judges) are not traffic. One row per attempt whose usage is known; the last of a request is the answer the client got.
constexpr const char* requests_sql = R"sql(
SELECT r.id, r.complexity_ppm, ro.text, ta.text, coalesce(c.covered, 0) <> 0,
       a.input, a.cached_input, a.cache_write, a.output, a.reasoning, a.web_searches,
       a.cache_write_1h, a.input_audio, a.cached_input_audio, a.input_image, a.cached_input_image, a.output_audio, a.output_image
FROM request r JOIN attempt a ON a.request = r.id JOIN name ro ON ro.id = r.route JOIN name ta ON ta.id = a.target JOIN name re ON re.id = a.result
LEFT JOIN coverage c ON c.request = r.id
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 AND r.surface < 2 AND (r.flags >> 2 & 3) = 0 AND a.usage_source > 0 AND re.text <> 'hedge_lost'
ORDER BY r.id, a.number
)sql";
constexpr int first_token_column = 5, rare_columns = 11;

constexpr const char* others_sql = R"sql(
SELECT n.text, count(*) FROM request r JOIN name n ON n.id = r.route
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 AND r.surface < 2 AND (r.flags >> 2 & 3) = 0 GROUP BY 1
)sql";

constexpr const char* pools_sql = R"sql(
SELECT n.text, sum(a.gpu_pusd >> 32), sum(a.gpu_pusd & 4294967295),
       sum(a.input + a.cached_input + a.cache_write + a.cache_write_1h + a.input_audio + a.cached_input_audio + a.input_image + a.cached_input_image
           + a.output + a.output_audio + a.output_image)
FROM request r JOIN attempt a ON a.request = r.id JOIN name n ON n.id = a.target
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 GROUP BY 1 HAVING sum(a.gpu_pusd) <> 0
)sql";

// A rating counts before a judge's score, and that before the look at the form; a right form says nothing of what stands in it.
constexpr const char* outcomes_sql = R"sql(
SELECT o.request, min(CASE WHEN o.source = 0 THEN coalesce(o.score_ppm / 1000000.0, o.verdict = 0) END),
       min(CASE WHEN o.source = 2 THEN coalesce(o.score_ppm / 1000000.0, o.verdict = 0) END),
       min(CASE WHEN o.source = 1 AND o.verdict > 2 THEN 0.0 END)
FROM outcome o JOIN request r ON r.id = o.request
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 GROUP BY 1
)sql";
constexpr int first_outcome_column = 1, last_outcome_column = 3;

class Ledger {
 public:
  explicit Ledger(const ScoresQuestion& question) : question_(question) {}

  Result<void> open() {
    if (::access(question_.path.c_str(), F_OK) != 0) {
      return fail(Fault::io_failed,
                  "there is no ledger at " + question_.path + "; --ledger names another, or --config a configuration");
    }
    sqlite3* handle = nullptr;
    const int status = sqlite3_open_v2(question_.path.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr);
    connection_.reset(handle);
    if (status != SQLITE_OK) return refusal();
    sqlite3_busy_timeout(handle, busy_timeout_ms);
    TOLLGATE_TRY(const std::int64_t application, number("PRAGMA application_id"));
    if (application != ledger_application_id)
      return fail(Fault::bad_config, question_.path + " is not a tollgate ledger");
    TOLLGATE_TRY(const std::int64_t version, number("PRAGMA user_version"));
    if (version < oldest_schema) {
      return fail(Fault::bad_config,
                  "the ledger " + question_.path +
                      " was written by an older tollgate; serve with this one first, which brings it up to date");
    }
    return success();
  }

  Result<std::int64_t> number(const char* sql) {
    TOLLGATE_TRY(const Statement query, prepare(sql));
    return sqlite3_step(query.get()) == SQLITE_ROW ? sqlite3_column_int64(query.get(), 0) : 0;
  }

  /// Calls `row` for each row of a query about the period.
  template <class Row>
  Result<void> each(const char* sql, const Row& row) {
    TOLLGATE_TRY(const Statement query, prepare(sql));
    sqlite3_bind_int64(query.get(), 1, question_.since_us);
    sqlite3_bind_int64(query.get(), 2, question_.until_us);
    int step = SQLITE_OK;
    while ((step = sqlite3_step(query.get())) == SQLITE_ROW) row(query.get());
    if (step != SQLITE_DONE) return refusal();
    return success();
  }

 private:
  Result<Statement> prepare(const char* sql) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(connection_.get(), sql, -1, &prepared, nullptr) != SQLITE_OK) return refusal();
    return Statement(prepared);
  }
  Error refusal() const {
    return fail(Fault::io_failed, "the ledger " + question_.path + " cannot be read: " +
                                      (connection_ == nullptr ? "out of memory" : sqlite3_errmsg(connection_.get())));
  }

  const ScoresQuestion& question_;
  std::unique_ptr<sqlite3, Close> connection_;
};

std::string text_in(sqlite3_stmt* row, int column) {
  const auto* found = reinterpret_cast<const char*>(sqlite3_column_text(row, column));
  return found == nullptr ? "" : found;
}

Usage usage_in(sqlite3_stmt* row) {
  const auto tokens = [&](int column) { return TokenCount{sqlite3_column_int64(row, first_token_column + column)}; };
  Usage usage;
  usage.input = tokens(0);
  usage.cached_input = tokens(1);
  usage.cache_write = tokens(2);
  usage.output = tokens(3);
  usage.reasoning = tokens(4);
  usage.web_searches = static_cast<std::int32_t>(tokens(5).count());
  for (std::size_t i = 0; i < rare_class_count; ++i)
    usage.rare[i] = sqlite3_column_int(row, rare_columns + static_cast<int>(i));
  return usage;
}

/// What became known, by request.
Result<std::map<std::int64_t, double>> outcomes_of(Ledger& ledger, bool& has_outcomes) {
  std::map<std::int64_t, double> known;
  TOLLGATE_TRY(const std::int64_t tables,
               ledger.number("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'outcome'"));
  has_outcomes = tables > 0;
  if (!has_outcomes) return known;
  TOLLGATE_TRY(ledger.each(outcomes_sql, [&](sqlite3_stmt* row) {
    for (int column = first_outcome_column; column <= last_outcome_column; ++column) {
      if (sqlite3_column_type(row, column) == SQLITE_NULL) continue;
      known[sqlite3_column_int64(row, 0)] = std::clamp(sqlite3_column_double(row, column), 0.0, 1.0);
      return;
    }
  }));
  return known;
}

}  // namespace

Result<RecordedScores> recorded_scores(const ScoresQuestion& question) {
  Ledger ledger(question);
  TOLLGATE_TRY(ledger.open());
  RecordedScores out;
  TOLLGATE_TRY(const auto outcomes, outcomes_of(ledger, out.has_outcomes));
  const auto is_asked = [&](const std::string& route) {
    return std::find(question.routes.begin(), question.routes.end(), route) != question.routes.end();
  };
  std::int64_t asked = 0;
  TOLLGATE_TRY(ledger.each(others_sql, [&](sqlite3_stmt* row) {
    (is_asked(text_in(row, 0)) ? asked : out.other_routes) += sqlite3_column_int64(row, 1);
  }));
  std::int64_t last = 0;
  bool last_kept = false;
  TOLLGATE_TRY(ledger.each(requests_sql, [&](sqlite3_stmt* row) {
    if (!is_asked(text_in(row, 2))) return;
    const std::int64_t id = sqlite3_column_int64(row, 0);
    const bool same = id == last;  // a later attempt of the request that came before: it is the one that answered
    last = id;
    if (sqlite3_column_int(row, 4) != 0) {
      out.constrained += same ? 0 : 1;
      last_kept = false;
      return;
    }
    if (same && last_kept) out.requests.pop_back();
    RecordedScore request{sqlite3_column_int(row, 1), text_in(row, 3), usage_in(row), std::nullopt};
    if (const auto known = outcomes.find(id); known != outcomes.end()) request.quality = known->second;
    out.requests.push_back(std::move(request));
    last_kept = true;
  }));
  out.without_usage = asked - out.constrained - static_cast<std::int64_t>(out.requests.size());
  TOLLGATE_TRY(ledger.each(pools_sql, [&](sqlite3_stmt* row) {
    const Int128 high = sqlite3_column_int64(row, 1), low = sqlite3_column_int64(row, 2);
    out.pools[text_in(row, 0)] = {UsdSum{high * (std::int64_t{1} << 32) + low}, sqlite3_column_int64(row, 3)};
  }));
  return out;
}

}  // namespace tollgate::advice
