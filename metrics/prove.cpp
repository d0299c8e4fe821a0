#include "metrics/prove.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "config/rules.hpp"
#include "metrics/ledger_schema.hpp"
#include "metrics/ledger_source.hpp"
#include "metrics/records.hpp"

namespace tollgate {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;
constexpr std::int64_t recovered_flag = 2;  // of request.flags

/// "trust=internal, region=eu|ch"
std::string words_of(const RecordedRules::Rule& rule) {
  std::string words;
  if (rule.trust) words = *rule.trust == Trust::internal ? "trust=internal" : "trust=external";
  for (const auto& [label, values] : rule.labels) {
    words.append(words.empty() ? "" : ", ").append(label).append("=");
    for (std::size_t i = 0; i < values.size(); ++i) words.append(i == 0 ? "" : "|").append(values[i]);
  }
  if (rule.action == ConstraintAction::reject) return "reject";
  return rule.action == ConstraintAction::mask ? "mask unless " + words : words;
}

/// The rules of one configuration, as far as one constraint goes.
struct Known {
  std::optional<RecordedRules> rules;
  std::size_t bit = 0;
  const RecordedRules::Rule* rule = nullptr;  ///< nullptr: the constraint was not there
  std::string wanted;
};

class Prover {
 public:
  Prover(const LedgerPlace& place, const ProofQuestion& question, const OnProved& on_attempt)
      : place_(place), question_(question), on_attempt_(on_attempt) {}

  Result<Proof> run() {
    TOLLGATE_TRY(open());
    TOLLGATE_TRY(walk());
    TOLLGATE_TRY(count_folded());
    return std::move(proof_);
  }

 private:
  Result<void> open() {
    TOLLGATE_TRY(source_, LedgerSource::open(place_));
    TOLLGATE_TRY(source_->snapshot());
    TOLLGATE_TRY(has_coverage_, source_->has_table("coverage"));
    TOLLGATE_TRY(has_cached_, source_->has_table("cached"));
    TOLLGATE_TRY(has_daily_, source_->has_table("daily"));
    return success();
  }

  Result<void> walk() {
    const std::string columns = has_coverage_ ? "c.rules,c.covered,c.masked" : "NULL,NULL,NULL";
    const std::string from_cache = has_cached_ ? "(SELECT k.target FROM cached k WHERE k.request=r.id)" : "NULL";
    const std::string join = has_coverage_ ? " LEFT JOIN coverage c ON c.request=r.id" : "";
    const auto rows = source_->query("SELECT r.id,r.arrived_us,r.flags,r.attempts," + columns + "," + from_cache + " FROM request r" + join +
                                  " WHERE r.id>=?3 AND r.arrived_us>=?1 AND r.arrived_us<?2 ORDER BY r.id",
                                     LedgerSource::Bring::streamed);
    LedgerQuery& requests = *rows;
    requests.bind(1, question_.since_us);
    requests.bind(2, question_.until_us);
    requests.bind(3, static_cast<std::int64_t>(lowest_request_id_at(question_.since_us)));
    const auto of_request = source_->query(
                       "SELECT a.number,a.started_after_us,t.text,n.text FROM attempt a JOIN name t ON t.id=a.target "
                       "JOIN name n ON n.id=a.result WHERE a.request=?1 ORDER BY a.number");
    LedgerQuery& attempts = *of_request;
    // An answer of the cache was an answer of its target: the constraint was asked again before it was given.
    const auto from_memory = source_->query(
        has_cached_ ? "SELECT 0,0,t.text,'ok',k.masked FROM cached k JOIN name t ON t.id=k.target WHERE k.request=?1" : "SELECT 1 WHERE ?1=0");
    LedgerQuery& cached = *from_memory;
    for (;;) {
      TOLLGATE_TRY(const bool more, requests.next());
      if (!more) return success();
      const Known* known = nullptr;
      if (!requests.is_null(4)) {
        TOLLGATE_TRY(known, rules_of(requests.number(4)));
      }
      const bool recorded = known != nullptr && known->rule != nullptr;
      if (!recorded) {
        not_recorded(requests.number(1), requests.number(3));
        if (!question_.not_recorded_too) continue;
      } else if (((static_cast<std::uint64_t>(requests.number(5)) >> known->bit) & 1U) == 0) {
        ++proof_.not_covered;
        continue;
      } else {
        ++proof_.requests;
        if (requests.number(3) == 0 && requests.is_null(7)) ++proof_.refused;
        if ((requests.number(2) & recovered_flag) != 0) ++proof_.recovered;
      }
      attempts.reset();
      attempts.bind(1, requests.number(0));
      for (;;) {
        TOLLGATE_TRY(const bool another, attempts.next());
        if (!another) break;
        judge(requests, attempts, recorded ? known : nullptr);
      }
      if (requests.is_null(7)) continue;
      cached.reset();
      cached.bind(1, requests.number(0));
      TOLLGATE_TRY(const bool answered, cached.next());
      if (answered) judge(requests, cached, recorded ? known : nullptr);
    }
  }

