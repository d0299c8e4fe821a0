#pragma once
// Where the pools of a running gateway stand, in a memory-mapped file `<ledger>.pools`: after every event of a pool its
// totals are written there, so that a process killed at any point leaves behind what its hardware had cost and whose
// that was (metrics/pool_recovery.hpp takes it in). The ledger's table of pool hours is written once a minute; this
// file holds what came since.
//
//    PoolJournal* journal = file.journal("home", name);     // nullptr: the file is full; the pool does without
//    journal->note(moment);                                  // under the pool's lock
//
// Each part stands twice and is written in turn: the one with the higher sequence and a good check holds. An event
// costs some tens of nanoseconds. The file disappears at an orderly end, when all of it is in the ledger.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/names.hpp"
#include "config/result.hpp"
#include "metrics/pool_lines.hpp"

namespace tollgate {

/// A pool after an event.
struct PoolMoment {
  PoolTotals totals;
  std::uint64_t value_high = 0, value_low = 0;  ///< GpuPool::Value
  std::int64_t at_ns = 0;                       ///< since 1970
  std::int64_t tail_ns = 0;                     ///< ServerlessWorkers::tail_ns
  std::uint64_t sequence = 0, check = 0;
};

/// What of it the ledger has. `take` counts how often the pool was written there; a take is durable when the ledger
/// holds its number, and `taken` are the totals it covered. Until the pool knows that, `recorded` are those of the last
/// that it knows to be durable.
struct PoolBase {
  PoolTotals recorded, taken;
  std::uint64_t take = 0;
  std::int64_t run = 0;  ///< of the process: which run's numbers these are
  NameId name_id{};      ///< the name in that run's numbers
  std::array<char, 68> name{};
  std::uint64_t sequence = 0, check = 0;
};

struct alignas(64) PoolRecord {
  std::array<PoolMoment, 2> moments;
  std::array<PoolBase, 2> bases;
};

/// One pool's place in the file.
class PoolJournal {
 public:
  explicit PoolJournal(PoolRecord& record) noexcept : record_(record) {}
  // They set the part's sequence and check.
  void note(PoolMoment& moment) noexcept;
  void note(PoolBase& base) noexcept;

 private:
  PoolRecord& record_;
  std::uint64_t moments_ = 0, bases_ = 0;
};

class PoolFile {
 public:
  static constexpr std::size_t pools_max = 256;
  static constexpr std::size_t name_max = sizeof PoolBase::name - 1;
  /// Makes the file anew; what an earlier run left must have been taken in before.
  [[nodiscard]] static Result<std::unique_ptr<PoolFile>> create(const std::string& ledger_path);
  ~PoolFile();
  PoolFile(const PoolFile&) = delete;
  PoolFile& operator=(const PoolFile&) = delete;

  /// Any thread; the pointer is good for as long as the file is.
  [[nodiscard]] PoolJournal* journal(std::string_view pool);
  /// All of it is in the ledger.
  void remove() noexcept;

 private:
  PoolFile(std::string path, std::byte* mapped) : path_(std::move(path)), mapped_(mapped) {}
  const std::string path_;
  std::byte* const mapped_;
  std::mutex mutex_;  // guards the next
  std::vector<std::unique_ptr<PoolJournal>> journals_;
};

/// What an earlier run left of one pool.
struct PoolLeft {
  PoolMoment moment;
  PoolBase base;
  [[nodiscard]] std::string_view name() const noexcept { return base.name.data(); }
};
[[nodiscard]] std::string pool_file_path(const std::string& ledger_path);
/// Every record that can be trusted; none if there is no file or another version of the program wrote it.
[[nodiscard]] std::vector<PoolLeft> read_pool_file(const std::string& ledger_path);

}  // namespace tollgate
