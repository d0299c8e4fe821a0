#pragma once
// A connection to PostgreSQL that can be cut at a chosen moment: a Unix socket in a folder, relayed to the server's.
//
//    PostgresProxy proxy(folder, server_socket);
//    proxy.cut_at_commit(PostgresProxy::Cut::after);   // the server commits, the client never hears of it

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tollgate::testing {

class PostgresProxy {
 public:
  enum class Cut : int { never, before, after };

  PostgresProxy(const std::string& folder, std::string server) : server_(std::move(server)) {
    const std::string path = folder + "/.s.PGSQL.5432";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_, 16) != 0) std::abort();
    acceptor_ = std::thread([this] { accept(); });
  }
  ~PostgresProxy() {
    stop_ = true;
    acceptor_.join();
    for (std::thread& each : relays_) each.join();
    ::close(listener_);
  }
  PostgresProxy(const PostgresProxy&) = delete;
  PostgresProxy& operator=(const PostgresProxy&) = delete;

  /// Once.
  void cut_at_commit(Cut cut) { cut_ = cut; }
  [[nodiscard]] bool has_cut() const { return cut_ == Cut::never; }

 private:
  void accept() {
    while (!stop_) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client >= 0) relays_.emplace_back([this, client] { relay(client); });
    }
  }

  void relay(int client) {
    const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, server_.c_str(), sizeof address.sun_path - 1);
    bool open = ::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    std::vector<char> bytes(1 << 16);
    while (open && !stop_) {
      pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(ends, 2, 20) <= 0) continue;
      if (ends[0].revents != 0) open = pass(client, server, bytes, true);
      if (open && ends[1].revents != 0) open = pass(server, client, bytes, false);
    }
    ::close(client);
    ::close(server);
  }

  bool pass(int from, int to, std::vector<char>& bytes, bool to_server) {
    const ssize_t got = ::read(from, bytes.data(), bytes.size());
    if (got <= 0) return false;
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    // A simple query: 'Q', its length, the text.
    const Cut cut = to_server && text.ends_with(std::string_view("COMMIT\0", 7)) ? cut_.exchange(Cut::never) : Cut::never;
    if (cut == Cut::before) return false;
    for (ssize_t sent = 0; sent < got;) {
      const ssize_t n = ::send(to, bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += n;
    }
    if (cut != Cut::after) return true;
    // The answer has come when the server says something; it goes no further.
    pollfd answered{to, POLLIN, 0};
    (void)::poll(&answered, 1, 5000);
    return false;
  }

  const std::string server_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<Cut> cut_{Cut::never};
  std::vector<std::thread> relays_;
  std::thread acceptor_;
};

}  // namespace tollgate::testing
