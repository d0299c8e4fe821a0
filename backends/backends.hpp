#pragma once
// The folder's public header. Knows: wire protocols, upstream connections, health, the simulator. Knows nothing of: who is calling,
// routes, money beyond Usage.

#include <functional>

#include "backends/dialect.hpp"
#include "backends/engine_board.hpp"
#include "backends/health.hpp"
#include "backends/rate_gate.hpp"
#include "backends/task.hpp"
#include "backends/transfer.hpp"

namespace tollgate {

class DeadlineWheel;
class SocketPoll;

/// libcurl multi on this io_context: HTTP/1.1 and 2, TLS, proxies from the environment. One per reactor.
[[nodiscard]] std::unique_ptr<Transport> make_curl_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel);
/// The native client for plain HTTP/1.1. One per reactor.
[[nodiscard]] std::unique_ptr<Transport> make_native_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel);

/// Probes every backend that offers a health path (vllm: GET /health) each `interval`, on its own thread, and tells the board.
class Prober {
 public:
  virtual ~Prober() = default;                       ///< stops and joins
  virtual void watch(const ConfigPtr& config) = 0;   ///< replaces what is watched; any thread
};
[[nodiscard]] std::unique_ptr<Prober> start_prober(HealthBoard& board, std::chrono::milliseconds interval);

/// Reads the metrics of every backend that is_scraped(), each at its interval, on its own thread, and tells the board.
class EngineScraper {
 public:
  virtual ~EngineScraper() = default;                ///< stops and joins
  virtual void watch(const ConfigPtr& config) = 0;   ///< replaces what is watched; any thread
};
/// Called on the scraper's thread when a backend's metrics cannot be read, once per reason: backend, what is wrong.
using ScrapeFailed = std::function<void(const std::string&, const std::string&)>;
[[nodiscard]] std::unique_ptr<EngineScraper> start_scraper(EngineBoard& board, ScrapeFailed told);

}  // namespace tollgate
