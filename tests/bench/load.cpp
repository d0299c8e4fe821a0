// A load generator for what stands in front of bench_upstream: one thread, keep-alive connections, every answer checked
// for its own token. Closed loop (as fast as answers come) or a fixed rate (delays counted from when a request was due,
// so a proxy that stalls cannot hide it). Streams: time to first chunk, and the delay of every chunk from the time
// written in it.
//
//    bench_load --port 8080 --connections 64 --seconds 5 --body-bytes 1024 [--rate 4000] [--stream 1] [--requests 2000]
//    prints one line of JSON

#include <sys/epoll.h>
#include <sys/prctl.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "bench.hpp"

namespace bench {
namespace {

struct Settings {
  int port = 0, connections = 1;
  double seconds = 1, rate = 0;
  std::size_t body_bytes = 1024;
  std::int64_t requests = 0;  // 0: until the time is over
  bool stream = false;
  std::string model, key;
};

struct Connection {
  int fd = -1;
  bool busy = false;
  std::string in, out, token;
  std::int64_t due = 0;
  // of the answer under way
  bool head_read = false, chunked = false, first = true, done_seen = false;
  int status = 0;
  std::size_t left = 0;  // of the body, or of the chunk
  std::string tail;      // of the event not yet complete
  bool right = false;    // its token was seen
  bool wrong = false;    // another's was
};

class Load {
 public:
  explicit Load(Settings settings) : settings_(std::move(settings)), epoll_(epoll_create1(0)) {
    const std::size_t frame = 160 + settings_.model.size();
    filler_.assign(settings_.body_bytes > frame ? settings_.body_bytes - frame : 0, ' ');
    constexpr std::string_view words = "the quick brown fox jumps over the lazy dog and runs on ";
    for (std::size_t i = 0; i < filler_.size(); ++i) filler_[i] = words[i % words.size()];
  }

  void run() {
    connections_.resize(static_cast<std::size_t>(settings_.connections));
    for (Connection& connection : connections_) open(connection);
    begin_ = now_ns();
    const auto length = static_cast<std::int64_t>(settings_.seconds * 1e9);
    const std::int64_t end = begin_ + length;
    if (settings_.rate == 0) {
      for (Connection& connection : connections_) start(connection, now_ns());
    }
    std::vector<epoll_event> events(1024);
    while ((now_ns() < end && may_start()) || busy_ > 0) {
      if (now_ns() > end + grace_ns) break;
      stopping_ = now_ns() >= end;
      if (settings_.rate > 0 && !stopping_) start_due();
      const timespec wait = time_to_wait();
      const int count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
      for (int i = 0; i < count; ++i) handle(connections_[events[static_cast<std::size_t>(i)].data.u32]);
    }
    errors_ += static_cast<std::uint64_t>(busy_);  // never answered
    report(static_cast<double>(std::min(now_ns(), end + grace_ns) - begin_) / 1e9);
  }

 private:
  static constexpr std::int64_t grace_ns = 60'000'000'000;

  [[nodiscard]] bool may_start() const { return settings_.requests == 0 || started_ < settings_.requests; }

  void open(Connection& connection) {
    connection = Connection{};
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(settings_.port);
    if (connection.fd < 0 || connect(connection.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      die("cannot connect");
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    set_nodelay(connection.fd);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | static_cast<std::uint32_t>(EPOLLET);
    event.data.u32 = static_cast<std::uint32_t>(&connection - connections_.data());
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) die("epoll_ctl");
    idle_.push_back(event.data.u32);
  }

  void start(Connection& connection, std::int64_t due) {
    if (!may_start()) return;
    std::erase(idle_, static_cast<std::uint32_t>(&connection - connections_.data()));
    const std::string digits = std::to_string(++started_);
    connection.token =
        std::string(token_mark) + std::string(token_size - token_mark.size() - digits.size(), '0') + digits;
    connection.busy = connection.first = true;
    connection.head_read = connection.chunked = connection.right = connection.wrong = connection.done_seen = false;
    connection.left = 0;
    connection.tail.clear();
    connection.due = due;
    ++busy_;
    std::string body = R"({"model":")" + settings_.model + R"(","messages":[{"role":"user","content":")" +
                       connection.token + " " + filler_ + "\"}]";
    if (settings_.stream) body += R"(,"stream":true,"stream_options":{"include_usage":true})";
    body += "}";
    connection.out = "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n";
    if (!settings_.key.empty()) connection.out += "authorization: Bearer " + settings_.key + "\r\n";
    connection.out += "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    flush(connection);
  }

