#pragma once
// What a run that did not end in order left in its slot files, made into rows.
//
//    Result<std::vector<SlotFile>> files = read_slot_files(path);     // every `<ledger>.<n>.slots`, whatever the
//    number of reactors Leftovers leftovers = settle_leftovers(files);                   // rows to insert …insert and
//    commit… remove_slot_files(files);                                        // or set aside, where something was
//    damaged
//
// Settled slots are taken as they are if their check holds. Open ones are settled from what is known: an attempt under
// way ends as Fault::internal with its last running usage, priced with the prices it began with; its GPU share is
// counted up to the last moment at which anything happened to that pool (an attempt began, ended or made progress),
// which is the last that all shares together are known for: a lower bound that never makes the pool's requests cost
// more than the pool. Nothing that fails a check is made into money.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "metrics/ledger_slots.hpp"
#include "metrics/metrics.hpp"
#include "metrics/pool_file.hpp"

namespace tollgate {

/// A slot file's content, copied. The files are read, not mapped: a truncated one must not be fatal.
struct SlotFile {
  std::string path;
  std::unique_ptr<LedgerSlot[]> content;
  std::uint32_t whole_slots = 0;  ///< that the file really holds
  std::uint32_t slots = 0;        ///< that its header promises
  bool readable = true;           ///< false: the header is damaged
  std::uint64_t damaged = 0;
  [[nodiscard]] const LedgerSlot& slot(std::uint32_t index) const noexcept { return content[index]; }
};

struct Leftovers {
  std::vector<OpenRequest> rows;
  std::uint64_t settled = 0, open = 0, damaged = 0;
  std::map<NameId, UsdSum> pool_charges;  ///< of attempts that were under way, by the names of the earlier run
};

/// Fails if a file was written by a program with another layout (it names the file and what to do), or cannot be read.
[[nodiscard]] Result<std::vector<SlotFile>> read_slot_files(const std::string& ledger_path);
/// Counts damage in the files. `pools`: what the same run left of them.
[[nodiscard]] Leftovers settle_leftovers(std::vector<SlotFile>& files, const std::vector<PoolLeft>& pools = {});
/// After the rows are durable. Damaged files are renamed to `….damaged-<n>`, the others removed. Returns the new names.
[[nodiscard]] Result<std::vector<std::string>> remove_slot_files(const std::vector<SlotFile>& files);

}  // namespace tollgate
