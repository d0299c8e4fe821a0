// A very cheap OpenAI-like upstream: one thread, fixed answers, so that what is measured is the proxy in front of it.
// An answer begins with the token it finds in the request ("tok-" and 16 digits): mixed-up answers are seen. Streams
// carry the time at which each chunk was sent, and running token counts if they were asked for, as vLLM's do.
//
//    bench_upstream --port 0 --chunks 50 --interval-us 20000 --answer-bytes 400
//    prints "port N"

#include <sys/epoll.h>

#include <deque>
#include <memory>
#include <vector>

#include "bench.hpp"

namespace bench {
namespace {

struct Settings {
  int chunks = 50;
  std::int64_t interval_ns = 0;
  std::string filler;
};

struct Connection {
  int fd = -1;
  std::uint64_t generation = 0;  // of the stream under way; an older entry in the queue is of a stream that has gone
  std::string in, out;
  std::string token;
  int chunks_left = 0, sent = 0;
  bool running_usage = false, final_usage = false;
};

std::string answer(const Settings& settings, std::string_view token) {
  std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":")";
  body.append(token).append(" ").append(settings.filler);
  body +=
      R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":256,"completion_tokens":64,"total_tokens":320}})";
  return "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string usage_of(int output) {
  return R"({"prompt_tokens":256,"completion_tokens":)" + std::to_string(output) + R"(,"total_tokens":)" +
         std::to_string(256 + output) + "}";
}

void append_chunk(std::string& out, const std::string& data) {
  char size[24];
  out.append(size, static_cast<std::size_t>(std::snprintf(size, sizeof size, "%zx\r\n", data.size() + 8)));
  out.append("data: ").append(data).append("\n\n\r\n");
}

class Upstream {
 public:
  Upstream(int port, Settings settings) : settings_(std::move(settings)), epoll_(epoll_create1(0)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(port);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 8192) != 0)
      die("cannot listen");
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("port %d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    add(listener_);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(1024);
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (auto& connection = at(fd); connection) {
          if ((events[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0) flush(*connection);
          if (connection) receive(fd);
        }
      }
      send_due();
    }
  }

 private:
  struct Due {
    std::int64_t at;
    int fd;
    std::uint64_t generation;
  };

  void add(int fd) const {
    epoll_event event{};
    event.events = fd == listener_ ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | static_cast<std::uint32_t>(EPOLLET);
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  std::unique_ptr<Connection>& at(int fd) {
    if (connections_.size() <= static_cast<std::size_t>(fd)) connections_.resize(static_cast<std::size_t>(fd) + 1);
    return connections_[static_cast<std::size_t>(fd)];
  }

  [[nodiscard]] int wait_ms() const {
    if (due_.empty()) return -1;
    const std::int64_t left = due_.front().at - now_ns();
    return left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000);
  }

  void accept_all() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
      set_nodelay(fd);
      at(fd) = std::make_unique<Connection>();
      at(fd)->fd = fd;
      add(fd);
    }
  }

  void receive(int fd) {
    static char buffer[256 * 1024];
    for (;;) {
      const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        at(fd)->in.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      if (got < 0 && errno == EAGAIN) break;
      ::close(fd);
      at(fd).reset();
      return;
    }
    Connection& connection = *at(fd);
    while (connection.chunks_left == 0 && serve(connection)) {
    }
    flush(connection);
  }

  // Answers one request that is complete in the buffer.
  bool serve(Connection& connection) {
    const std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string_view head(connection.in.data(), end);
    const auto length = number<std::size_t>(header(head, "content-length"));
    if (connection.in.size() < end + 4 + length) return false;
    const std::string_view body = std::string_view(connection.in).substr(end + 4, length);
    const std::size_t token = body.find(token_mark);
    connection.token = token == std::string_view::npos ? "none" : std::string(body.substr(token, token_size));
    const bool stream = body.find("\"stream\":true") != std::string_view::npos;
    connection.running_usage = body.find("continuous_usage_stats") != std::string_view::npos;
    connection.final_usage = body.find("include_usage") != std::string_view::npos;
    connection.in.erase(0, end + 4 + length);
    if (!stream) {
      connection.out += answer(settings_, connection.token);
      return true;
    }
    connection.out += "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    connection.chunks_left = settings_.chunks;
    connection.sent = 0;
    ++connection.generation;
    next_chunk(connection);
    return true;
  }

  void next_chunk(Connection& connection) {
    ++connection.sent;
    --connection.chunks_left;
    std::string data =
        R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":")" +
        connection.token + " t=" + std::to_string(now_ns()) + R"( "},"logprobs":null,"finish_reason":)" +
        (connection.chunks_left == 0 ? "\"stop\"" : "null") + "}]";
    if (connection.running_usage) data += ",\"usage\":" + usage_of(connection.sent);
    append_chunk(connection.out, data + "}");
    if (connection.chunks_left > 0) {
      due_.push_back({now_ns() + settings_.interval_ns, connection.fd, connection.generation});
      return;
    }
    if (connection.final_usage) {
      append_chunk(
          connection.out,
          R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[],"usage":)" +
              usage_of(connection.sent) + "}");
    }
    append_chunk(connection.out, "[DONE]");
    connection.out += "0\r\n\r\n";
  }

  // All streams have the same interval, so what is due first was put in first.
  void send_due() {
    while (!due_.empty() && due_.front().at <= now_ns()) {
      const Due due = due_.front();
      due_.pop_front();
      auto& connection = at(due.fd);
      if (!connection || connection->generation != due.generation || connection->chunks_left == 0) continue;
      next_chunk(*connection);
      flush(*connection);
    }
  }

  static void flush(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t sent = ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // EPOLLOUT goes on, or reading finds the end
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
  }

  Settings settings_;
  int epoll_, listener_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::deque<Due> due_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  auto given =
      bench::options(argc, argv, {{"port", "0"}, {"chunks", "50"}, {"interval-us", "0"}, {"answer-bytes", "400"}});
  bench::Settings settings;
  settings.chunks = std::max(1, std::atoi(given["chunks"].c_str()));
  settings.interval_ns = std::atoll(given["interval-us"].c_str()) * 1000;
  settings.filler.assign(static_cast<std::size_t>(std::atoll(given["answer-bytes"].c_str())), 'x');
  bench::Upstream(std::atoi(given["port"].c_str()), std::move(settings)).run();
}
