#include "advice/ledger_workload.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "metrics/ledger_source.hpp"
#include "metrics/records.hpp"

namespace tollgate::advice {
namespace {

// Totals are those of metrics/usage.hpp: classes are disjoint.
constexpr const char* sql = R"sql(
SELECT n.text, r.arrived_us,
       a.input + a.cached_input + a.cache_write + a.cache_write_1h + a.input_audio + a.cached_input_audio + a.input_image + a.cached_input_image,
       a.output + a.output_audio + a.output_image, CASE WHEN coalesce(c.covered, 0) <> 0 THEN 1 ELSE 0 END
FROM request r JOIN attempt a ON a.request = r.id JOIN name n ON n.id = a.target JOIN name re ON re.id = a.result LEFT JOIN coverage c ON c.request = r.id
WHERE r.id >= ?4 AND r.arrived_us >= ?1 AND r.arrived_us < ?2 AND a.usage_source > 0 AND re.text <> 'hedge_lost' AND ((r.flags >> 2) & 3) = 0 AND (?3 = '' OR n.text = ?3)
ORDER BY r.id, a.number
)sql";

constexpr std::int64_t hour_us = 3'600'000'000, day_us = 24 * hour_us;

/// Of any request; `until_us`: there is none.
Result<std::int64_t> first_arrival(const LedgerQuestion& question, LedgerSource& ledger) {
  const auto rows = ledger.query("SELECT arrived_us FROM request ORDER BY id LIMIT 1");
  TOLLGATE_TRY(const bool found, rows->next());
  return found ? rows->number(0) : question.until_us;
}

}  // namespace

Result<std::vector<Workload>> ledger_workloads(const LedgerQuestion& question) {
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(question.ledger));
  TOLLGATE_TRY(ledger->snapshot());
  TOLLGATE_TRY(const std::int64_t first, first_arrival(question, *ledger));
  const std::int64_t since_us = std::max(question.since_us, std::min(first, question.until_us - hour_us));
  const auto rows = ledger->query(sql, LedgerSource::Bring::streamed);
  rows->bind(1, since_us);
  rows->bind(2, question.until_us);
  rows->bind(3, question.target);
  rows->bind(4, static_cast<std::int64_t>(lowest_request_id_at(since_us)));
  std::map<std::string, Workload> by_target;
  for (;;) {
    TOLLGATE_TRY(const bool more, rows->next());
    if (!more) break;
    Workload& workload = by_target[std::string(rows->text(0))];
    const std::int64_t at = rows->number(1) - since_us;
    const std::int64_t input = rows->number(2), output = rows->number(3);
    ++workload.requests;
    workload.input_tokens += input;
    workload.output_tokens += output;
    workload.constrained += rows->number(4);
    const auto day = static_cast<std::size_t>(at / day_us);
    if (workload.tokens_by_day.size() <= day) workload.tokens_by_day.resize(day + 1);
    workload.tokens_by_day[day] += input + output;
    if (workload.requests > arrivals_max) continue;
    workload.arrivals.push_back({at, static_cast<std::int32_t>(input), static_cast<std::int32_t>(output)});
    if (workload.requests == arrivals_max) workload.arrivals_us = at;
  }
  std::vector<Workload> out;
  for (auto& [target, workload] : by_target) {
    workload.model = target;
    workload.source = "ledger " + question.ledger.shown();
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
