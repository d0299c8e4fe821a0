#pragma once
// Names that come from configuration (backends, targets, routes, teams, keys …) as small integers, so that records, metric keys
// and comparisons on the request path carry four bytes instead of a string.
//
//    NameId id = Names::global().intern("home/llama-70b");
//    Names::global().text(id) == "home/llama-70b"
//
// Ids are given once and never reused within a process; they mean nothing to another process (the ledger keeps numbers of its own).
// Id 0 is always "" (none).
// Threads: intern() takes a lock and belong to start-up and reload; text() is lock-free and may be called anywhere.

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate {

enum class NameId : std::uint32_t { none = 0 };

class Names {
 public:
  static constexpr std::uint32_t names_max = 65536;  ///< intern() past it returns the id of "other"

  Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;
  /// The process-wide table.
  static Names& global();

  NameId intern(std::string_view name);
  /// The text of an id; "" for an id never given. The view lives as long as the process.
  [[nodiscard]] std::string_view text(NameId id) const noexcept;
  /// How many ids exist; ids are 0 … size()-1.
  [[nodiscard]] std::uint32_t size() const noexcept { return size_.load(std::memory_order_acquire); }

 private:
  static constexpr std::uint32_t chunk_size = 1024;
  NameId add(std::string_view name);

  std::mutex mutex_;                                          // guards ids_ and growth
  std::deque<std::string> storage_;                           // stable addresses
  std::unordered_map<std::string_view, NameId> ids_;
  std::array<std::atomic<std::string_view*>, names_max / chunk_size> chunks_{};
  std::vector<std::unique_ptr<std::string_view[]>> owned_chunks_;
  std::atomic<std::uint32_t> size_{0};
};

[[nodiscard]] inline std::string_view text(NameId id) noexcept { return Names::global().text(id); }

}  // namespace tollgate
