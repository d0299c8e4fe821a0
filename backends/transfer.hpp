#pragma once
// One upstream call, whatever carries it: the native client (plain HTTP/1.1, backends/native_transport.hpp) or libcurl
// (backends/curl_transport.hpp). A transport belongs to one reactor and keeps that reactor's connections.
//
//    std::unique_ptr<Transfer> transfer = transport.open(endpoint);
//    auto head = co_await transfer->start(call);
//    for (;;) { auto bytes = co_await transfer->read(); if (!bytes || bytes.value().empty()) break; … }
//
// Destroying a Transfer that has not ended aborts the call at once: the upstream sees its connection close.

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/rate_hints.hpp"
#include "backends/task.hpp"
#include "config/config.hpp"

namespace tollgate {

/// Where and how a backend is reached. Made once per backend and snapshot, shared by its calls.
struct Endpoint {
  NameId backend;
  DialectName dialect = DialectName::openai;
  bool tls = false;
  std::string host;
  std::uint16_t port = 80;
  std::string prefix;                          ///< path prefix of the url, no slash at its end
  std::vector<std::pair<std::string, std::string>> headers;  ///< sent with every call: authorization, …
  Timeouts timeouts;
  bool private_only = false;                   ///< air gap: connect to private addresses only, whatever the name resolves to; no proxy
  std::string billed_header;                   ///< says what the provider bills for a call; "": none does
};
/// "http://host:port/prefix" taken apart. Errors name what is wrong. `private_only` is Config::air_gap, for every connection that is made.
/// `key`: which of the backend's keys it carries; 0 is api_key.
[[nodiscard]] Result<Endpoint> parse_endpoint(const Backend& backend, bool private_only, std::size_t key = 0);

class ConnectWatch;

/// What is sent. All views must stay valid until the answer's head has arrived or the Transfer is gone.
struct Call {
  std::string_view method = "POST";
  std::string_view path;                       ///< after the endpoint's prefix: "/v1/chat/completions"
  std::span<const std::string_view> body;      ///< sent one after the other
  std::string_view request_id;                 ///< sent as x-request-id
  std::span<const std::pair<std::string, std::string>> headers = {};   ///< beside the endpoint's
  bool once = false;                           ///< its path will not come again: nothing is kept for it
  bool fresh = false;                          ///< on a connection of its own: a kept one may be closed as it is used, and then it would be sent again
  ConnectWatch* connects = nullptr;            ///< is told of connections that are made for it
  bool stream = false;                         ///< accept: text/event-stream instead of application/json
  std::string_view content_type = "application/json";  ///< "": none is said
  std::string_view accept = {};                ///< instead of what `stream` says
};

[[nodiscard]] inline std::string_view accept_of(const Call& call) noexcept {
  if (!call.accept.empty()) return call.accept;
  return call.stream ? "text/event-stream" : "application/json";
}

struct AnswerHead {
  int status = 0;
  bool event_stream = false;                   ///< content-type: text/event-stream, or AWS's application/vnd.amazon.eventstream
  std::string content_type;
  std::optional<std::uint64_t> content_length;
  std::optional<std::chrono::milliseconds> retry_after;   ///< from retry-after-ms or retry-after (seconds or date)
  std::string content_coding;                  ///< content-encoding as it came, for the transport; "": none
  std::string billed_time;                     ///< Endpoint::billed_header as it came; "": it did not
  RateHints rates;                             ///< what it says about the provider's rate limits
};

/// Whether a content-type is that of a stream of events.
[[nodiscard]] inline bool is_event_stream(std::string_view content_type) noexcept {
  return content_type.starts_with("text/event-stream") || content_type.starts_with("application/vnd.amazon.eventstream");
}

class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Sends and waits for the head of the final answer (1xx are passed over). Faults: upstream_unreachable (nothing was sent),
  /// upstream_timeout, upstream_broke_off, upstream_garbage (also a content coding that nobody asked for and that cannot be taken off), or what abort() said.
  virtual Task<Result<AnswerHead>> start(const Call& call) = 0;
  /// The next bytes of the body, content and transfer codings removed; empty: the body is complete. The view is valid only until
  /// the caller next suspends or reads: it may lie in memory that all calls of the reactor share.
  virtual Task<Result<std::string_view>> read() = 0;
  /// True when the last read() gave the end of the body, so that the next would return empty: spares the caller of a small answer a
  /// copy. A transfer that cannot know says false. Views have 64 readable bytes behind their end when this is true.
  [[nodiscard]] virtual bool ended() const noexcept { return false; }
  /// False: no byte of the request can have left yet. Only while start() is under way, and for who would abort it.
  [[nodiscard]] virtual bool sent() const noexcept { return true; }
  /// Ends the call from outside, on the reactor's thread: a start() or read() under way returns with this fault. The upstream
  /// connection is closed now, not later. Idempotent.
  virtual void abort(Fault why) noexcept = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;
  /// `endpoint` must outlive the Transfer.
  [[nodiscard]] virtual std::unique_ptr<Transfer> open(const Endpoint& endpoint) = 0;
  /// Closes idle connections; calls under way are not touched.
  virtual void close_idle() noexcept = 0;
};

}  // namespace tollgate
