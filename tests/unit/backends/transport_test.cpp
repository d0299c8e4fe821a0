// Both transports against a scripted upstream: success, error, timeout, cancel, and cancel at the edge.

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/socket_poll.hpp"
#include "support/scripted_server.hpp"

namespace tollgate {
namespace {

using std::chrono::milliseconds;

const std::string stream_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string whole(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

struct Got {
  Result<AnswerHead> head = fail(Fault::internal, "not run");
  std::string body;
  std::optional<Fault> broke;
};

class Transports : public testing::TestWithParam<bool> {
 protected:
  Transports()
      : wheel(context),
        poll(context),
        transport(GetParam() ? make_curl_transport(context, poll, wheel) : make_native_transport(context, poll, wheel)) {
    endpoint.backend = Names::global().intern("b");
    endpoint.host = "127.0.0.1";
    endpoint.timeouts.first_byte = endpoint.timeouts.silence = milliseconds{2'000};
  }

  Task<void> one(Got& got, std::string body) {
    Call call;
    call.path = "/v1/x";
    const std::string_view pieces[] = {std::string_view(body).substr(0, body.size() / 2), std::string_view(body).substr(body.size() / 2)};
    call.body = pieces;
    call.request_id = "req_1";
    const std::unique_ptr<Transfer> transfer = transport->open(endpoint);
    running = transfer.get();
    got.head = co_await transfer->start(call);
    while (got.head) {
      const Result<std::string_view> bytes = co_await transfer->read();
      if (!bytes) got.broke = bytes.error().fault;
      if (!bytes || bytes.value().empty()) break;
      got.body.append(bytes.value());
      if (pause_per_read.count() > 0) {
        Timer pause(context.get_executor(), pause_per_read);
        co_await pause.async_wait(asio::as_tuple(use_task));
      }
      if (leave_after != 0 && got.body.size() >= leave_after) break;
    }
    running = nullptr;
  }

  Got call(std::string body = "{}") {
    Got got;
    bool done = false;
    asio::co_spawn(context, one(got, std::move(body)), [&](const std::exception_ptr& failed) {
      EXPECT_FALSE(failed);
      done = true;
    });
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    while (!done && std::chrono::steady_clock::now() < give_up) context.run_one_for(milliseconds{100});
    EXPECT_TRUE(done) << "the call hangs";
    context.restart();
    return got;
  }

  asio::io_context context{1};
  DeadlineWheel wheel;
  SocketPoll poll;
  std::unique_ptr<Transport> transport;
  Endpoint endpoint;
  Transfer* running = nullptr;
  milliseconds pause_per_read{0};
  std::size_t leave_after = 0;
};
INSTANTIATE_TEST_SUITE_P(, Transports, testing::Bool(), [](const auto& tested) { return tested.param ? "Curl" : "Native"; });

TEST_P(Transports, AnswersComeWholeAndConnectionsAreKept) {
  std::string seen;
  ScriptedServer server([&](int socket, int number, const std::string& request) {
    if (number == 0) seen = request;
    return ScriptedServer::send(socket, whole("{\"n\":" + std::to_string(number) + "}"));
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  endpoint.prefix = "/p";
  endpoint.headers = {{"authorization", "Bearer k"}};
  for (int i = 0; i < 3; ++i) {
    const Got got = call(std::string(100'000, 'x'));
    ASSERT_TRUE(got.head) << got.head.error().message;
    EXPECT_EQ(got.head.value().status, 200);
    EXPECT_EQ(got.body, "{\"n\":" + std::to_string(i) + "}");
  }
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(seen.starts_with("POST /p/v1/x HTTP/1.1\r\n")) << seen.substr(0, 60);
  for (const char* line : {"authorization: Bearer k\r\n", "x-request-id: req_1\r\n", "content-type: application/json\r\n"}) EXPECT_NE(seen.find(line), std::string::npos) << line;
  EXPECT_TRUE(seen.ends_with(std::string(1000, 'x')));
}

TEST_P(Transports, AConnectionClosedWhileIdleIsReplacedInSilence) {
  ScriptedServer server([&](int socket, int, const std::string&) { return ScriptedServer::send(socket, whole("{}")) && false; });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  for (int i = 0; i < 3; ++i) {
    const Got got = call();
    ASSERT_TRUE(got.head) << got.head.error().message;
    EXPECT_EQ(got.body, "{}");
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST_P(Transports, ChunkedStreamsComeWithoutTheirFraming) {
  ScriptedServer server([&](int socket, int, const std::string&) {
    ScriptedServer::send(socket, "HTTP/1.1 102 Processing\r\n\r\n" + stream_head.substr(0, 30));
    for (const std::string& part : {stream_head.substr(30), std::string("6\r\ndata: "), std::string("\r\n3"), std::string("\r\na\n\n\r\n5\r\n"), std::string("data:\r\n0\r\n"), std::string("\r\n")}) {
      std::this_thread::sleep_for(milliseconds{15});   // so that the parts arrive apart
      ScriptedServer::send(socket, part);
    }
    return true;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  const Got got = call();
  ASSERT_TRUE(got.head) << got.head.error().message;
  EXPECT_TRUE(got.head.value().event_stream);
  EXPECT_EQ(got.body, "data: a\n\ndata:");
  EXPECT_FALSE(got.broke);
}

TEST_P(Transports, RefusedConnectionsAreUnreachable) {
  int port = 0;
  {
    ScriptedServer gone([](int, int, const std::string&) { return false; });
    port = gone.port();
  }
  endpoint.port = static_cast<std::uint16_t>(port);
  const Got got = call();
  ASSERT_FALSE(got.head);
  EXPECT_EQ(got.head.error().fault, Fault::upstream_unreachable);
  EXPECT_NE(got.head.error().message.find("backend 'b'"), std::string::npos);
}

TEST_P(Transports, SilenceBeforeTheHeadTimesOutAndTheConnectionIsClosed) {
  std::atomic<bool> closed{false};
  ScriptedServer server([&](int socket, int, const std::string&) {
    closed = server.wait_closed(socket, milliseconds{3'000});
    return false;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  endpoint.timeouts.connect = milliseconds{50};
  endpoint.timeouts.first_byte = milliseconds{100};
  const Got got = call();
  ASSERT_FALSE(got.head);
  EXPECT_EQ(got.head.error().fault, Fault::upstream_timeout);
  for (int i = 0; i < 100 && !closed; ++i) std::this_thread::sleep_for(milliseconds{10});
  EXPECT_TRUE(closed);
}

TEST_P(Transports, SilenceInTheMiddleTimesOut) {
  ScriptedServer server([&](int socket, int, const std::string&) {
    ScriptedServer::send(socket, stream_head + "2\r\nab\r\n");
    server.wait_closed(socket, milliseconds{3'000});
    return false;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  endpoint.timeouts.silence = milliseconds{100};
  const Got got = call();
  ASSERT_TRUE(got.head);
  EXPECT_EQ(got.body, "ab");
  EXPECT_EQ(got.broke, Fault::upstream_timeout);
}

TEST_P(Transports, AnAnswerCutInTheMiddleIsBrokenOff) {
  ScriptedServer server([&](int socket, int number, const std::string&) {
    ScriptedServer::send(socket, number == 0 ? stream_head + "5\r\nab" : whole("{}").substr(0, whole("{}").size() - 1));
    return false;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(call().broke, Fault::upstream_broke_off) << i;
}

TEST_P(Transports, GarbageIsNotAnAnswer) {
  ScriptedServer server([&](int socket, int, const std::string&) { return ScriptedServer::send(socket, "220 smtp ready\r\n\r\n") && false; });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  const Got got = call();
  ASSERT_FALSE(got.head);
  EXPECT_TRUE(got.head.error().fault == Fault::upstream_garbage || got.head.error().fault == Fault::upstream_broke_off) << got.head.error().message;
}

TEST_P(Transports, ASlowReaderGetsEveryByteOfALargeAnswer) {
  const std::string big(6'000'000, 'y');
  ScriptedServer server([&](int socket, int, const std::string&) { return ScriptedServer::send(socket, whole(big)); });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  pause_per_read = milliseconds{1};
  EXPECT_EQ(call().body.size(), big.size());
}

TEST_P(Transports, DestroyingAnUnfinishedTransferClosesItsConnectionAtOnce) {
  std::atomic<bool> closed{false};
  ScriptedServer server([&](int socket, int, const std::string&) {
    ScriptedServer::send(socket, stream_head + "2\r\nab\r\n");
    closed = server.wait_closed(socket, milliseconds{3'000});
    return false;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  leave_after = 2;
  EXPECT_EQ(call().body, "ab");
  for (int i = 0; i < 100 && !closed; ++i) std::this_thread::sleep_for(milliseconds{10});
  EXPECT_TRUE(closed);
}

TEST_P(Transports, AbortWakesWhoeverWaits) {
  ScriptedServer server([&](int socket, int number, const std::string&) {
    if (number == 1) ScriptedServer::send(socket, stream_head + "2\r\nab\r\n");
    server.wait_closed(socket, milliseconds{3'000});
    return false;
  });
  endpoint.port = static_cast<std::uint16_t>(server.port());
  for (int number = 0; number < 2; ++number) {   // waiting for the head, then for the body
    Timer timer(context.get_executor(), milliseconds{100});
    timer.async_wait([&](const boost::system::error_code&) {
      if (running != nullptr) {
        running->abort(Fault::client_gone);
        running->abort(Fault::internal);         // the first word stands
      }
    });
    const Got got = call();
    if (number == 0) {
      ASSERT_FALSE(got.head);
      EXPECT_EQ(got.head.error().fault, Fault::client_gone);
    } else {
      EXPECT_EQ(got.broke, Fault::client_gone);
    }
  }
}

}  // namespace
}  // namespace tollgate
