#pragma once
// Sockets of one reactor with edge-triggered readiness. A socket is registered with the kernel once in its life, so a
// wait costs no system call (Asio re-arms its descriptor with epoll_ctl on every wait), and its peer's closing is known
// without asking.
//
//    PolledSocket socket(poll);
//    socket.assign(fd, code);
//    std::size_t got = socket.receive(buffer, size, code);
//    if (code == asio::error::would_block && !co_await socket.readable()) return;   // false: cancelled or closed
//
// Events are handled in batches. `co_await poll.batch_end()` puts a send behind the work of its batch: a peer that
// sleeps is then woken once for many sends, not once for each (on a busy reactor waking it is the dearest part of a
// send), and an idle reactor, whose batches are of one event, waits for nothing.
//
// The poll's own epoll descriptor lies within the io_context's: timers, posts and other descriptors go on as ever.
// Threads: all of it belongs to the one thread that runs the io_context. Whatever waits when the poll is destroyed is
// never resumed.

#include <sys/epoll.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/intrusive/list.hpp>
#include <boost/system/error_code.hpp>
#include <optional>
#include <span>
#include <vector>

#include "backends/task.hpp"

namespace tollgate {

class SocketPoll;

/// Something that is registered with a SocketPoll.
class Polled : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  explicit Polled(SocketPoll& poll) noexcept : poll_(&poll) {}
  Polled(const Polled&) = delete;
  Polled& operator=(const Polled&) = delete;

 protected:
  ~Polled() = default;
  friend class SocketPoll;
  /// May destroy the object.
  virtual void on_events(std::uint32_t events) = 0;
  /// The poll is being destroyed: whatever waits is dropped, not resumed.
  virtual void forget() noexcept { poll_ = nullptr; }

  SocketPoll* poll_;  // nullptr once the poll is gone
};

class PolledSocket final : public Polled {
 public:
  using error_code = boost::system::error_code;
  using Polled::Polled;
  ~PolledSocket() { close(); }

  /// Takes over a connected or listening socket and makes it non-blocking. On an error the descriptor is closed.
  void assign(int descriptor, error_code& code) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return descriptor_; }

  /// Never block: error::would_block if nothing can be had now, error::eof at the peer's end.
  std::size_t receive(char* to, std::size_t size, error_code& code) noexcept;
  std::size_t send(std::span<const asio::const_buffer> buffers, error_code& code) noexcept;
  /// A connection if one is waiting (error::would_block if not); for listening sockets.
  int accept(error_code& code) noexcept;

  /// Opens a socket and connects it. Cancel ends it with operation_aborted.
  [[nodiscard]] Task<error_code> connect(asio::ip::tcp::endpoint to);

  /// True: bytes, or the end, are probably there to be received. False again once receive() has shown that there is
  /// nothing.
  [[nodiscard]] bool may_read() const noexcept { return readable_; }
  /// Wait for that, or for room to send; false: cancelled or closed meanwhile. One wait of each kind at a time. Ask
  /// may_read() first: a wait for what is there already goes once round the loop.
  [[nodiscard]] Task<bool> readable() { return wait(reader_, readable_); }
  [[nodiscard]] Task<bool> writable() { return wait(writer_, writable_); }
  /// Calls `event(self)` when something comes while no readable() waits; it may destroy the socket. nullptr: no more.
  void watch(void (*event)(void*), void* self) noexcept;

  /// Waits under way end with false, soon but not within this call.
  void cancel() noexcept;
  /// The same, and the connection is closed now. Idempotent.
  void close() noexcept;
  void shutdown_send(error_code& code) noexcept;

 private:
  friend class SocketPoll;
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void(bool)>::handler_type;
  void on_events(std::uint32_t events) override;
  void forget() noexcept override;
  void give_up(std::optional<Handler>& waiting) noexcept;
  [[nodiscard]] Task<bool> wait(std::optional<Handler>& waiting, const bool& ready);

  int descriptor_ = -1;
  bool readable_ = false;  // an edge came and nothing has shown since that all was taken
  bool writable_ = true;
  bool hung_up_ = false;  // the peer has closed its side: reading never blocks again
  std::optional<Handler> reader_, writer_;
  void (*watch_)(void*) = nullptr;
  void* watch_self_ = nullptr;
};

/// Level-triggered events of a descriptor that somebody else owns, such as one of libcurl's.
class DescriptorWatch final : public Polled {
 public:
  using Event = void (*)(void* self, DescriptorWatch& watch, std::uint32_t events);
  DescriptorWatch(SocketPoll& poll, int descriptor, Event event, void* self) noexcept
      : Polled(poll), descriptor_(descriptor), event_(event), self_(self) {}
  ~DescriptorWatch() { set(0); }

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  /// EPOLLIN, EPOLLOUT, both or none. A system call only where it differs from what is set.
  void set(std::uint32_t events) noexcept;
  [[nodiscard]] std::uint32_t events() const noexcept { return set_; }
  /// The owner has closed the descriptor, or is about to.
  void closed() noexcept;

 private:
  void on_events(std::uint32_t events) override { event_(self_, *this, events); }

  int descriptor_;
  std::uint32_t set_ = 0;
  Event event_;
  void* self_;
};

/// One coroutine waits, something else wakes it: from the event loop, never within wake().
class Wakeup {
 public:
  explicit Wakeup(SocketPoll& poll) noexcept : poll_(poll) {}
  [[nodiscard]] Task<void> wait();
  /// Without a waiter it does nothing: look at the condition before waiting.
  void wake();

 private:
  friend class SocketPoll;
  using Handler = asio::async_result<asio::use_awaitable_t<Executor>, void()>::handler_type;
  SocketPoll& poll_;
  std::optional<Handler> waiting_;
};

class SocketPoll {
 public:
  explicit SocketPoll(asio::io_context& context);
  ~SocketPoll();
  SocketPoll(const SocketPoll&) = delete;
  SocketPoll& operator=(const SocketPoll&) = delete;

  /// True while a batch of events is being handled.
  [[nodiscard]] bool in_batch() const noexcept { return in_batch_; }
  /// Resumes when the batch has been handled; only while in_batch().
  [[nodiscard]] Task<void> batch_end();

 private:
  friend class PolledSocket;
  friend class DescriptorWatch;
  friend class Wakeup;
  using AtEnd = Wakeup::Handler;
  static constexpr int batch_max = 32;        // what a send may wait for is bounded by so many events' work
  static constexpr int batches_in_a_row = 8;  // then timers and posts have their turn

  bool add(Polled& polled, int descriptor, std::uint32_t events, boost::system::error_code& code) noexcept;
  void remove(Polled& polled) noexcept;
  void waits() noexcept;
  void waits_no_more() noexcept;
  void arm();
  void dispatch();
  void handle_batch(int count);

  asio::posix::basic_stream_descriptor<Executor> descriptor_;
  std::array<epoll_event, batch_max> events_{};
  int next_ = 0, count_ = 0;  // of the batch being handled
  std::size_t waiting_ = 0;   // waits and watches: with none the io_context may run out of work
  bool in_batch_ = false, armed_ = false, dispatching_ = false;
  std::vector<AtEnd> at_end_, ending_;
  boost::intrusive::list<Polled, boost::intrusive::constant_time_size<false>> polled_;
};

}  // namespace tollgate
