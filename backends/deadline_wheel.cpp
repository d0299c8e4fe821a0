#include "backends/deadline_wheel.hpp"

#include <algorithm>

namespace tollgate {

namespace {
constexpr std::uint64_t rest_check_ticks = 128;  // how often an armed wheel looks whether it may rest
}

void Deadline::set(std::chrono::milliseconds from_now) noexcept {
  const auto ticks = static_cast<std::uint64_t>((from_now + DeadlineWheel::tick - std::chrono::milliseconds{1}) / DeadlineWheel::tick);
  due_tick_ = wheel_.tick_now() + ticks + 1;
  if (hook_.is_linked()) {
    if (linked_tick_ <= due_tick_) return;  // its slot comes round first and moves it on
    hook_.unlink();
  }
  wheel_.link(*this);
}

DeadlineWheel::DeadlineWheel(asio::io_context& context)
    : timer_(context.get_executor()), start_(std::chrono::steady_clock::now()), slots_(slot_count) {}

DeadlineWheel::~DeadlineWheel() {
  for (List& slot : slots_) slot.clear();
}

std::uint64_t DeadlineWheel::tick_now() const noexcept {
  return static_cast<std::uint64_t>((std::chrono::steady_clock::now() - start_) / tick) + 1;
}

void DeadlineWheel::link(Deadline& deadline) noexcept {
  if (!armed_ && !stopped_) {
    current_ = tick_now();
    arm();
  }
  deadline.linked_tick_ = std::min(std::max(deadline.due_tick_, current_ + 1), current_ + slot_count - 1);
  slots_[deadline.linked_tick_ % slot_count].push_back(deadline);
}

void DeadlineWheel::arm() {
  armed_ = true;
  timer_.expires_at(start_ + static_cast<std::int64_t>(current_) * tick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    advance();
  });
}

void DeadlineWheel::advance() {
  const std::uint64_t now = tick_now();
  while (current_ < now) {
    ++current_;
    work_off(current_);
    if (stopped_) return;
    if (current_ % rest_check_ticks == 0 && empty()) {
      armed_ = false;
      return;
    }
  }
  arm();
}

void DeadlineWheel::work_off(std::uint64_t number) {
  List due;
  due.swap(slots_[number % slot_count]);
  while (!due.empty()) {
    Deadline& deadline = due.front();
    due.pop_front();
    if (deadline.due_tick_ == 0) continue;
    if (deadline.due_tick_ > number) {
      link(deadline);
      continue;
    }
    deadline.due_tick_ = 0;
    deadline.expired_(deadline.self_);  // may destroy the deadline, or others of this list: they unlink themselves
  }
}

bool DeadlineWheel::empty() const noexcept {
  return std::all_of(slots_.begin(), slots_.end(), [](const List& slot) { return slot.empty(); });
}

void DeadlineWheel::stop() noexcept {
  stopped_ = true;
  timer_.cancel();
}

}  // namespace tollgate
