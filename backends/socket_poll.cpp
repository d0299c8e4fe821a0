#include "backends/socket_poll.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>

namespace tollgate {

namespace {

using boost::system::error_code;

error_code last_error() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return asio::error::would_block;
  return {errno, boost::system::system_category()};
}

}  // namespace

// ---- PolledSocket ----

void PolledSocket::assign(int descriptor, error_code& code) noexcept {
  close();
  code = {};
  const int flags = ::fcntl(descriptor, F_GETFL);
  const bool made = flags >= 0 && ((flags & O_NONBLOCK) != 0 || ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0);
  if (!made) code = last_error();
  descriptor_ = descriptor;
  readable_ = hung_up_ = false;
  writable_ = true;
  if (!made || !poll_->add(*this, descriptor_, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, code)) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

std::size_t PolledSocket::receive(char* to, std::size_t size, error_code& code) noexcept {
  code = {};
  for (;;) {
    const ssize_t got = ::recv(descriptor_, to, size, 0);
    if (got > 0) {
      // Less than asked for: all has been taken, and more would be a new edge; unless the end is there too, which came
      // with this edge.
      if (static_cast<std::size_t>(got) < size && !hung_up_) readable_ = false;
      return static_cast<std::size_t>(got);
    }
    if (got == 0) {
      code = asio::error::eof;
      return 0;
    }
    if (errno == EINTR) continue;
    code = last_error();
    if (code == asio::error::would_block) readable_ = false;
    return 0;
  }
}

std::size_t PolledSocket::send(std::span<const asio::const_buffer> buffers, error_code& code) noexcept {
  constexpr std::size_t vectors_max = 64;
  std::array<iovec, vectors_max> vectors;
  std::size_t count = 0;
  code = {};
  for (const asio::const_buffer& buffer : buffers) {
    if (buffer.size() == 0) continue;
    if (count == vectors_max) break;
    vectors[count++] = {const_cast<void*>(buffer.data()), buffer.size()};
  }
  if (count == 0) return 0;
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  for (;;) {
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EINTR) continue;
    code = last_error();
    if (code == asio::error::would_block) writable_ = false;
    return 0;
  }
}

int PolledSocket::accept(error_code& code) noexcept {
  code = {};
  for (;;) {
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) return accepted;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    code = last_error();
    if (code == asio::error::would_block) readable_ = false;
    return -1;
  }
}

// Not a coroutine: it would be a frame of its own on every wait.
Task<bool> PolledSocket::wait(std::optional<Handler>& waiting, const bool& ready) {
  auto start = [this, &waiting, &ready](Handler&& handler) {
    if (ready || !is_open()) {
      asio::post(poll_->descriptor_.get_executor(),
                 [handler = std::move(handler), open = is_open()]() mutable { std::move(handler)(open); });
      return;
    }
    waiting.emplace(std::move(handler));
    poll_->waits();
  };
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(bool)>(start, use_task);
}

Task<PolledSocket::error_code> PolledSocket::connect(asio::ip::tcp::endpoint to) {
  const int descriptor = ::socket(to.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) co_return last_error();
  const bool begun = ::connect(descriptor, to.data(), static_cast<socklen_t>(to.size())) == 0 || errno == EINPROGRESS;
  if (!begun) {
    const error_code refused = last_error();
    ::close(descriptor);
    co_return refused;
  }
  error_code code;
  assign(descriptor, code);
  if (code) co_return code;
  writable_ = false;
  if (!co_await writable()) co_return error_code(asio::error::operation_aborted);
  int failed = 0;
  socklen_t size = sizeof failed;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &failed, &size);
  co_return error_code(failed, boost::system::system_category());
}

void PolledSocket::watch(void (*event)(void*), void* self) noexcept {
  if (poll_ != nullptr && (watch_ == nullptr) != (event == nullptr)) {
    if (event != nullptr) {
      poll_->waits();
    } else {
      poll_->waits_no_more();
    }
  }
  watch_ = event;
  watch_self_ = self;
}

void PolledSocket::on_events(std::uint32_t events) {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up_ = true;
  const bool in = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  const bool out = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
  if (in) readable_ = true;
  if (out) writable_ = true;
  // Whatever is resumed may destroy this socket: take both first, touch nothing afterwards.
  const auto take = [this](bool happened, std::optional<Handler>& waiting) {
    std::optional<Handler> taken;
    if (!happened || !waiting) return taken;
    taken.emplace(std::move(*waiting));
    waiting.reset();
    poll_->waits_no_more();
    return taken;
  };
  std::optional<Handler> reader = take(in, reader_);
  std::optional<Handler> writer = take(out, writer_);
  const auto watch = in && !reader ? watch_ : nullptr;
  void* const self = watch_self_;
  if (writer)
    asio::post(poll_->descriptor_.get_executor(),
               [handler = std::move(*writer)]() mutable { std::move(handler)(true); });
  if (reader) {
    std::move (*reader)(true);
  } else if (watch != nullptr) {
    watch(self);
  }
}

