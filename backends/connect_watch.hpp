#pragma once
// Whether connections to a target come about: how many are being made, and since when without one that did. A provider whose host is
// gone answers nothing, not even a refusal; until the first connect has run into its time limit, requests prefer other targets.
// Lock-free; all reactors write.
//
//    ConnectWatch::Making making(call.connects);    // may be nullptr
//    …connect…
//    making.made();                                 // the end of `making`, however it comes, ends the try

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tollgate {

class ConnectWatch {
 public:
  using Now = std::chrono::steady_clock::time_point;
  /// Longer than a handshake of three round trips to the other side of the world.
  static constexpr std::chrono::milliseconds slow_after{1'000};

  class Making {
   public:
    explicit Making(ConnectWatch* watch, Now now = std::chrono::steady_clock::now()) noexcept : watch_(watch) {
      if (watch_ != nullptr) watch_->begin(now);
    }
    ~Making() { end(false); }
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;
    void made() noexcept { end(true); }

   private:
    void end(bool made) noexcept {
      if (watch_ != nullptr) watch_->end(made);
      watch_ = nullptr;
    }
    ConnectWatch* watch_;
  };

  /// A connection has been tried for longer than slow_after, and none has come about since.
  [[nodiscard]] bool stuck(Now now) const noexcept {
    const std::int64_t since = since_ns_.load(std::memory_order_relaxed);
    return since != 0 && now.time_since_epoch().count() - since > std::chrono::nanoseconds{slow_after}.count();
  }

 private:
  void begin(Now now) noexcept {
    making_.fetch_add(1, std::memory_order_relaxed);
    std::int64_t none = 0;
    since_ns_.compare_exchange_strong(none, now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // That another begins at the same moment loses at most its suspicion.
  void end(bool made) noexcept {
    const bool was_last = making_.fetch_sub(1, std::memory_order_relaxed) == 1;
    if (made || was_last) since_ns_.store(0, std::memory_order_relaxed);
  }

  std::atomic<int> making_{0};
  std::atomic<std::int64_t> since_ns_{0};
};

}  // namespace tollgate
