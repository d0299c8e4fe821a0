#pragma once
// What the ledger keeps: one RequestRow per request and one AttemptRow per attempt, as trivially copyable records, because they
// live in a memory-mapped slot from the moment a request is opened until its rows are committed (metrics/ledger_slots.hpp): a
// process killed at any point loses none of them. Text is a NameId; times are microseconds since the Unix epoch.

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "config/config.hpp"
#include "metrics/charge.hpp"
#include "metrics/decision_facts.hpp"
#include "metrics/request_notes.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

/// A request's identity: 41 bits of milliseconds since 2025, 8 of reactor, 7 of gateway, 7 of sequence: unique and nearly rising,
/// hence a cheap row id.
enum class RequestId : std::int64_t {};
inline constexpr unsigned reactors_max = 256;
/// So many gateways at a time can write one ledger.
inline constexpr unsigned gateways_max = 128;
/// A new id, never given before: not by another reactor, not by an earlier run of this ledger, not when the clock is set back (then
/// the milliseconds stand still or run ahead of it). Any thread; lock-free.
[[nodiscard]] RequestId next_request_id(unsigned reactor) noexcept;
/// The same with the time as an argument, in microseconds since the Unix epoch.
[[nodiscard]] RequestId next_request_id(unsigned reactor, std::int64_t now_us) noexcept;
/// Ids given from now on are this gateway's, which no other that writes the same ledger has. 0 at first: it is the only one.
void set_request_gateway(unsigned gateway) noexcept;
[[nodiscard]] unsigned gateway_of(RequestId id) noexcept;
/// Ids given from now on are above `used`: what the ledger already holds.
void raise_request_ids_above(RequestId used) noexcept;
/// Every request that arrived at or after `time_us` (microseconds since the Unix epoch) has this id or a higher one.
[[nodiscard]] RequestId lowest_request_id_at(std::int64_t time_us) noexcept;
/// "req_" and 13 characters of Crockford's base 32, as clients and logs see it.
struct RequestIdText {
  std::array<char, 17> chars;
  [[nodiscard]] std::string_view view() const noexcept { return {chars.data(), chars.size()}; }
};
[[nodiscard]] RequestIdText text(RequestId id) noexcept;
/// The reverse; nullopt if it is not the text of an id.
[[nodiscard]] std::optional<RequestId> request_id_of(std::string_view text) noexcept;

/// A Fault, or ok.
struct RowResult {
  std::uint8_t value = 255;
  static constexpr RowResult ok() noexcept { return {}; }
  static constexpr RowResult of(Fault fault) noexcept { return RowResult{static_cast<std::uint8_t>(fault)}; }
  [[nodiscard]] constexpr bool is_ok() const noexcept { return value == 255; }
  /// An attempt that was cut off because another of its request answered first: neither an answer nor a failure.
  [[nodiscard]] constexpr bool is_lost_hedge() const noexcept { return value == static_cast<std::uint8_t>(Fault::hedge_lost); }
  [[nodiscard]] std::string_view name() const noexcept { return is_ok() ? "ok" : facts_of(static_cast<Fault>(value)).name; }
};

// The numbers of the enums below stand in ledgers: values are added at the end, never changed.

/// How a charge of kind `gpu` was attributed.
enum class PoolMethod : std::uint8_t { none, time, tokens, reported };
/// Whether the money of an attempt is known.
enum class Pricing : std::uint8_t { priced, unpriced, not_billed };

struct AttemptRow {
  NameId target{};
  std::uint8_t number = 0;               ///< 1, 2 …
  RowResult result;
  UsageSource usage_source = UsageSource::none;
  PoolMethod pool_method = PoolMethod::none;
  Pricing pricing = Pricing::not_billed;
  bool ended = false;
  std::int16_t http_status = 0;          ///< the upstream's; 0: none came
  NameId service_tier{};                 ///< as the answer named it; none if it did not
  std::int64_t started_us = 0, first_token_us = 0, ended_us = 0;   ///< 0: did not happen
  Usage usage;
  Charge charge;
};

/// Whom a request serves: a client, or the gateway itself, after a client was served or to wake a pool. Two bits in the ledger.
enum class Purpose : std::uint8_t { client, shadow, judge, warm_up };
[[nodiscard]] std::string_view name_of(Purpose purpose) noexcept;

struct RequestRow {
  RequestId id{};
  std::int64_t arrived_us = 0, ended_us = 0;
  NameId model{};                        ///< as asked for, if configured; else "other"
  NameId route{}, team{}, key{};
  NameId target{};                       ///< whose answer the client got
  float complexity = 0;                  ///< a score in [0,1]: not money
  Tier tier = Tier::simple;
  Surface surface = Surface::chat;
  bool stream = false;
  RowResult result;
  std::int16_t http_status = 0;          ///< what the client got; 0: nothing could be sent
  std::uint8_t attempts = 0;
  bool recovered = false;                ///< settled at a restart from what was known
  std::int32_t input_bytes = 0;          ///< of the body
  NameId rules{};                        ///< Config::rules it was decided by; none: there were no constraints
  std::uint64_t covered = 0;             ///< which of them covered it, in their order
  std::uint8_t masked = 0;               ///< bit i: attempt i + 1 was sent masked text
  Purpose purpose = Purpose::client;
  bool cached_masked = false;            ///< … and was sent masked text
  bool saved_known = false;
  NameId cached_from{};                  ///< whose answer it was, if the response cache gave it: no attempt was made
  RequestId cached_origin{};             ///< the request that answer was made for
  Usd saved;                             ///< what the attempt was charged that made it, if that is known
};
static_assert(std::is_trivially_copyable_v<AttemptRow> && std::is_trivially_copyable_v<RequestRow>);

/// As many as `attempts_max` may be; a slot of 2 KiB holds no more.
inline constexpr unsigned attempts_per_request_max = attempts_max_limit;

/// A request between open() and settle(); lives in a ledger slot. Only Books makes and ends one.
struct OpenRequest {
  RequestRow row;
  std::array<AttemptRow, attempts_per_request_max> attempts;
  DecisionFacts facts;
  RequestNotes notes;
  [[nodiscard]] AttemptRow& current() noexcept { return attempts[row.attempts - 1U]; }
  [[nodiscard]] Usd total() const noexcept;   ///< over all attempts so far
};

/// `facts.of` is set here, last.
inline void write_facts(OpenRequest& request, const DecisionFacts& facts) noexcept {
  request.facts = facts;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  request.facts.of = request.row.id;
}

/// Puts notes into an open request; `notes.of` is set here, last.
inline void write_notes(OpenRequest& request, const RequestNotes& notes) noexcept {
  request.notes = notes;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  request.notes.of = request.row.id;
}

}  // namespace tollgate
