#pragma once
// Notices that a file was replaced or rewritten, by asking for its state now and then. Follows symbolic links, so an
// editor's rename and Kubernetes' swapped ..data link are seen like a write in place.
//
//    FileWatch watch(path);
//    if (watch.poll()) …        // each second, on one thread
//
// A change is told only when two polls in a row saw the same new state, so that a file is not read while it is being
// written. A file that is not there is no change; it is told when it is back and differs.

#include <cstdint>
#include <optional>
#include <string>

namespace tollgate {

class FileWatch {
 public:
  explicit FileWatch(std::string path);
  /// True once per change. One stat() call.
  [[nodiscard]] bool poll();

 private:
  struct State {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0, changed_seconds = 0, changed_nanoseconds = 0;
    friend bool operator==(const State&, const State&) = default;
  };
  [[nodiscard]] std::optional<State> now() const;

  std::string path_;
  std::optional<State> told_;  ///< what the owner knows of
  std::optional<State> seen_;  ///< what the last poll saw
};

}  // namespace tollgate