  // Sleeps until the next request is due, rather than spin: the upstream lives on the same CPU.
  [[nodiscard]] timespec time_to_wait() const {
    constexpr std::int64_t at_most = 100'000'000;
    std::int64_t left = at_most;
    if (settings_.rate > 0 && !stopping_ && !idle_.empty())
      left = std::clamp<std::int64_t>(due_of(scheduled_) - now_ns(), 0, at_most);
    return {0, left};
  }

  [[nodiscard]] std::int64_t due_of(std::int64_t request) const {
    return begin_ + static_cast<std::int64_t>(static_cast<double>(request) * 1e9 / settings_.rate);
  }

  void start_due() {
    while (may_start()) {
      const std::int64_t due = due_of(scheduled_);
      if (due > now_ns() || idle_.empty()) return;  // late ones keep their due time
      ++scheduled_;
      start(connections_[idle_.front()], due);
    }
  }

  static void flush(Connection& connection) {
    while (!connection.out.empty()) {
      const ssize_t sent = ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      connection.out.erase(0, static_cast<std::size_t>(sent));
    }
  }

  void handle(Connection& connection) {
    flush(connection);
    static char buffer[256 * 1024];
    for (;;) {
      const ssize_t got = recv(connection.fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        connection.in.append(buffer, static_cast<std::size_t>(got));
        while (connection.busy && advance(connection)) {
        }
        continue;
      }
      if (got < 0 && errno == EAGAIN) return;
      const bool was_busy = connection.busy;
      ::close(connection.fd);
      if (was_busy) {
        ++errors_;
        --busy_;
      }
      std::erase(idle_, static_cast<std::uint32_t>(&connection - connections_.data()));
      open(connection);
      if (settings_.rate == 0 && !stopping_) start(connection, now_ns());
      return;
    }
  }

  bool advance(Connection& connection) {
    if (!connection.head_read) return read_head(connection);
    if (connection.chunked) return read_chunk(connection);
    if (connection.in.size() < connection.left) return false;
    look(connection, std::string_view(connection.in).substr(0, connection.left));
    connection.in.erase(0, connection.left);
    finish(connection);
    return true;
  }

  static bool read_head(Connection& connection) {
    const std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const std::string_view head(connection.in.data(), end);
    connection.status = number<int>(head.substr(std::min<std::size_t>(9, head.size())));
    connection.chunked = !header(head, "transfer-encoding").empty();
    connection.left = connection.chunked ? 0 : number<std::size_t>(header(head, "content-length"));
    connection.in.erase(0, end + 4);
    connection.head_read = true;
    return true;
  }

  bool read_chunk(Connection& connection) {
    const std::size_t line = connection.in.find("\r\n");
    if (line == std::string::npos) return false;
    const auto size = number<std::size_t>(std::string_view(connection.in).substr(0, line), 16);
    if (connection.in.size() < line + 2 + size + 2) return false;
    if (size > 0) {
      connection.tail.append(connection.in, line + 2, size);
      std::size_t end;
      while ((end = connection.tail.find("\n\n")) != std::string::npos) {
        event(connection, std::string_view(connection.tail).substr(0, end));
        connection.tail.erase(0, end + 2);
      }
    }
    connection.in.erase(0, line + 2 + size + 2);
    if (size == 0) finish(connection);
    return true;
  }

