#include "metrics/outcomes_query.hpp"

#include <algorithm>
#include <cstring>

#include "metrics/ledger_source.hpp"

namespace tollgate {
namespace {

constexpr int learning_schema = 6;  // the first that has features and outcomes

/// Of a request `q` and its view `r`: the response cache answered it.
constexpr const char* from_cache = "q.attempts=0 AND r.result='ok'";

std::optional<OutcomeVerdict> verdict_in(const LedgerQuery& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  const std::int64_t value = row.number(column);
  if (value < 0 || value >= static_cast<std::int64_t>(verdict_count)) return std::nullopt;
  return static_cast<OutcomeVerdict>(value);
}

void bind_period(LedgerQuery& query, const OutcomePeriod& period) {
  query.bind(1, static_cast<std::int64_t>(lowest_request_id_at(period.since_us)));
  query.bind(2, period.since_us);
  query.bind(3, period.until_us);
}

JudgedRequest read_row(const LedgerQuery& row) {
  JudgedRequest judged;
  judged.id = RequestId{row.number(0)};
  judged.target = row.text(1);
  judged.features.version = static_cast<std::uint8_t>(row.number(2));
  const std::string_view blob = row.bytes(3).substr(0, feature_bytes_max);
  judged.features.size = static_cast<std::uint8_t>(blob.size());
  if (!blob.empty()) std::memcpy(judged.features.bytes.data(), blob.data(), blob.size());
  judged.feedback = verdict_in(row, 4);
  judged.format = verdict_in(row, 5);
  judged.judge = verdict_in(row, 6);
  return judged;
}

}  // namespace

Result<std::vector<JudgedRequest>> judged_requests(const LedgerPlace& place, std::int64_t since_us,
                                                   std::size_t rows_max) {
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(place, learning_schema));
  TOLLGATE_TRY(ledger->snapshot());
  constexpr const char* sql =
      "SELECT o.request,n.text,f.version,f.blob,max(CASE WHEN o.source=0 THEN o.verdict END),"
      "max(CASE WHEN o.source=1 THEN o.verdict END),max(CASE WHEN o.source=2 THEN o.verdict END) "
      "FROM outcome o JOIN request r ON r.id=o.request JOIN features f ON f.request=o.request "
      "LEFT JOIN name n ON n.id=r.target WHERE r.attempts>0 AND o.request>=?1 AND r.arrived_us>=?2 "
      "GROUP BY o.request,n.text,f.version,f.blob ORDER BY o.request DESC LIMIT ?3";
  const auto query = ledger->query(sql, LedgerSource::Bring::streamed);
  query->bind(1, static_cast<std::int64_t>(lowest_request_id_at(since_us)));
  query->bind(2, since_us);
  query->bind(3, static_cast<std::int64_t>(rows_max));
  std::vector<JudgedRequest> rows;
  for (;;) {
    TOLLGATE_TRY(const bool more, query->next());
    if (!more) break;
    rows.push_back(read_row(*query));
  }
  std::reverse(rows.begin(), rows.end());
  return rows;
}

Result<std::vector<OutcomeSum>> outcome_sums(const LedgerPlace& place, const OutcomePeriod& period) {
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(place, learning_schema));
  const auto bytewise = [&](const std::string& text) { return ledger->dialect().bytewise(text); };
  const std::string sql =
      "SELECT " + bytewise(std::string("CASE WHEN ") + from_cache + " THEN '(cache)' ELSE coalesce(r.target,'') END") + "," +
      bytewise("o.source") + "," + bytewise("o.verdict") +
      ",count(*),CASE WHEN count(t.score_ppm)=0 THEN NULL ELSE "
      "(2*CAST(sum(t.score_ppm) AS BIGINT)+count(t.score_ppm))/(2*count(t.score_ppm)) END "
      "FROM outcomes o JOIN requests r ON r.id=o.request_id JOIN request q ON q.id=o.request_id "
      "JOIN outcome t ON t.request=o.request_id AND t.source=CASE o.source WHEN 'feedback' THEN 0 WHEN 'format' THEN 1 "
      "ELSE 2 END"
      " WHERE q.id>=?1 AND q.arrived_us>=?2 AND q.arrived_us<?3 GROUP BY 1,2,3 ORDER BY 1,2,4 DESC,3";
  const auto query = ledger->query(sql);
  bind_period(*query, period);
  std::vector<OutcomeSum> sums;
  for (;;) {
    TOLLGATE_TRY(const bool more, query->next());
    if (!more) return sums;
    OutcomeSum& sum = sums.emplace_back();
    sum.target = query->text(0);
    sum.source = query->text(1);
    sum.verdict = query->text(2);
    sum.count = query->number(3);
    if (!query->is_null(4)) sum.score_ppm_mean = query->number(4);
  }
}

Result<std::vector<ListedOutcome>> list_outcomes(const LedgerPlace& place, const OutcomePeriod& period,
                                                 std::size_t rows_max) {
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(place, learning_schema));
  const std::string sql =
      std::string("SELECT o.request,o.at,r.arrived,CASE WHEN ") + from_cache +
      " THEN '(cache)' ELSE r.target END,r.team,r.tier,o.source,o.verdict,o.comment,o.score FROM outcomes o "
      "JOIN requests r ON r.id=o.request_id JOIN request q ON q.id=o.request_id "
      "WHERE q.id>=?1 AND q.arrived_us>=?2 AND q.arrived_us<?3 ORDER BY o.request_id DESC,o.source LIMIT ?4";
  const auto query = ledger->query(sql);
  bind_period(*query, period);
  query->bind(4, static_cast<std::int64_t>(rows_max));
  std::vector<ListedOutcome> rows;
  for (;;) {
    TOLLGATE_TRY(const bool more, query->next());
    if (!more) return rows;
    ListedOutcome& row = rows.emplace_back();
    int column = 0;
    for (std::string* const cell : {&row.request, &row.at, &row.arrived, &row.target, &row.team, &row.tier, &row.source,
                                    &row.verdict, &row.comment, &row.score}) {
      *cell = query->text(column++);
    }
  }
}

}  // namespace tollgate
