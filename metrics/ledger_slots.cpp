#include "metrics/ledger_slots.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace tollgate {
namespace {

__extension__ typedef unsigned __int128 UInt128;  // NOLINT(modernize-use-using): -Wpedantic knows no other way

constexpr std::uint64_t layout_version = 8;

/// 64 bits over bytes, 16 at a time, by 64 x 64 -> 128 bit products folded together.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const UInt128 product = static_cast<UInt128>(a ^ 0x9E3779B97F4A7C15U) * (b ^ 0xD1B54A32D192ED03U);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t digest(const void* bytes, std::size_t size, std::uint64_t salt) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  std::uint64_t sum = mix(salt, size);
  for (; size > 0;) {
    std::uint64_t words[2] = {0, 0};
    const std::size_t n = size < sizeof words ? size : sizeof words;
    std::memcpy(words, at, n);
    sum = mix(sum ^ words[0], words[1] + 0x2545F4914F6CDD1DU);
    at += n;
    size -= n;
  }
  return sum;
}

std::uint32_t fold(std::uint64_t sum) noexcept {
  return static_cast<std::uint32_t>(sum ^ (sum >> 32)) | 1U;
}  // never 0
std::uint64_t salt_of(RequestId id, std::uint8_t number) noexcept {
  return static_cast<std::uint64_t>(id) * 8 + number;
}

Error cannot(const std::string& what, const std::string& path) {
  return fail(Fault::io_failed, "cannot " + what + " " + path + ": " + std::generic_category().message(errno));
}

}  // namespace

std::uint32_t check_of(const RunningAttempt& running, RequestId id, std::uint8_t number) noexcept {
  return fold(digest(&running, offsetof(RunningAttempt, check), salt_of(id, number)));
}
std::uint32_t check_of(const ReweighedRun& run, RequestId id, std::uint8_t number) noexcept {
  return fold(digest(&run, offsetof(ReweighedRun, check), salt_of(id, number)));
}
std::uint32_t check_of(const ProgressCopy& progress, RequestId id, std::uint8_t number) noexcept {
  return fold(digest(&progress, offsetof(ProgressCopy, check), salt_of(id, number)));
}
std::uint32_t check_of(const PoolValueSeen& seen) noexcept {
  return fold(digest(&seen, offsetof(PoolValueSeen, check), 0));
}
std::uint32_t check_of(const AttemptRow& attempt, RequestId id) noexcept {
  return fold(digest(&attempt, sizeof attempt, static_cast<std::uint64_t>(id)));
}
std::uint64_t check_of(const LedgerSlot& settled) noexcept {
  const RequestRow& row = settled.request.row;
  const std::size_t attempts = std::min<std::size_t>(row.attempts, attempts_per_request_max);
  const std::uint64_t of_row = digest(&row, sizeof row, static_cast<std::uint64_t>(row.id));
  return digest(settled.attempt_checks.data(), attempts * sizeof settled.attempt_checks[0], of_row);
}

std::uint64_t SlotFileHeader::expected_check() const noexcept {
  return digest(this, offsetof(SlotFileHeader, check), layout_version);
}

std::uint64_t slot_layout() noexcept {
  std::uint64_t sum = mix(layout_version, sizeof(LedgerSlot));
  for (const std::size_t size : {sizeof(OpenRequest), sizeof(AttemptRow), sizeof(RequestRow), sizeof(RunningAttempt)}) {
    sum = mix(sum, size);
  }
  for (unsigned fault = 0; fault <= static_cast<unsigned>(Fault::internal); ++fault) {
    const std::string_view name = facts_of(static_cast<Fault>(fault)).name;
    sum = digest(name.data(), name.size(), sum);
  }
  return sum;
}

std::string slot_file_path(const std::string& ledger_path, unsigned reactor) {
  return ledger_path + "." + std::to_string(reactor) + ".slots";
}

// Written under another name and renamed, so that a slot file that exists is a whole one.
Result<std::unique_ptr<LedgerSlots>> LedgerSlots::create(const std::string& ledger_path, unsigned reactor,
                                                         std::uint32_t count) {
  const std::string path = slot_file_path(ledger_path, reactor);
  const std::string fresh = path + ".new";
  const std::size_t bytes = slot_header_bytes + std::size_t{count} * sizeof(LedgerSlot);
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return cannot("create", fresh);
  if (const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    const Error refusal = cannot("reserve " + std::to_string(bytes / 1024) + " KiB for", fresh);
    ::close(file);
    ::unlink(fresh.c_str());
    return refusal;
  }
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int map_error = errno;
  ::close(file);
  if (mapped == MAP_FAILED) {
    errno = map_error;
    return cannot("map", fresh);
  }
  auto slots = std::unique_ptr<LedgerSlots>(new LedgerSlots(path, static_cast<std::byte*>(mapped), count));
  SlotFileHeader header;
  header.layout = slot_layout();
  header.slots = count;
  header.reactor = reactor;
  header.check = header.expected_check();
  std::memcpy(mapped, &header, sizeof header);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot("create", path);
  return slots;
}

LedgerSlots::LedgerSlots(std::string path, std::byte* mapped, std::uint32_t count)
    : path_(std::move(path)),
      mapped_(mapped),
      slots_(reinterpret_cast<LedgerSlot*>(mapped + slot_header_bytes)),
      count_(count),
      settled_(count),
      returned_(count) {
  free_.reserve(count);
}

LedgerSlots::~LedgerSlots() { ::munmap(mapped_, slot_header_bytes + std::size_t{count_} * sizeof(LedgerSlot)); }

LedgerSlot* LedgerSlots::take() noexcept {
  returned_.consume_all([this](std::uint32_t number) { free_.push_back(number); });
  if (!free_.empty()) {
    LedgerSlot* const slot = &slots_[free_.back()];
    free_.pop_back();
    return slot;
  }
  return never_used_ < count_ ? &slots_[never_used_++] : nullptr;
}

void LedgerSlots::put_back(LedgerSlot& slot) noexcept {
  slot.state.store(SlotState::free, std::memory_order_release);
  free_.push_back(number_of(slot));  // as large as the file from the start: never grows
}

void LedgerSlots::settle(LedgerSlot& slot) noexcept {
  const RequestRow& row = slot.request.row;
  for (std::size_t i = 0; i < row.attempts; ++i) slot.attempt_checks[i] = check_of(slot.request.attempts[i], row.id);
  slot.check = check_of(slot);
  slot.state.store(SlotState::settled, std::memory_order_release);
  settled_.push(number_of(slot));  // as large as the file: there is always room
  settled_count_.store(settled_count_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

void LedgerSlots::sync() noexcept {
  ::msync(mapped_, slot_header_bytes + std::size_t{count_} * sizeof(LedgerSlot), MS_SYNC);
}

LedgerSlot* LedgerSlots::next_settled() noexcept {
  std::uint32_t number = 0;
  if (!settled_.pop(number)) return nullptr;
  taken_count_.store(taken_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return &slots_[number];
}

void LedgerSlots::give_back(LedgerSlot& slot) noexcept {
  slot.state.store(SlotState::free, std::memory_order_release);
  returned_.push(number_of(slot));
}

bool LedgerSlots::remove_if_empty() noexcept {
  returned_.consume_all([this](std::uint32_t number) { free_.push_back(number); });
  if (free_.size() != never_used_) return false;
  return ::unlink(path_.c_str()) == 0;
}

}  // namespace tollgate
