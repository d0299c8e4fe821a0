#pragma once
// Where a request lives from open() until its rows are committed: a slot in a memory-mapped file, one file per reactor,
// `<ledger>.<reactor>.slots`. The pages belong to the kernel, so a process killed at any point loses nothing that it
// wrote; the next start takes in what it finds (metrics/recovery.hpp). A machine that loses power may lose what was not
// yet committed.
//
//    LedgerSlot* slot = slots.take();      // nullptr: none is free
//    …write, in an order that makes sense at every point…
//    slots.settle(*slot);                  // checks, marks, hands it to the ledger thread
//
// A slot goes free → open → settled → free. While two attempts of a request are under way (a hedge) the second has a slot of
// its own, free → beside → free, of which only `request.row.id`, `running` and what belongs to it count.
// The reactor takes and settles; the ledger thread frees what it has
// committed. Between them two single-producer rings of slot numbers, each large enough for all slots: no call waits or
// fails. Free slots are handed out last in, first out, so that only as many pages are touched as were ever in use at
// once. Disk space for the whole file is reserved at start: a full disk then fails the start, not a store to memory.
//
// The file disappears at an orderly end, when every slot is free again.

#include <array>
#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "metrics/pricing.hpp"
#include "metrics/records.hpp"

namespace tollgate {

/// beside: of a second attempt of a request that has a slot of its own; holds what is under way of it, no rows.
enum class SlotState : std::uint32_t { free, open, settled, beside };

/// V of a pool as two plain words, with the check that makes it believable after a crash.
struct PoolValueSeen {
  std::uint64_t high = 0, low = 0;
  NameId pool{};
  std::uint32_t check = 0;
};

/// What it takes to price the attempt under way without the configuration it began with.
struct RunningAttempt {
  TokenRates rates;
  std::uint64_t pool_high = 0, pool_low = 0;  ///< GpuPool::Run::began_at
  std::uint64_t gpu_began_at = 0;             ///< of the same
  NameId pool{};
  std::uint32_t weight = 0;
  bool has_rates = false;
  PoolMethod pool_method = PoolMethod::none;  ///< none: the backend has no pool
  std::uint32_t check = 0;
};

/// The same run with the weight it has now; holds instead of what it began with once it is whole.
struct ReweighedRun {
  std::uint64_t pool_high = 0, pool_low = 0, gpu_began_at = 0;
  std::uint32_t weight = 0;
  std::uint32_t check = 0;
};

/// For the weights to come; of no use after a crash.
struct DecodeSeen {
  std::int64_t at_ns = 0;        ///< when `tokens` was known; 0: no token yet
  std::uint32_t tokens = 0;
  std::uint32_t prefill_us = 0;  ///< GpuPool::Run::prefill_us
};

/// The latest running usage a second time: one of the two copies is whole at every point.
struct ProgressCopy {
  Usage usage;
  UsageSource source = UsageSource::none;
  std::uint32_t check = 0;
};

struct alignas(2048) LedgerSlot {
  OpenRequest request;
  RunningAttempt running;
  ReweighedRun reweighed;
  DecodeSeen decode;
  PoolValueSeen seen;
  ProgressCopy progress;
  std::array<std::uint32_t, attempts_per_request_max> attempt_checks;  ///< of attempts that have ended
  std::uint64_t check;                                                 ///< of a settled request
  std::atomic<SlotState> state;
  LedgerSlot* beside;           ///< where the second of two attempts at once is kept; of no use after a crash
  std::uint8_t beside_number;   ///< that attempt's

