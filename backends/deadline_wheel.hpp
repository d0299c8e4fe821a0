#pragma once
// Many coarse deadlines for the price of none: setting one moves a list node, no timer is armed per request or per chunk.
//
//    Deadline deadline(wheel, [](void* self) { static_cast<Session*>(self)->expired(); }, this);
//    deadline.set(10s);     // replaces an earlier one; re-setting to a later time is a store
//    deadline.clear();
//
// Resolution is tick (10 ms): a deadline never fires early, and at most two ticks late while the thread is free. Threads: belongs to one io_context thread. A Deadline may be destroyed or re-set inside its own callback.

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstdint>
#include <vector>

#include "backends/task.hpp"

namespace tollgate {

class DeadlineWheel;

class Deadline {
 public:
  using Expired = void (*)(void* self);
  Deadline(DeadlineWheel& wheel, Expired expired, void* self) noexcept : wheel_(wheel), expired_(expired), self_(self) {}
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  void set(std::chrono::milliseconds from_now) noexcept;
  void clear() noexcept { due_tick_ = 0; }   // the node stays linked until its slot comes round: clearing is a store
  [[nodiscard]] bool is_set() const noexcept { return due_tick_ != 0; }

 private:
  friend class DeadlineWheel;
  DeadlineWheel& wheel_;
  Expired expired_;
  void* self_;
  std::uint64_t due_tick_ = 0;    // 0: not set
  std::uint64_t linked_tick_ = 0; // the tick whose slot holds the node
  using Hook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  Hook hook_;
};

class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds tick{10};
  explicit DeadlineWheel(asio::io_context& context);
  ~DeadlineWheel();
  DeadlineWheel(const DeadlineWheel&) = delete;
  DeadlineWheel& operator=(const DeadlineWheel&) = delete;
  /// Stops the ticking so that io_context::run() can end; deadlines no longer fire.
  void stop() noexcept;

 private:
  friend class Deadline;
  static constexpr std::size_t slot_count = 1024;  // 10.24 s a turn; later deadlines are re-linked when their slot comes round
  using List = boost::intrusive::list<Deadline, boost::intrusive::member_hook<Deadline, Deadline::Hook, &Deadline::hook_>,
                                      boost::intrusive::constant_time_size<false>>;
  void link(Deadline& deadline) noexcept;
  void arm();
  void advance();
  void work_off(std::uint64_t number);
  [[nodiscard]] bool empty() const noexcept;
  [[nodiscard]] std::uint64_t tick_now() const noexcept;

  Timer timer_;
  std::chrono::steady_clock::time_point start_;
  std::uint64_t current_ = 0;      // last tick worked off
  bool armed_ = false, stopped_ = false;
  std::vector<List> slots_;
};

}  // namespace tollgate