  void event(Connection& connection, std::string_view text) {
    const std::int64_t now = now_ns();
    if (text.find("[DONE]") != std::string_view::npos) connection.done_seen = true;
    const std::size_t at = text.find(" t=");
    if (at == std::string_view::npos) return;
    look(connection, text);
    chunk_delays_.push_back(now - number<std::int64_t>(text.substr(at + 3)));
    if (connection.first) first_chunks_.push_back(now - connection.due);
    connection.first = false;
  }

  static void look(Connection& connection, std::string_view text) {
    const std::size_t at = text.find(token_mark);
    if (at == std::string_view::npos) return;
    (text.substr(at, token_size) == connection.token ? connection.right : connection.wrong) = true;
  }

  void finish(Connection& connection) {
    --busy_;
    connection.busy = false;
    const bool complete = !settings_.stream || connection.done_seen;
    if (connection.wrong) ++mixed_up_;
    if (connection.status != 200 || !connection.right || !complete) {
      ++errors_;
    } else {
      ++answered_;
      delays_.push_back(now_ns() - connection.due);
    }
    idle_.push_back(static_cast<std::uint32_t>(&connection - connections_.data()));
    if (settings_.rate == 0 && !stopping_) start(connection, now_ns());
  }

  static double at_us(std::vector<std::int64_t>& values, double share) {
    if (values.empty()) return 0;
    const auto index =
        std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
    return static_cast<double>(values[index]) / 1000;
  }

  void report(double seconds) {
    std::printf(
        "{\"answered\":%llu,\"errors\":%llu,\"mixed_up\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%.1f,"
        "\"p99_us\":%.1f",
        static_cast<unsigned long long>(answered_), static_cast<unsigned long long>(errors_),
        static_cast<unsigned long long>(mixed_up_), seconds, static_cast<double>(answered_) / seconds,
        at_us(delays_, 0.5), at_us(delays_, 0.99));
    if (settings_.stream) {
      std::printf(
          ",\"chunks\":%zu,\"chunk_p50_us\":%.1f,\"chunk_p99_us\":%.1f,\"first_chunk_p50_us\":%.1f,\"first_chunk_p99_"
          "us\":%.1f",
          chunk_delays_.size(), at_us(chunk_delays_, 0.5), at_us(chunk_delays_, 0.99), at_us(first_chunks_, 0.5),
          at_us(first_chunks_, 0.99));
    }
    std::printf("}\n");
  }

  Settings settings_;
  int epoll_;
  std::string filler_;
  std::vector<Connection> connections_;
  std::deque<std::uint32_t> idle_;
  std::int64_t begin_ = 0, started_ = 0, scheduled_ = 0, busy_ = 0;
  bool stopping_ = false;
  std::uint64_t answered_ = 0, errors_ = 0, mixed_up_ = 0;
  std::vector<std::int64_t> delays_, chunk_delays_, first_chunks_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  prctl(PR_SET_TIMERSLACK, 1UL);
  auto given = bench::options(argc, argv,
                              {{"port", "8080"},
                               {"connections", "64"},
                               {"seconds", "5"},
                               {"rate", "0"},
                               {"body-bytes", "1024"},
                               {"requests", "0"},
                               {"stream", "0"},
                               {"model", "bench/bench"},
                               {"key", ""}});
  bench::Settings settings;
  settings.port = std::atoi(given["port"].c_str());
  settings.connections = std::max(1, std::atoi(given["connections"].c_str()));
  settings.seconds = std::atof(given["seconds"].c_str());
  settings.rate = std::atof(given["rate"].c_str());
  settings.body_bytes = static_cast<std::size_t>(std::atoll(given["body-bytes"].c_str()));
  settings.requests = std::atoll(given["requests"].c_str());
  settings.stream = given["stream"] == "1";
  settings.model = given["model"];
  settings.key = given["key"];
  bench::Load(std::move(settings)).run();
}
