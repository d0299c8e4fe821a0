#pragma once
// The bytes of a RedisLink: a socket, with TLS if asked, whose every wait ends. Private to metrics/shared.

#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "metrics/shared/redis_link.hpp"

namespace tollgate {

class RedisLink::Socket {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Socket>> open(const SharedConfig& config);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  [[nodiscard]] Result<void> write(std::string_view bytes);
  /// At least one byte, put into `into`.
  [[nodiscard]] Result<std::size_t> read(char* into, std::size_t most);

 private:
  using Clock = std::chrono::steady_clock;
  struct FreeTls {
    void operator()(SSL* tls) const noexcept { SSL_free(tls); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  };
  explicit Socket(const SharedConfig& config) : where_(config.where), timeout_(config.timeout) {}
  [[nodiscard]] Result<void> dial(const SharedConfig& config);
  [[nodiscard]] Result<void> dial_path(const std::string& path);
  [[nodiscard]] Result<void> finish_connect(int descriptor, const void* address, unsigned length);
  [[nodiscard]] Result<void> secure(const SharedConfig& config);
  /// Until the socket is ready or the time is up.
  [[nodiscard]] Result<void> wait(short events, Clock::time_point until) const;
  [[nodiscard]] Result<void> wait_for_tls(int outcome, Clock::time_point until) const;
  [[nodiscard]] Error broken(const std::string& why) const;

  const std::string where_;
  const std::chrono::milliseconds timeout_;
  int descriptor_ = -1;
  std::unique_ptr<SSL_CTX, FreeTls> context_;
  std::unique_ptr<SSL, FreeTls> tls_;
};

}  // namespace tollgate
