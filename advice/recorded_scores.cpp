#include "advice/recorded_scores.hpp"

#include <algorithm>
#include <memory>

#include "metrics/ledger_source.hpp"

namespace tollgate::advice {
namespace {

constexpr int oldest_schema = 4;  // the first that says which requests a constraint covered

// Requests that the gateway itself made (shadow evaluations, judges) are not traffic. One row per attempt whose usage is known; the last of a request is the answer the client got.
constexpr const char* requests_sql = R"sql(
SELECT r.id, r.complexity_ppm, ro.text, ta.text, CASE WHEN coalesce(c.covered, 0) <> 0 THEN 1 ELSE 0 END,
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
SELECT o.request, min(CASE WHEN o.source = 0 THEN coalesce(o.score_ppm, CASE WHEN o.verdict = 0 THEN 1000000 ELSE 0 END) END),
       min(CASE WHEN o.source = 2 THEN coalesce(o.score_ppm, CASE WHEN o.verdict = 0 THEN 1000000 ELSE 0 END) END),
       min(CASE WHEN o.source = 1 AND o.verdict > 2 THEN 0 END)
FROM outcome o JOIN request r ON r.id = o.request
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 GROUP BY 1
)sql";
constexpr int first_outcome_column = 1, last_outcome_column = 3;

class Ledger {
 public:
  explicit Ledger(const ScoresQuestion& question) : question_(question) {}

  Result<void> open() {
    TOLLGATE_TRY(source_, LedgerSource::open(question_.ledger, oldest_schema));
    return source_->snapshot();
  }
  Result<bool> has_table(const std::string& table) { return source_->has_table(table); }

  /// Calls `row` for each row of a query about the period.
  template <class Row>
  Result<void> each(const char* sql, const Row& row) {
    const auto rows = source_->query(sql, LedgerSource::Bring::streamed);
    rows->bind(1, question_.since_us);
    rows->bind(2, question_.until_us);
    for (;;) {
      TOLLGATE_TRY(const bool more, rows->next());
      if (!more) return success();
      row(*rows);
    }
  }

 private:
  const ScoresQuestion& question_;
  std::unique_ptr<LedgerSource> source_;
};

Usage usage_in(const LedgerQuery& row) {
  const auto tokens = [&](int column) { return TokenCount{row.number(first_token_column + column)}; };
  Usage usage;
  usage.input = tokens(0);
  usage.cached_input = tokens(1);
  usage.cache_write = tokens(2);
  usage.output = tokens(3);
  usage.reasoning = tokens(4);
  usage.web_searches = static_cast<std::int32_t>(tokens(5).count());
  for (std::size_t i = 0; i < rare_class_count; ++i)
    usage.rare[i] = static_cast<std::int32_t>(row.number(rare_columns + static_cast<int>(i)));
  return usage;
}

/// What became known, by request.
Result<std::map<std::int64_t, double>> outcomes_of(Ledger& ledger, bool& has_outcomes) {
  std::map<std::int64_t, double> known;
  TOLLGATE_TRY(has_outcomes, ledger.has_table("outcome"));
  if (!has_outcomes) return known;
  TOLLGATE_TRY(ledger.each(outcomes_sql, [&](const LedgerQuery& row) {
    for (int column = first_outcome_column; column <= last_outcome_column; ++column) {
      if (row.is_null(column)) continue;
      known[row.number(0)] = std::clamp(static_cast<double>(row.number(column)) / 1e6, 0.0, 1.0);
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
  TOLLGATE_TRY(ledger.each(others_sql, [&](const LedgerQuery& row) {
    (is_asked(std::string(row.text(0))) ? asked : out.other_routes) += row.number(1);
  }));
  std::int64_t last = 0;
  bool last_kept = false;
  TOLLGATE_TRY(ledger.each(requests_sql, [&](const LedgerQuery& row) {
    if (!is_asked(std::string(row.text(2)))) return;
    const std::int64_t id = row.number(0);
    const bool same = id == last;  // a later attempt of the request that came before: it is the one that answered
    last = id;
    if (row.number(4) != 0) {
      out.constrained += same ? 0 : 1;
      last_kept = false;
      return;
    }
    if (same && last_kept) out.requests.pop_back();
    RecordedScore request{static_cast<std::int32_t>(row.number(1)), std::string(row.text(3)), usage_in(row), std::nullopt};
    if (const auto known = outcomes.find(id); known != outcomes.end()) request.quality = known->second;
    out.requests.push_back(std::move(request));
    last_kept = true;
  }));
  out.without_usage = asked - out.constrained - static_cast<std::int64_t>(out.requests.size());
  TOLLGATE_TRY(ledger.each(pools_sql, [&](const LedgerQuery& row) {
    const Int128 high = row.number(1), low = row.number(2);
    out.pools[std::string(row.text(0))] = {UsdSum{high * (std::int64_t{1} << 32) + low}, row.number(3)};
  }));
  return out;
}

}  // namespace tollgate::advice
