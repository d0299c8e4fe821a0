#include "backends/socket_poll.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <string>

namespace tollgate {
namespace {

using boost::system::error_code;

struct SocketPollTest : testing::Test {
  asio::io_context context{1};
  SocketPoll poll{context};
  int peer = -1;

  void pair_with(PolledSocket& socket) {
    int both[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
    error_code code;
    socket.assign(both[0], code);
    ASSERT_FALSE(code) << code.message();
    peer = both[1];
  }
  void tell(std::string_view text) const {
    ASSERT_EQ(::write(peer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// `meanwhile` is called once the task waits.
  void run(
      Task<void> task, std::function<void()> meanwhile = [] {}) {
    asio::co_spawn(context, std::move(task), asio::detached);
    asio::post(context, [this, &meanwhile] { asio::post(context, meanwhile); });
    context.run_for(std::chrono::seconds{5});
    context.restart();
  }
  void TearDown() override {
    if (peer >= 0) ::close(peer);
  }
};

Task<void> read_all(PolledSocket& socket, std::string& got, std::size_t piece) {
  std::string buffer(piece, '\0');
  for (;;) {
    error_code code;
    const std::size_t size = socket.receive(buffer.data(), piece, code);
    if (code == asio::error::would_block) {
      if (!co_await socket.readable()) co_return;
      continue;
    }
    if (code) co_return;
    got.append(buffer.data(), size);
  }
}

TEST_F(SocketPollTest, EveryByteAndTheEndAreSeenWhateverThePieceSize) {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{4096}}) {
    PolledSocket socket(poll);
    pair_with(socket);
    const std::string sent(1000, 'x');
    std::string got;
    run(read_all(socket, got, piece), [&] {
      tell(sent);
      ::close(peer);  // data and end in one edge
      peer = -1;
    });
    EXPECT_EQ(got, sent) << piece;
  }
}

TEST_F(SocketPollTest, DataThatWasThereBeforeTheSocketWasTakenOverIsReadable) {
  PolledSocket socket(poll);
  int both[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
  peer = both[1];
  tell("early");
  error_code code;
  socket.assign(both[0], code);
  bool readable = false;
  run([](PolledSocket& s, bool& is) -> Task<void> { is = co_await s.readable(); }(socket, readable));
  EXPECT_TRUE(readable);
  EXPECT_TRUE(socket.may_read());
}

TEST_F(SocketPollTest, CancelAndCloseEndAWaitWithFalse) {
  for (const bool close : {false, true}) {
    PolledSocket socket(poll);
    pair_with(socket);
    bool ended = false, readable = true;
    const auto wait = [](PolledSocket& s, bool& is, bool& over) -> Task<void> {
      is = co_await s.readable();
      over = true;
    };
    run(wait(socket, readable, ended), [&] {
      if (close) {
        socket.close();
      } else {
        socket.cancel();
      }
      EXPECT_FALSE(ended) << "not within the call";
    });
    EXPECT_TRUE(ended);
    EXPECT_FALSE(readable);
    ::close(peer);
    peer = -1;
  }
}

TEST_F(SocketPollTest, ASocketDestroyedByAnEventOfItsBatchGetsNoEventOfItsOwn) {
  auto first = std::make_unique<PolledSocket>(poll), second = std::make_unique<PolledSocket>(poll);
  int pairs[2][2];
  for (auto& both : pairs) ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
  error_code code;
  first->assign(pairs[0][0], code);
  second->assign(pairs[1][0], code);
  struct Both {
    std::unique_ptr<PolledSocket>*a, *b;
    int events = 0;
  } both{&first, &second};
  const auto destroy_both = [](void* self) {
    auto& it = *static_cast<Both*>(self);
    ++it.events;
    it.a->reset();
    it.b->reset();
  };
  first->watch(destroy_both, &both);
  second->watch(destroy_both, &both);
  for (auto& pair : pairs) ASSERT_EQ(::write(pair[1], "x", 1), 1);
  context.run_for(std::chrono::seconds{5});
  EXPECT_EQ(both.events, 1);
  for (auto& pair : pairs) ::close(pair[1]);
}

TEST_F(SocketPollTest, WhatWaitsForTheBatchIsResumedBehindItsEvents) {
  PolledSocket first(poll), second(poll);
  int pairs[2][2];
  for (auto& both : pairs) ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
  error_code code;
  first.assign(pairs[0][0], code);
  second.assign(pairs[1][0], code);
  std::string order;
  const auto one = [](SocketPoll& on, PolledSocket& socket, std::string& log, char name) -> Task<void> {
    co_await socket.readable();
    log += name;
    if (on.in_batch()) co_await on.batch_end();
    log += static_cast<char>(name - 'a' + 'A');
  };
  asio::co_spawn(context, one(poll, first, order, 'a'), asio::detached);
  asio::co_spawn(context, one(poll, second, order, 'b'), asio::detached);
  asio::post(context, [&] {
    for (auto& pair : pairs) ASSERT_EQ(::write(pair[1], "x", 1), 1);
  });
  context.run_for(std::chrono::seconds{5});
  EXPECT_TRUE(order == "abAB" || order == "baBA") << order;
  for (auto& pair : pairs) ::close(pair[1]);
}

TEST_F(SocketPollTest, AFullSocketIsWritableOnceItsPeerHasRead) {
  PolledSocket socket(poll);
  pair_with(socket);
  const std::string block(64 * 1024, 'y');
  const asio::const_buffer buffer(block.data(), block.size());
  std::size_t sent = 0;
  error_code code;
  while (!code) sent += socket.send(std::span(&buffer, 1), code);
  EXPECT_EQ(code, asio::error::would_block);
  std::string drained(sent, '\0');
  bool writable = false;
  run([](PolledSocket& s, bool& is) -> Task<void> { is = co_await s.writable(); }(socket, writable),
      [&] {
        for (std::size_t at = 0; at < sent;)
          at += static_cast<std::size_t>(::read(peer, drained.data() + at, sent - at));
      });
  EXPECT_TRUE(writable);
}

TEST_F(SocketPollTest, AConnectionThatIsRefusedSaysSo) {
  PolledSocket socket(poll);
  error_code got;
  run([](PolledSocket& s, error_code& code) -> Task<void> {
    const asio::ip::tcp::endpoint nobody(asio::ip::address_v4::loopback(), 1);
    code = co_await s.connect(nobody);
  }(socket, got));
  EXPECT_EQ(got, asio::error::connection_refused);
}

TEST(SocketPoll, MayGoBeforeWhatWaitsOnIt) {
  int both[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both), 0);
  bool resumed = false;
  {
    asio::io_context context{1};
    auto poll = std::make_unique<SocketPoll>(context);
    asio::co_spawn(
        context,
        [](SocketPoll& on, int descriptor, bool& was) -> Task<void> {
          PolledSocket socket(on);
          error_code code;
          socket.assign(descriptor, code);
          co_await socket.readable();
          was = true;
        }(*poll, both[0], resumed),
        asio::detached);
    context.poll();
    poll.reset();
  }
  EXPECT_FALSE(resumed);
  ::close(both[1]);
}

TEST(Wakeup, WakesOnceAndOnlyAWaiter) {
  asio::io_context context{1};
  SocketPoll poll(context);
  Wakeup wakeup(poll);
  wakeup.wake();  // nobody waits: nothing happens
  int woken = 0;
  asio::co_spawn(
      context,
      [](Wakeup& on, int& count) -> Task<void> {
        co_await on.wait();
        ++count;
      }(wakeup, woken),
      asio::detached);
  context.poll();
  EXPECT_EQ(woken, 0);
  wakeup.wake();
  EXPECT_EQ(woken, 0) << "not within wake()";
  context.restart();
  context.poll();
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace tollgate
