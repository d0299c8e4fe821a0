#pragma once
// Answers that were given before, in memory, for requests that are equal in all that can change the answer (docs/cache.md). Knows
// nothing of requests: who asks says under which key, and whether what is found may be used.
//
//    AnswerPtr found = cache.find(key, now, max_age);       // nullptr: none, or too old
//    cache.put(key, std::make_shared<const CachedAnswer>(…));
//
// Law: the bytes that answers take, with what is kept beside them, never pass bytes_max; the ones unused for longest make room.
// Threads: one for all reactors, so that an answer given on one is found on every other. Split into parts by key, each with a mutex
// that is held for a look into a table and a step of a list, never for a copy (docs/decisions/0003-cache-lock.md). While nothing
// is cached, nothing here is called.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "config/sha256.hpp"
#include "metrics/records.hpp"

namespace tollgate {

/// One answer as its client got it, and what must hold for another one to get it.
struct CachedAnswer {
  std::string bytes;                    ///< the body, or the events of a stream, in the client's form; without usage.cost
  bool stream = false;
  NameId target{};                      ///< whose answer it is
  std::uint64_t target_meaning = 0;     ///< Serving::meaning of it: another endpoint or model under the same name is another target
  PiiKinds masked;                      ///< kinds that were masked on the way there
  bool restored = false;                ///< … and put back in the answer
  std::size_t swaps = 0;                ///< how many values
  RequestId origin{};                   ///< the request it was given to first
  std::optional<Usd> charged;           ///< what the attempt was charged that gave it; absent: not known
  std::size_t cost_at = 0;              ///< where usage.cost goes in; 0: there is no usage
  bool cost_leads = false;              ///< the usage object is empty: no comma before it
  std::string dropped;                  ///< members that its dialect left out
  std::chrono::steady_clock::time_point made_at{};

  [[nodiscard]] std::size_t memory_bytes() const noexcept { return sizeof *this + bytes.capacity() + dropped.capacity(); }
};
using AnswerPtr = std::shared_ptr<const CachedAnswer>;

class ResponseCache {
 public:
  using Key = Sha256;
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t parts = cache_parts;
  static constexpr std::size_t entry_bytes = 200;      ///< of tables and lists, for each answer

  explicit ResponseCache(std::size_t bytes_max = CacheConfig{}.bytes_max) { set_limit(bytes_max); }
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  /// What is over the new limit goes at once. Any thread.
  void set_limit(std::size_t bytes_max);
  /// nullptr: there is none that is at most so old. One that is older than `max_age` stays for those who may have it.
  [[nodiscard]] AnswerPtr find(const Key& key, Time now, std::chrono::milliseconds max_age);
  /// Takes the place of an earlier one. One that is larger than a part of the cache is not kept.
  void put(const Key& key, AnswerPtr answer);
  /// Forgets all answers; how many there were.
  std::size_t clear();

  struct Status {
    std::size_t entries = 0, bytes = 0, bytes_max = 0;
    std::uint64_t stored = 0;
    std::uint64_t evicted = 0;           ///< to make room
    std::uint64_t replaced = 0;          ///< by a newer answer to the same request
  };
  [[nodiscard]] Status status() const;

 private:
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept;
  };
  struct Entry {
    Key key;
    AnswerPtr answer;
    std::size_t bytes = 0;
  };
  struct Part {
    mutable std::mutex mutex;
    std::list<Entry> by_use;             // the last used first
    std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> by_key;
    std::size_t bytes = 0;
    std::uint64_t stored = 0, evicted = 0, replaced = 0;
  };
  [[nodiscard]] Part& part_of(const Key& key) noexcept { return parts_[key[0] % parts]; }
  static void drop(Part& part, std::list<Entry>::iterator entry, std::vector<AnswerPtr>& dropped);
  void make_room(Part& part, std::vector<AnswerPtr>& dropped) const;

  std::array<Part, parts> parts_;
  std::atomic<std::size_t> bytes_max_{0};
};

}  // namespace tollgate
