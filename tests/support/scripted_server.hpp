#pragma once
// An upstream that does what a test says: for each connection, one script per request; plain blocking sockets on a thread of its own.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tollgate {

class ScriptedServer {
 public:
  /// Called for each request on a connection; returns false to close it. `number` counts requests over all connections from 0.
  using Script = std::function<bool(int socket, int number, const std::string& request)>;

  explicit ScriptedServer(Script script) : script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 64);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~ScriptedServer() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& each : threads_) each.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }
  /// How many connections were seen closed by the other side.
  [[nodiscard]] int closed_by_peer() const { return closed_by_peer_; }

  static bool send(int socket, const std::string& text) {
    return ::send(socket, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// Waits until the other side closes; true if it did within the limit.
  bool wait_closed(int socket, std::chrono::milliseconds limit) {
    timeval wait{limit.count() / 1000, (limit.count() % 1000) * 1000};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    char byte;
    const ssize_t got = ::recv(socket, &byte, 1, 0);
    const bool closed = got == 0 || (got < 0 && errno == ECONNRESET);
    if (closed) ++closed_by_peer_;
    return closed;
  }

 private:
  void accept() {
    for (;;) {
      const int socket = ::accept(listener_, nullptr, nullptr);
      if (socket < 0 || stopping_) {
        if (socket >= 0) ::close(socket);
        return;
      }
      ++connections_;
      const std::lock_guard lock(mutex_);
      open_.push_back(socket);
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }
  void serve(int socket) {
    std::string request;
    while (read_request(socket, request) && script_(socket, number_++, request)) request.clear();
    ::shutdown(socket, SHUT_RDWR);
    const std::lock_guard lock(mutex_);
    std::erase(open_, socket);
    ::close(socket);
  }
  static bool read_request(int socket, std::string& request) {
    for (;;) {
      const std::size_t head = request.find("\r\n\r\n");
      if (head != std::string::npos) {
        std::size_t length = 0;
        const std::size_t at = request.find("ontent-");
        for (std::size_t from = at; from != std::string::npos && from < head; from = request.find("ontent-", from + 1)) {
          if (request.compare(from, 9, "ontent-le") == 0 || request.compare(from, 9, "ontent-Le") == 0) length = std::stoul(request.substr(request.find(':', from) + 1));
        }
        if (request.size() >= head + 4 + length) return true;
      }
      char buffer[65536];
      const ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      request.append(buffer, static_cast<std::size_t>(got));
    }
  }

  Script script_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0}, number_{0}, closed_by_peer_{0};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tollgate
