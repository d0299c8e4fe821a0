#pragma once
// The body of a request that is passed through: in memory while it is small, else in a file that has no name and goes with this object.
// It is read as one view in either case (the file is mapped: its pages belong to the kernel, which may drop them), so that it can be sent
// again. What all of them together take of the disk is bounded.

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

class Spool {
 public:
  static constexpr std::size_t memory_bytes_max = 1024 * 1024;

  /// `rules` must outlive it.
  explicit Spool(const PassThroughConfig& rules) noexcept : rules_(rules) {}
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Fault: internal with status 503 when the disk is full, cannot be written, or its share is used up.
  Result<void> append(std::string_view bytes);
  /// No more comes. The view lives as long as this.
  Result<std::string_view> whole();
  [[nodiscard]] bool on_disk() const noexcept { return file_ >= 0; }
  /// Of all spools of the process, on disk.
  [[nodiscard]] static std::size_t bytes_on_disk() noexcept { return on_disk_.load(std::memory_order_relaxed); }

 private:
  Result<void> open();
  Result<void> write(std::string_view bytes);
  bool take(std::size_t bytes) noexcept;

  static std::atomic<std::size_t> on_disk_;
  const PassThroughConfig& rules_;
  std::string memory_;
  int file_ = -1;
  std::size_t size_ = 0, taken_ = 0;
  void* mapped_ = nullptr;
};

}  // namespace tollgate
