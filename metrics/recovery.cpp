#include "metrics/recovery.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

namespace tollgate {
namespace {

namespace fs = std::filesystem;

/// "tollgate.db.3.slots" -> true for the ledger "tollgate.db".
bool is_slot_file(std::string_view name, std::string_view ledger) {
  constexpr std::string_view ending = ".slots";
  if (name.size() <= ledger.size() + 1 + ending.size() || !name.starts_with(ledger) || !name.ends_with(ending))
    return false;
  if (name[ledger.size()] != '.') return false;
  const std::string_view number = name.substr(ledger.size() + 1, name.size() - ledger.size() - 1 - ending.size());
  return std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<SlotFile> read_slot_file(const fs::path& path) {
  SlotFile file;
  file.path = path.string();
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) {
    return fail(Fault::io_failed, "cannot read " + file.path +
                                       ", which holds requests that are not in the ledger yet: " +
                                       (error ? error.message() : "it cannot be opened"));
  }
  SlotFileHeader header;
  stream.read(reinterpret_cast<char*>(&header), sizeof header);
  const bool whole_header = stream.gcount() == sizeof header && size >= slot_header_bytes;
  file.readable = whole_header && header.magic == SlotFileHeader{}.magic && header.check == header.expected_check();
  if (!file.readable) return file;
  if (header.layout != slot_layout()) {
    return fail(Fault::bad_config,
                file.path +
                    " holds requests that another version of tollgate has not yet written to the ledger. Start that "
                    "version once more and stop it in order, or move the file away to give them up");
  }
  file.slots = header.slots;
  const std::size_t held = std::min<std::size_t>((size - slot_header_bytes) / sizeof(LedgerSlot), header.slots);
  file.content = std::unique_ptr<LedgerSlot[]>(new LedgerSlot[held]);
  stream.seekg(slot_header_bytes);
  stream.read(reinterpret_cast<char*>(file.content.get()), static_cast<std::streamsize>(held * sizeof(LedgerSlot)));
  file.whole_slots = static_cast<std::uint32_t>(static_cast<std::size_t>(stream.gcount()) / sizeof(LedgerSlot));
  return file;
}

GpuPool::Value value_of(std::uint64_t high, std::uint64_t low) noexcept {
  return static_cast<Int128>((static_cast<Int128>(static_cast<std::int64_t>(high)) * (static_cast<Int128>(1) << 64)) +
                             low);
}

using PoolValues = std::map<NameId, GpuPool::Value>;

/// Per pool the highest V that any slot has seen, or the pool itself. Slots that are free again count too: their last
/// values still stand in them.
PoolValues last_values(const std::vector<SlotFile>& files, const std::vector<PoolLeft>& pools) {
  PoolValues values;
  for (const PoolLeft& pool : pools) {
    values[pool.base.name_id] = value_of(pool.moment.value_high, pool.moment.value_low);
  }
  for (const SlotFile& file : files) {
    for (std::uint32_t i = 0; i < file.whole_slots; ++i) {
      const PoolValueSeen& seen = file.slot(i).seen;
      if (seen.pool == NameId::none || seen.check != check_of(seen)) continue;
      GpuPool::Value& value = values[seen.pool];
      value = std::max(value, value_of(seen.high, seen.low));
    }
  }
  return values;
}

bool charge_is_sane(const Charge& charge) noexcept {
  return std::all_of(charge.lines.begin(), charge.lines.end(), [](Usd line) { return line >= Usd{}; });
}

/// A name that was made after the last commit died with its process: the ledger calls it "unknown". Its request and its
/// money are as good as any other's.
bool names_possible(const RequestRow& row) noexcept {
  const auto possible = [](NameId id) { return static_cast<std::uint32_t>(id) < Names::names_max; };
  return possible(row.model) && possible(row.route) && possible(row.team) && possible(row.key) && possible(row.target) && possible(row.rules);
}

bool enums_known(const RequestRow& row) noexcept {
  const bool result = row.result.is_ok() || row.result.value <= static_cast<std::uint8_t>(Fault::internal);
  return result && static_cast<std::size_t>(row.tier) < tier_count && static_cast<std::size_t>(row.surface) < surface_count &&
         row.complexity >= 0 && row.complexity <= 1;
}

/// The running attempt's usage: the copy whose check holds, else the row's own, which is then the older one.
void take_progress(const LedgerSlot& slot, AttemptRow& attempt, RequestId id) noexcept {
  if (slot.progress.check == check_of(slot.progress, id, attempt.number)) {
    attempt.usage = slot.progress.usage;
    attempt.usage_source = slot.progress.source;
  }
  if (!plausible(attempt.usage) || attempt.usage_source > UsageSource::exact) {
    attempt.usage = {};
    attempt.usage_source = UsageSource::none;
  }
}

/// What the pools of recovered attempts are charged for; theirs, not those that had ended.
using PoolCharges = std::map<NameId, UsdSum>;

/// Slots of second attempts, by the request that they belong to.
using BesideSlots = std::multimap<RequestId, const LedgerSlot*>;

BesideSlots beside_slots(const std::vector<SlotFile>& files) {
  BesideSlots found;
  for (const SlotFile& file : files) {
    for (std::uint32_t i = 0; i < file.whole_slots; ++i) {
      const LedgerSlot& slot = file.slot(i);
      if (slot.state.load(std::memory_order_relaxed) == SlotState::beside) found.emplace(slot.request.row.id, &slot);
    }
  }
  return found;
}

/// Where what is under way of an attempt stands: in the request's own slot, or in one beside it.
const LedgerSlot& kept_in(const LedgerSlot& own, const AttemptRow& attempt, RequestId id, const BesideSlots& beside) {
  if (own.running.check == check_of(own.running, id, attempt.number)) return own;
  const auto [first, last] = beside.equal_range(id);
  for (auto each = first; each != last; ++each) {
    if (each->second->running.check == check_of(each->second->running, id, attempt.number)) return *each->second;
  }
  return own;
}

/// Its share of the pool up to the last moment that is known of it; never before it began.
Usd share_of(const LedgerSlot& slot, const AttemptRow& attempt, RequestId id, GpuPool::Value last) noexcept {
  const ReweighedRun& now = slot.reweighed;
  if (now.check != 0 && now.check == check_of(now, id, attempt.number)) {
    const GpuPool::Value reweighed_at = value_of(now.pool_high, now.pool_low);
    return GpuPool::charge_between(reweighed_at, std::max(last, reweighed_at), now.weight);
  }
  const RunningAttempt& began = slot.running;
  const GpuPool::Value began_at = value_of(began.pool_high, began.pool_low);
  return GpuPool::charge_between(began_at, std::max(last, began_at), began.weight);
}

void end_running(const LedgerSlot& slot, AttemptRow& attempt, RequestId id, const PoolValues& values,
                 PoolCharges& charges) {
  take_progress(slot, attempt, id);
  attempt.ended = true;
  attempt.result = RowResult::of(Fault::internal);
  AttemptPrices prices;
  Usd gpu;
  const RunningAttempt& running = slot.running;
  if (running.check == check_of(running, id, attempt.number)) {
    prices.has_rates = running.has_rates;
    prices.rates = running.rates;
    const auto last = values.find(running.pool);
    prices.method = running.pool_method;
    prices.gpu_unknown = running.pool_method == PoolMethod::reported;
    prices.has_pool = running.pool_method != PoolMethod::none && (last != values.end() || prices.gpu_unknown);
    if (prices.has_pool && !prices.gpu_unknown) {
      gpu = share_of(slot, attempt, id, last->second);
      charges[running.pool] += gpu;
    }
  }
  price(attempt, prices, gpu);
}

/// False: the slot cannot be trusted.
bool settle_open(const LedgerSlot& slot, OpenRequest& request, const PoolValues& values, const BesideSlots& beside, PoolCharges& charges) {
  RequestRow& row = request.row;
  std::int64_t last_us = row.arrived_us;
  for (std::size_t i = 0; i < row.attempts; ++i) {
    AttemptRow& attempt = request.attempts[i];
    if (attempt.number != i + 1) return false;
    const bool may_be_open = i + 2U >= row.attempts;  // the last one, and the one beside it
    if (!attempt.ended && !may_be_open) return false;
    if (attempt.ended && slot.attempt_checks[i] != check_of(attempt, row.id)) {
      if (!may_be_open) return false;  // an end was cut off half-way
      attempt.ended = false;
    }
    if (!attempt.ended) end_running(kept_in(slot, attempt, row.id, beside), attempt, row.id, values, charges);
    if (!charge_is_sane(attempt.charge)) return false;
    last_us = std::max({last_us, attempt.started_us, attempt.first_token_us, attempt.ended_us});
    if (attempt.ended_us == 0) attempt.ended_us = last_us;
    row.target = attempt.target;
  }
  row.ended_us = last_us;
  row.result = RowResult::of(Fault::internal);
  row.http_status = 0;
  row.recovered = true;
  return true;
}

enum class Found { nothing, settled, open, damaged };

Found take(const LedgerSlot& slot, const PoolValues& values, const BesideSlots& beside, OpenRequest& request, PoolCharges& charges) {
  const SlotState state = slot.state.load(std::memory_order_relaxed);
  if (state == SlotState::free || state == SlotState::beside) return Found::nothing;
  std::memcpy(static_cast<void*>(&request), &slot.request, sizeof request);
  const RequestRow& row = request.row;
  if (row.id == RequestId{} || row.attempts > attempts_per_request_max || !enums_known(row)) return Found::damaged;
  if (state == SlotState::settled) {
    if (slot.check != check_of(slot)) return Found::damaged;
    for (std::size_t i = 0; i < row.attempts; ++i) {
      if (slot.attempt_checks[i] != check_of(request.attempts[i], row.id)) return Found::damaged;
    }
    return Found::settled;
  }
  if (state != SlotState::open || !names_possible(row)) return Found::damaged;
  return settle_open(slot, request, values, beside, charges) ? Found::open : Found::damaged;
}

}  // namespace

Result<std::vector<SlotFile>> read_slot_files(const std::string& ledger_path) {
  const fs::path ledger(ledger_path);
  const fs::path folder = ledger.has_parent_path() ? ledger.parent_path() : fs::path(".");
  std::vector<SlotFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!is_slot_file(entry->path().filename().string(), ledger.filename().string())) continue;
    TOLLGATE_TRY(SlotFile file, read_slot_file(entry->path()));
    files.push_back(std::move(file));
  }
  if (error)
    return fail(Fault::io_failed, "cannot list " + folder.string() + ", the ledger's folder: " + error.message());
  return files;
}

