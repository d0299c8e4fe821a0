#pragma once
// One connection to a Redis or Valkey server: TCP, TLS or a Unix socket. hiredis writes and reads the protocol; bytes go over a
// socket of our own, because Debian 12's hiredis has no TLS and because every wait must end.
//
//    RedisLink link(config);
//    Result<std::vector<RedisReply>> replies = link.ask({{"GET", "a"}, {"INCR", "b"}});      // one round trip
//
// Connects when it is first asked and after every failure. After an error nobody knows which of the commands were carried out; the
// connection is closed, so that no answer is ever taken for that of a later command. Blocks at most SharedConfig::timeout per
// step. One thread.

#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

struct RedisReply {
  enum class Kind : std::uint8_t { text, integer, list, nil, error } kind = Kind::nil;
  std::string text;  ///< also of an error
  std::int64_t integer = 0;
  std::vector<RedisReply> list;
};
using RedisCommand = std::vector<std::string>;

class RedisLink {
 public:
  explicit RedisLink(const SharedConfig& config);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  /// Connects if it is not connected.
  [[nodiscard]] Result<void> ready();
  [[nodiscard]] Result<std::vector<RedisReply>> ask(const std::vector<RedisCommand>& commands);
  /// Of the server at the other end: another one after a restart or a failover. "" before the first answer, or if it may not be asked.
  [[nodiscard]] const std::string& server_run() const noexcept { return server_run_; }
  /// "allkeys-lru" …: a server that evicts keys forgets what was spent. "" if it is not known or no memory limit is set.
  [[nodiscard]] const std::string& eviction() const noexcept { return eviction_; }
  void close() noexcept;

 private:
  class Socket;
  [[nodiscard]] Result<void> greet();
  [[nodiscard]] Result<std::vector<RedisReply>> exchange(const std::vector<RedisCommand>& commands);

  const SharedConfig config_;
  std::unique_ptr<Socket> socket_;
  std::string server_run_, eviction_;
};

}  // namespace tollgate
