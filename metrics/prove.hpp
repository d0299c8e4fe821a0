#pragma once
// The auditor's question, answered from the ledger: where did every attempt go that a constraint covered? Judged by
// what was recorded with the request (the constraint as it was, the backend's trust and labels as they were), not by
// today's configuration. Reads only, also while a gateway writes.
//
//    Result<Proof> proof = prove("tollgate.db", {"phi-stays-home", since, until}, [](const ProvedAttempt& a) { … });

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "config/ledger_place.hpp"
#include "config/result.hpp"

namespace tollgate {

enum class Verdict : std::uint8_t {
  inside,       ///< the backend satisfied the constraint
  masked,       ///< it did not, and was sent masked text, as the constraint says
  outside,      ///< it did not, or nothing is known of it
  not_recorded  ///< the constraint was not there, or the program did not record it yet
};
[[nodiscard]] std::string_view name_of(Verdict verdict) noexcept;

struct ProofQuestion {
  std::string constraint;
  std::int64_t since_us = 0, until_us = 0;  ///< requests that arrived in [since, until)
  bool not_recorded_too = false;            ///< list those attempts as well
};

struct ProvedAttempt {
  std::string request;
  std::int64_t started_us = 0;
  int number = 0;          ///< 0: no attempt, the response cache gave what the target had answered before
  bool cached = false;     ///< so
  std::string target;
  std::string stood;   ///< "internal, region=eu", as it was then; "": not recorded
  std::string wanted;  ///< "trust=internal", "reject", "mask unless trust=internal", as it was then
  std::string result;
  bool recovered = false;  ///< the request was settled at a restart
  Verdict verdict = Verdict::inside;
};

struct Proof {
  std::int64_t requests = 0;                         ///< covered
  std::int64_t refused = 0;                          ///< of those, without any attempt: nothing was sent
  std::int64_t recovered = 0;                        ///< of those, settled at a restart
  std::int64_t inside = 0, masked = 0, outside = 0;  ///< attempts of covered requests
  std::int64_t cached = 0;                           ///< of those, answers of the response cache; not attempts
  std::int64_t not_covered = 0;                      ///< requests on which the constraint was asked and did not apply
  std::int64_t not_recorded_requests = 0, not_recorded_attempts = 0;
  std::int64_t not_recorded_first_us = 0, not_recorded_last_us = 0;
  std::int64_t folded_attempts = 0;  ///< of the period's days that are kept as sums only: not recorded either
  std::set<std::string> known;       ///< constraints that the ledger knows of in the period
};

using OnProved = std::function<void(const ProvedAttempt&)>;
[[nodiscard]] Result<Proof> prove(const LedgerPlace& ledger, const ProofQuestion& question,
                                  const OnProved& on_attempt);

}  // namespace tollgate
