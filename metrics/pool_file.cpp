#include "metrics/pool_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>

namespace tollgate {
namespace {

constexpr std::uint64_t layout = 0x544F4C4C504F4F31;  // "TOLLPOO1": changes with the meaning of the records
constexpr std::size_t header_bytes = 4096;
constexpr std::size_t file_bytes = header_bytes + PoolFile::pools_max * sizeof(PoolRecord);

struct Header {
  std::uint64_t layout = 0, record_bytes = 0;
};

std::uint64_t mixed(std::uint64_t sum, std::uint64_t word) noexcept {
  sum = (sum ^ word) * 0xD1B54A32D192ED03U;
  return sum ^ (sum >> 29);
}

/// Finds damage, not malice. Four sums side by side: one would wait for its own products.
template <std::size_t size>
std::uint64_t digest(const void* bytes) noexcept {
  static_assert(size % 8 == 0);
  const auto* const at = static_cast<const unsigned char*>(bytes);
  std::array<std::uint64_t, 4> sums{0x9E3779B97F4A7C15U, 0xBF58476D1CE4E5B9U, 0x94D049BB133111EBU, 0x2545F4914F6CDD1DU};
  for (std::size_t i = 0; i < size / 8; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, at + i * 8, 8);
    sums[i % 4] = mixed(sums[i % 4], word);
  }
  return mixed(mixed(sums[0], sums[1]), mixed(sums[2], sums[3])) | 1U;  // never 0
}
std::uint64_t check_of(const PoolMoment& moment) noexcept { return digest<offsetof(PoolMoment, check)>(&moment); }
std::uint64_t check_of(const PoolBase& base) noexcept { return digest<offsetof(PoolBase, check)>(&base); }
static_assert(offsetof(PoolMoment, check) % 8 == 0 && offsetof(PoolBase, check) % 8 == 0);

void then() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

template <class Part>
void write_turn(std::array<Part, 2>& places, Part& part, std::uint64_t sequence) noexcept {
  Part& place = places[sequence % 2];
  part.sequence = sequence;
  part.check = check_of(part);
  place.check = 0;
  then();
  std::memcpy(static_cast<void*>(&place), &part, offsetof(Part, check));
  then();
  place.check = part.check;
}

template <class Part>
std::optional<Part> latest(const std::array<Part, 2>& places) noexcept {
  std::optional<Part> found;
  for (const Part& place : places) {
    if (place.check != check_of(place)) continue;
    if (!found || place.sequence > found->sequence) found = place;
  }
  return found;
}

Error cannot(const std::string& what, const std::string& path) {
  return fail(Fault::io_failed, "cannot " + what + " " + path + ": " + std::generic_category().message(errno));
}

}  // namespace

void PoolJournal::note(PoolMoment& moment) noexcept { write_turn(record_.moments, moment, ++moments_); }
void PoolJournal::note(PoolBase& base) noexcept { write_turn(record_.bases, base, ++bases_); }

std::string pool_file_path(const std::string& ledger_path) { return ledger_path + ".pools"; }

Result<std::unique_ptr<PoolFile>> PoolFile::create(const std::string& ledger_path) {
  const std::string path = pool_file_path(ledger_path), fresh = path + ".new";
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return cannot("create", fresh);
  if (const int error = ::posix_fallocate(file, 0, static_cast<off_t>(file_bytes)); error != 0) {
    errno = error;
    const Error refusal = cannot("reserve " + std::to_string(file_bytes / 1024) + " KiB for", fresh);
    ::close(file);
    ::unlink(fresh.c_str());
    return refusal;
  }
  void* const mapped = ::mmap(nullptr, file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int map_error = errno;
  ::close(file);
  if (mapped == MAP_FAILED) {
    errno = map_error;
    return cannot("map", fresh);
  }
  auto made = std::unique_ptr<PoolFile>(new PoolFile(path, static_cast<std::byte*>(mapped)));
  const Header header{layout, sizeof(PoolRecord)};
  std::memcpy(mapped, &header, sizeof header);
  if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot("create", path);
  return made;
}

PoolFile::~PoolFile() { ::munmap(mapped_, file_bytes); }

PoolJournal* PoolFile::journal(std::string_view pool) {
  const std::lock_guard lock(mutex_);
  if (journals_.size() >= pools_max || pool.size() > name_max) return nullptr;
  auto* const record = reinterpret_cast<PoolRecord*>(mapped_ + header_bytes) + journals_.size();
  return journals_.emplace_back(std::make_unique<PoolJournal>(*record)).get();
}

void PoolFile::remove() noexcept { ::unlink(path_.c_str()); }

std::vector<PoolLeft> read_pool_file(const std::string& ledger_path) {
  std::vector<PoolLeft> all;
  std::ifstream stream(pool_file_path(ledger_path), std::ios::binary);
  Header header;
  if (!stream || !stream.read(reinterpret_cast<char*>(&header), sizeof header)) return all;
  if (header.layout != layout || header.record_bytes != sizeof(PoolRecord)) return all;
  stream.seekg(header_bytes);
  const auto record = std::make_unique<PoolRecord>();
  for (std::size_t i = 0; i < PoolFile::pools_max; ++i) {
    if (!stream.read(reinterpret_cast<char*>(record.get()), sizeof(PoolRecord))) break;
    const auto moment = latest(record->moments);
    const auto base = latest(record->bases);
    if (!moment || !base || base->name.back() != '\0') continue;
    all.push_back({*moment, *base});
  }
  return all;
}

}  // namespace tollgate