Leftovers settle_leftovers(std::vector<SlotFile>& files, const std::vector<PoolLeft>& pools) {
  Leftovers leftovers;
  const PoolValues values = last_values(files, pools);
  const BesideSlots beside = beside_slots(files);
  for (SlotFile& file : files) {
    file.damaged = file.readable ? file.slots - file.whole_slots : 1;
    for (std::uint32_t i = 0; i < file.whole_slots; ++i) {
      OpenRequest request;
      switch (take(file.slot(i), values, beside, request, leftovers.pool_charges)) {
        case Found::nothing:
          continue;
        case Found::damaged:
          ++file.damaged;
          continue;
        case Found::settled:
          ++leftovers.settled;
          break;
        case Found::open:
          ++leftovers.open;
          break;
      }
      leftovers.rows.push_back(request);
    }
    leftovers.damaged += file.damaged;
  }
  return leftovers;
}

Result<std::vector<std::string>> remove_slot_files(const std::vector<SlotFile>& files) {
  std::vector<std::string> set_aside;
  for (const SlotFile& file : files) {
    std::error_code error;
    if (file.damaged == 0) {
      fs::remove(file.path, error);
    } else {
      std::string kept;
      for (int n = 1; kept.empty() || fs::exists(kept); ++n) kept = file.path + ".damaged-" + std::to_string(n);
      fs::rename(file.path, kept, error);
      set_aside.push_back(kept);
    }
    if (error) return fail(Fault::io_failed, "cannot clear " + file.path + " away: " + error.message());
  }
  return set_aside;
}

}  // namespace tollgate
