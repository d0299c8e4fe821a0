#pragma once
// One reactor's books: the only writer of money. Every change to a slot is made in an order that leaves something
// sensible behind if the process dies between any two stores (metrics/recovery.hpp reads it).

#include <boost/unordered/unordered_flat_map.hpp>

#include "metrics/learned.hpp"
#include "metrics/ledger_thread.hpp"
#include "metrics/pools.hpp"
#include "metrics/shard.hpp"

namespace tollgate {

class ReactorBooks final : public Books {
 public:
  ReactorBooks(LedgerThread& ledger, unsigned reactor, Pools& pools, const MonoClock& clock);

  OpenRequest* open(const RequestOpened& opened) noexcept override;
  bool can_record() const noexcept override { return ledger_.writable(); }
  void decided(OpenRequest& request, NameId route, float complexity, Tier tier) noexcept override;
  void covered(OpenRequest& request, NameId rules, std::uint64_t covered) noexcept override;
  void will_mask(OpenRequest& request) noexcept override;
  void begin_attempt(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                     std::string_view service_tier = {}) noexcept override;
  bool begin_hedge(OpenRequest& request, const Target& target, const Backend& backend, MonoTime now,
                   std::string_view service_tier = {}) noexcept override;
  void progress(OpenRequest& request, const Usage& usage, UsageSource source, std::uint8_t number = 0) noexcept override;
  void first_token(OpenRequest& request, MonoTime now, std::uint8_t number = 0) noexcept override;
  const Charge& end_attempt(OpenRequest& request, const AttemptEnd& end, MonoTime now) noexcept override;
  void settle(OpenRequest& request, const RequestClosing& closing) noexcept override;
  void refused(RowResult result) noexcept override { shard_.refused(result); }
  bool record(Outcome outcome, OutcomeDone done) override;
  Learned learned(NameId target) const noexcept override;
  void learn(NameId target, std::int64_t input_text_bytes, std::int64_t output_text_bytes,
             const Usage& exact) noexcept override;

  [[nodiscard]] const Shard& shard() const noexcept { return shard_; }

 private:
  [[nodiscard]] GpuPool& pool_of(const Pool& pool, MonoTime now);
  [[nodiscard]] std::int64_t wall_us(MonoTime now) noexcept;
  void note_reported(const AttemptRow& attempt, const AttemptPrices& prices) noexcept;
  void learn_times(const RequestRow& row, const AttemptRow& attempt, MonoTime now) noexcept;
  void add_attempt(OpenRequest& request, LedgerSlot& kept_in, const Target& target, const Backend& backend, MonoTime now,
                   std::string_view service_tier) noexcept;
  void end_open_attempts(OpenRequest& request, MonoTime now) noexcept;
  void join_pool(const RequestRow& row, LedgerSlot& slot, const Target& target, const Pool& pool, MonoTime now) noexcept;
  /// Takes the attempt out of its pool: its share, nothing if it used nothing, nullopt if nobody knows.
  [[nodiscard]] std::optional<Usd> leave_pool(LedgerSlot& slot, const AttemptEnd& end, MonoTime now) noexcept;
  void note_usage(AttemptRow& attempt, LedgerSlot& slot, RequestId id, const Usage& usage, UsageSource source) noexcept;
  /// What the running attempt's progress means for its weight in its pool.
  void progress_in_pool(LedgerSlot& slot, const AttemptRow& attempt, RequestId id, std::int64_t output_tokens, MonoTime now) noexcept;

  LedgerThread& ledger_;
  LedgerSlots& slots_;
  Pools& pools_;
  const MonoClock& clock_;

  Shard shard_;
  boost::unordered_flat_map<NameId, GpuPool*> pools_known_;
  boost::unordered_flat_map<NameId, LearnedSums> learned_;
  MonoTime wall_read_at_{};
  std::int64_t wall_minus_mono_us_ = 0;
};

}  // namespace tollgate
