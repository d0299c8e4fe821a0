#include "advice/ledger_workload.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "metrics/ledger_source.hpp"

namespace tollgate::advice {
namespace {

// Totals are those of metrics/usage.hpp: classes are disjoint.
constexpr const char* sql = R"sql(
SELECT n.text, r.arrived_us,
       a.input + a.cached_input + a.cache_write + a.cache_write_1h + a.input_audio + a.cached_input_audio + a.input_image + a.cached_input_image,
       a.output + a.output_audio + a.output_image, CASE WHEN coalesce(c.covered, 0) <> 0 THEN 1 ELSE 0 END
FROM request r JOIN attempt a ON a.request = r.id JOIN name n ON n.id = a.target LEFT JOIN coverage c ON c.request = r.id
WHERE r.arrived_us >= ?1 AND r.arrived_us < ?2 AND a.usage_source > 0 AND ((r.flags >> 2) & 3) = 0 AND (?3 = '' OR n.text = ?3)
ORDER BY r.arrived_us, r.id, a.number
)sql";

}  // namespace

Result<std::vector<Workload>> ledger_workloads(const LedgerQuestion& question) {
  TOLLGATE_TRY(const std::unique_ptr<LedgerSource> ledger, LedgerSource::open(question.ledger));
  TOLLGATE_TRY(ledger->snapshot());
  const auto rows = ledger->query(sql, LedgerSource::Bring::streamed);
  rows->bind(1, question.since_us);
  rows->bind(2, question.until_us);
  rows->bind(3, question.target);
  std::map<std::string, Workload> by_target;
  for (;;) {
    TOLLGATE_TRY(const bool more, rows->next());
    if (!more) break;
    Workload& workload = by_target[std::string(rows->text(0))];
    const std::int64_t at = rows->number(1) - question.since_us;
    const std::int64_t input = rows->number(2), output = rows->number(3);
    ++workload.requests;
    workload.input_tokens += input;
    workload.output_tokens += output;
    workload.constrained += rows->number(4);
    if (workload.requests > arrivals_max) continue;
    workload.arrivals.push_back({at, static_cast<std::int32_t>(input), static_cast<std::int32_t>(output)});
    if (workload.requests == arrivals_max) workload.arrivals_us = at;
  }
  std::vector<Workload> out;
  for (auto& [target, workload] : by_target) {
    workload.model = target;
    workload.source = "ledger " + question.ledger.shown();
    workload.measured = true;
    workload.window_us = question.until_us - question.since_us;
    if (workload.requests < arrivals_max) workload.arrivals_us = workload.window_us;
    out.push_back(std::move(workload));
  }
  std::stable_sort(out.begin(), out.end(), [](const Workload& a, const Workload& b) { return a.tokens() > b.tokens(); });
  return out;
}

}  // namespace tollgate::advice