  void not_recorded(std::int64_t arrived_us, std::int64_t attempts) {
    ++proof_.not_recorded_requests;
    proof_.not_recorded_attempts += attempts;
    if (proof_.not_recorded_first_us == 0) proof_.not_recorded_first_us = arrived_us;
    proof_.not_recorded_last_us = arrived_us;
  }

  void judge(const LedgerQuery& request, const LedgerQuery& row, const Known* known) {
    ProvedAttempt attempt;
    attempt.request = text(RequestId{request.number(0)}).view();
    attempt.started_us = request.number(1) + row.number(1);
    attempt.number = static_cast<int>(row.number(0));
    attempt.target = row.text(2);
    attempt.result = row.text(3);
    attempt.recovered = (request.number(2) & recovered_flag) != 0;
    attempt.cached = attempt.number == 0;
    attempt.verdict = Verdict::not_recorded;
    if (known != nullptr) {
      attempt.wanted = known->wanted;
      const auto backend = known->rules->backends.find(attempt.target.substr(0, attempt.target.find('/')));
      const bool stands = backend != known->rules->backends.end();
      attempt.stood = stands ? backend->second.words() : "unknown";
      const bool satisfied = stands && known->rule->action != ConstraintAction::reject &&
                             RecordedRules::satisfies(backend->second, *known->rule);
      const bool was_masked = attempt.cached ? row.number(4) != 0 : ((request.number(6) >> (attempt.number - 1)) & 1) != 0;
      if (attempt.cached) ++proof_.cached;
      const bool mask_allowed = known->rule->action == ConstraintAction::mask && was_masked;
      attempt.verdict = satisfied ? Verdict::inside : mask_allowed ? Verdict::masked : Verdict::outside;
      ++(attempt.verdict == Verdict::inside   ? proof_.inside
         : attempt.verdict == Verdict::masked ? proof_.masked
                                              : proof_.outside);
    }
    on_attempt_(attempt);
  }

  /// Never nullptr; kept, for configurations are few.
  Result<const Known*> rules_of(std::int64_t name) {
    const auto [found, is_new] = known_.try_emplace(name);
    Known& known = found->second;
    if (!is_new) return &known;
    const auto text = source_->query("SELECT text FROM name WHERE id=?1");
    text->bind(1, name);
    TOLLGATE_TRY(const bool there, text->next());
    if (there) known.rules = RecordedRules::parse(std::string(text->text(0)));
    if (!known.rules) return &known;
    const auto& rules = known.rules->rules;
    for (const RecordedRules::Rule& rule : rules) proof_.known.insert(rule.name);
    const auto rule =
        std::find_if(rules.begin(), rules.end(), [&](const auto& each) { return each.name == question_.constraint; });
    if (rule == rules.end()) return &known;
    known.rule = &*rule;
    known.bit = static_cast<std::size_t>(rule - rules.begin());
    known.wanted = words_of(*rule);
    return &known;
  }

  Result<void> count_folded() {
    if (!has_daily_) return success();
    const auto sums = source_->query(
                   "SELECT coalesce(sum(d.high)*4294967296+sum(d.low),0) FROM daily d JOIN name n ON n.id=d.measure "
                   "WHERE n.text='" +
                       std::string(daily_attempts) + "' AND d.day>=?1 AND d.day<=?2");
    sums->bind(1, question_.since_us / day_us);
    sums->bind(2, question_.until_us / day_us);
    TOLLGATE_TRY(const bool there, sums->next());
    if (there) proof_.folded_attempts = sums->number(0);
    return success();
  }

  const LedgerPlace& place_;
  const ProofQuestion& question_;
  const OnProved& on_attempt_;
  std::unique_ptr<LedgerSource> source_;
  bool has_coverage_ = false, has_daily_ = false, has_cached_ = false;
  std::map<std::int64_t, Known> known_;
  Proof proof_;
};

}  // namespace

std::string_view name_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::inside:
      return "inside";
    case Verdict::masked:
      return "masked";
    case Verdict::outside:
      return "OUTSIDE";
    case Verdict::not_recorded:
      return "not recorded";
  }
  return "OUTSIDE";
}

Result<Proof> prove(const LedgerPlace& ledger, const ProofQuestion& question, const OnProved& on_attempt) {
  return Prover(ledger, question, on_attempt).run();
}

}  // namespace tollgate