void PolledSocket::give_up(std::optional<Handler>& waiting) noexcept {
  if (!waiting) return;
  poll_->waits_no_more();
  asio::post(poll_->descriptor_.get_executor(),
             [handler = std::move(*waiting)]() mutable { std::move(handler)(false); });
  waiting.reset();
}

void PolledSocket::cancel() noexcept {
  if (poll_ == nullptr) return;
  give_up(reader_);
  give_up(writer_);
}

void PolledSocket::close() noexcept {
  if (descriptor_ < 0) return;
  if (poll_ != nullptr) {
    watch(nullptr, nullptr);
    cancel();
    poll_->remove(*this);
  }
  ::close(descriptor_);  // which also takes it out of the epoll set: nobody else holds a copy
  descriptor_ = -1;
}

void PolledSocket::shutdown_send(error_code& code) noexcept {
  code = ::shutdown(descriptor_, SHUT_WR) == 0 ? error_code{} : last_error();
}

void PolledSocket::forget() noexcept {
  Polled::forget();
  reader_.reset();
  writer_.reset();
}

// ---- DescriptorWatch ----

void DescriptorWatch::set(std::uint32_t events) noexcept {
  if (events == set_ || poll_ == nullptr) return;
  const int epoll = poll_->descriptor_.native_handle();
  if (events == 0) {
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor_, nullptr);
    closed();
    return;
  }
  if (set_ == 0) {
    error_code ignored;
    if (!poll_->add(*this, descriptor_, events, ignored)) return;
    poll_->waits();
  } else {
    epoll_event event{};
    event.events = events;
    event.data.ptr = this;
    ::epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor_, &event);
  }
  set_ = events;
}

void DescriptorWatch::closed() noexcept {
  if (set_ == 0 || poll_ == nullptr) return;
  set_ = 0;
  poll_->remove(*this);
  poll_->waits_no_more();
}

// ---- Wakeup ----

Task<void> Wakeup::wait() {
  auto start = [this](Handler&& handler) { waiting_.emplace(std::move(handler)); };
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(start, use_task);
}

void Wakeup::wake() {
  if (!waiting_) return;
  if (poll_.in_batch_) {
    poll_.at_end_.push_back(std::move(*waiting_));
  } else {
    asio::post(poll_.descriptor_.get_executor(), std::move(*waiting_));
  }
  waiting_.reset();
}

// ---- SocketPoll ----

SocketPoll::SocketPoll(asio::io_context& context) : descriptor_(context.get_executor()) {
  const int made = ::epoll_create1(EPOLL_CLOEXEC);
  if (made < 0) throw boost::system::system_error(errno, boost::system::system_category(), "epoll_create1");
  descriptor_.assign(made);
}

SocketPoll::~SocketPoll() {
  while (!polled_.empty()) {  // their owners may be destroyed later, with the io_context
    Polled& polled = polled_.front();
    polled_.pop_front();
    polled.forget();
  }
}

bool SocketPoll::add(Polled& polled, int descriptor, std::uint32_t events, error_code& code) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &polled;
  if (::epoll_ctl(descriptor_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    code = last_error();
    return false;
  }
  polled_.push_back(polled);
  return true;
}

void SocketPoll::remove(Polled& polled) noexcept {
  polled.unlink();
  for (int i = next_; i < count_; ++i) {
    if (events_[static_cast<std::size_t>(i)].data.ptr == &polled)
      events_[static_cast<std::size_t>(i)].data.ptr = nullptr;
  }
}

void SocketPoll::waits() noexcept {
  ++waiting_;
  if (!armed_ && !dispatching_) arm();
}

void SocketPoll::waits_no_more() noexcept {
  --waiting_;
  if (waiting_ == 0 && armed_) {
    armed_ = false;
    boost::system::error_code ignored;
    descriptor_.cancel(ignored);
  }
}

void SocketPoll::arm() {
  armed_ = true;
  descriptor_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& code) {
    if (code) return;  // cancelled; the poll may be gone
    armed_ = false;
    dispatch();
  });
}

void SocketPoll::dispatch() {
  dispatching_ = true;
  for (int batch = 0; batch < batches_in_a_row; ++batch) {
    const int count = ::epoll_wait(descriptor_.native_handle(), events_.data(), batch_max, 0);
    if (count <= 0) break;
    handle_batch(count);
  }
  dispatching_ = false;
  if (waiting_ > 0 && !armed_) arm();
}

void SocketPoll::handle_batch(int count) {
  in_batch_ = true;
  count_ = count;
  for (next_ = 0; next_ < count_;) {
    const epoll_event event = events_[static_cast<std::size_t>(next_++)];
    if (event.data.ptr != nullptr) static_cast<Polled*>(event.data.ptr)->on_events(event.events);
  }
  count_ = next_ = 0;
  in_batch_ = false;
  ending_.swap(at_end_);
  for (AtEnd& resume : ending_) std::move(resume)();
  ending_.clear();
}

Task<void> SocketPoll::batch_end() {
  auto start = [this](AtEnd&& handler) { at_end_.push_back(std::move(handler)); };
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(start, use_task);
}

}  // namespace tollgate
