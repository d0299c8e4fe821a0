#pragma once
// The ledger's requests as they are decided and served again: what routing saw of each, what its attempts used, took and cost.
// Reads only, also while a gateway writes. Names of the ledger become names of this process.
//
//    Result<Traffic> traffic = read_traffic({path, since_us, until_us}, [](std::int64_t done, std::int64_t all) { … });

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "config/ledger_place.hpp"
#include "config/result.hpp"
#include "metrics/decision_facts.hpp"
#include "metrics/pool_lines.hpp"
#include "metrics/records.hpp"

namespace tollgate::simulate {

struct RecordedTry {
  NameId target{};
  RowResult result;
  UsageSource usage_source = UsageSource::none;
  Pricing pricing = Pricing::not_billed;
  PoolMethod pool_method = PoolMethod::none;
  Usage usage;
  Usd charge;                        ///< all kinds
  Usd gpu;                           ///< of which: the share of a pool
  std::int64_t started_after_us = 0, ended_after_us = 0;
  std::int64_t first_token_after_us = -1;   ///< -1: none came

  [[nodiscard]] std::int64_t took_us() const noexcept { return ended_after_us - started_after_us; }
};

/// What became known of the answer.
enum class Judged : std::uint8_t { unknown, good, bad };

struct RecordedRequest {
  RequestId id{};
  std::int64_t arrived_us = 0, duration_us = 0;
  NameId model{}, route{}, team{}, key{}, target{};
  float score = 0;                   ///< as recorded, in millionths; DecisionFacts::score is exact
  Tier tier = Tier::simple;
  Surface surface = Surface::chat;
  bool stream = false, recovered = false;
  bool has_facts = false;
  Judged judged = Judged::unknown;
  RowResult result;
  std::uint8_t tries = 0;
  std::uint32_t first_try = 0;       ///< index into Traffic::tries
  std::int32_t input_bytes = 0;
  NameId rules{};                    ///< none: there were no constraints
  std::uint64_t covered = 0;
  DecisionFacts facts;               ///< where has_facts
};

/// What a pool was billed in the period, as recorded: hours that begin in it.
struct RecordedPool {
  std::string pool;
  PoolLines lines;
};

struct Traffic {
  std::int64_t since_us = 0, until_us = 0;   ///< what was asked for
  std::vector<RecordedRequest> requests;     ///< by arrival
  std::vector<RecordedTry> tries;
  std::vector<RecordedPool> pools;
  std::int64_t cached_requests = 0;          ///< answered by the response cache: not in `requests`
  std::int64_t folded_requests = 0;          ///< of the period, kept as daily sums only: cannot be replayed
  std::int64_t left_out = 0;                 ///< of the period, before since_us: more than requests_max
  bool of_all_gateways = false;              ///< of a ledger that several write: they have a divided pool's hardware together
  std::map<std::uint32_t, std::int64_t> scored_by;   ///< requests by the complexity model (Model::id()) that scored them, where that is known

  [[nodiscard]] const RecordedTry* tries_of(const RecordedRequest& request) const noexcept { return tries.data() + request.first_try; }
  /// Requests whose recorded score is another complexity model's: what this one would say cannot be known without their text.
  [[nodiscard]] std::int64_t scored_by_others(std::uint32_t model) const noexcept;
  /// When something happened: from the first arrival to the last end, within what was asked for.
  [[nodiscard]] std::int64_t began_us() const noexcept;
  [[nodiscard]] std::int64_t ended_us() const noexcept;
};

/// The answer's tokens: those of the last attempt of which they are known, but for one that a hedge lost; nullptr: of none.
[[nodiscard]] const RecordedTry* answering(const RecordedRequest& request, const RecordedTry* tries) noexcept;

/// The hardware that the traffic's gateways have of a pool: their part of it, or all.
[[nodiscard]] Pool hardware_of(const Pool& pool, const Traffic& traffic);
/// Refused by what is not replayed: rate limits, budgets, the client's own bound, a gateway that stopped.
[[nodiscard]] bool refused_for_good(const RecordedRequest& request) noexcept;
/// The same prompt where nothing of it is cached.
[[nodiscard]] Usage without_cache(const Usage& usage) noexcept;

struct TrafficQuestion {
  LedgerPlace ledger;
  std::int64_t since_us = 0, until_us = 0;
  std::int64_t requests_max = 0;     ///< only the last so many, in one piece: Traffic::since_us says from when on; 0: all
};
using OnProgress = std::function<void(double share)>;
[[nodiscard]] Result<Traffic> read_traffic(const TrafficQuestion& question, const OnProgress& on_progress = {});

}  // namespace tollgate::simulate
