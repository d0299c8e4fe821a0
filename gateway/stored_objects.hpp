#pragma once
// Whose the things are that providers keep: files, uploads, batches. An id leads back to the backend that made it, and only for the team
// whose key it was made with (unless passthrough.objects says that they are shared).
//
// Kept in a file beside the ledger, a line for each that was made or deleted, and in memory. A line is written before the client learns
// the id. Any thread; asked only by requests for such endpoints, and by chats that name files.

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "config/config.hpp"

namespace tollgate {

struct StoredObject {
  NameId team{};              ///< none: no keys are configured
  NameId backend{};
};

class StoredObjects {
 public:
  StoredObjects() = default;
  ~StoredObjects();
  StoredObjects(const StoredObjects&) = delete;
  StoredObjects& operator=(const StoredObjects&) = delete;

  /// Reads the file, if there is one, and writes it anew without what was deleted; before the first request. How many lines could not be
  /// read and are left out. Fault: io_failed.
  Result<std::size_t> open(const std::string& path);
  [[nodiscard]] std::optional<StoredObject> find(std::string_view id) const;
  /// Of an id that is known, the first owner stays.
  void add(std::string_view id, const StoredObject& object);
  void remove(std::string_view id);
  [[nodiscard]] std::size_t size() const;
  /// No lock: asked by every chat.
  [[nodiscard]] bool empty() const noexcept { return !any_.load(std::memory_order_relaxed); }

 private:
  void append(const std::string& line);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, StoredObject> known_;
  std::atomic<bool> any_{false};   // something was made once
  std::string path_;
  int file_ = -1;
};

/// What an id may look like; anything else is nobody's.
[[nodiscard]] bool is_object_id(std::string_view id) noexcept;

}  // namespace tollgate