  /// Where the attempt under way with this number is kept: here, or beside.
  [[nodiscard]] LedgerSlot& of_attempt(std::uint8_t number) noexcept {
    return beside != nullptr && beside_number == number ? *beside : *this;
  }
  /// The slot a request lives in: it is the slot's first member.
  [[nodiscard]] static LedgerSlot& of(OpenRequest& request) noexcept { return reinterpret_cast<LedgerSlot&>(request); }
};
static_assert(std::is_standard_layout_v<LedgerSlot>, "of() relies on the first member's address");
static_assert(sizeof(LedgerSlot) == 2048, "divides a page: no slot lies on two");

// Checks are 32 or 64 bits over the bytes as they stand, salted with the request's id so that what a slot held before
// is not taken for its own. They find damage, not malice.
[[nodiscard]] std::uint32_t check_of(const RunningAttempt& running, RequestId id, std::uint8_t number) noexcept;
[[nodiscard]] std::uint32_t check_of(const ReweighedRun& run, RequestId id, std::uint8_t number) noexcept;
[[nodiscard]] std::uint32_t check_of(const ProgressCopy& progress, RequestId id, std::uint8_t number) noexcept;
[[nodiscard]] std::uint32_t check_of(const PoolValueSeen& seen) noexcept;
[[nodiscard]] std::uint32_t check_of(const AttemptRow& attempt, RequestId id) noexcept;
/// Over the row and the attempt checks it covers.
[[nodiscard]] std::uint64_t check_of(const LedgerSlot& settled) noexcept;

/// The first page of a slot file.
struct SlotFileHeader {
  std::array<char, 8> magic{'T', 'O', 'L', 'L', 'S', 'L', 'O', 'T'};
  std::uint64_t layout = 0;  ///< slot_layout() of the program that wrote it
  std::uint32_t slots = 0;
  std::uint32_t reactor = 0;
  std::uint64_t check = 0;  ///< of the above

  [[nodiscard]] std::uint64_t expected_check() const noexcept;
};
inline constexpr std::size_t slot_header_bytes = 4096;
/// Changes whenever slots of one program cannot be read by another: sizes, layout version, the meaning of fault
/// numbers.
[[nodiscard]] std::uint64_t slot_layout() noexcept;
[[nodiscard]] std::string slot_file_path(const std::string& ledger_path, unsigned reactor);

/// One reactor's slots. take() and settle() on the reactor's thread; next_settled() and give_back() on the ledger
/// thread.
class LedgerSlots {
 public:
  /// Makes the file anew; what an earlier run left must have been taken in before.
  [[nodiscard]] static Result<std::unique_ptr<LedgerSlots>> create(const std::string& ledger_path, unsigned reactor,
                                                                   std::uint32_t count);
  ~LedgerSlots();
  LedgerSlots(const LedgerSlots&) = delete;
  LedgerSlots& operator=(const LedgerSlots&) = delete;

  [[nodiscard]] LedgerSlot* take() noexcept;
  /// A slot that nothing was settled in: free at once. The reactor's thread.
  void put_back(LedgerSlot& slot) noexcept;
  /// The last store of a request: from here on the slot belongs to the ledger thread.
  void settle(LedgerSlot& slot) noexcept;
  /// Settled and not yet taken up by the ledger thread. Either thread; sequentially consistent, see
  /// LedgerThread::settled().
  [[nodiscard]] std::int64_t settled_waiting() const noexcept {
    return settled_count_.load(std::memory_order_seq_cst) - taken_count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// To the disk, with all that is in them: while their rows cannot be committed, a loss of power shall not take them. Ledger thread.
  void sync() noexcept;
  [[nodiscard]] LedgerSlot* next_settled() noexcept;
  /// Its rows are durable.
  void give_back(LedgerSlot& slot) noexcept;
  /// At the end of both threads: removes the file if no slot is in use. False: it stays for the next start.
  bool remove_if_empty() noexcept;

 private:
  LedgerSlots(std::string path, std::byte* mapped, std::uint32_t count);
  [[nodiscard]] std::uint32_t number_of(const LedgerSlot& slot) const noexcept {
    return static_cast<std::uint32_t>(&slot - slots_);
  }

  const std::string path_;
  std::byte* const mapped_;
  LedgerSlot* const slots_;
  const std::uint32_t count_;

  std::vector<std::uint32_t> free_;  // the reactor's; used as a stack
  std::uint32_t never_used_ = 0;     // the reactor's; slots from here on were not handed out yet

  std::atomic<std::int64_t> settled_count_{0};           // counted after it is in the ring
  std::atomic<std::int64_t> taken_count_{0};             // may be ahead of it for a moment
  boost::lockfree::spsc_queue<std::uint32_t> settled_;   // reactor → ledger thread
  boost::lockfree::spsc_queue<std::uint32_t> returned_;  // ledger thread → reactor
};

}  // namespace tollgate
