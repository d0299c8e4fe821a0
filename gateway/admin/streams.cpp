#include "gateway/admin/streams.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/write.hpp>

#include "gateway/admin/client_watch.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/admin/typed_request.hpp"
#include "gateway/gateway.hpp"

namespace tollgate {

namespace {

constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds write_max{10};           // a page that takes nothing for so long is gone
constexpr std::chrono::minutes answer_silence_max{15};  // the data port has its own, shorter limits
constexpr std::size_t decisions_at_first = 50;
constexpr std::size_t decisions_per_event = 24;
constexpr std::size_t status_line_max = 256;

/// The newest first, as an event.
std::string decisions_event(LiveView& live, std::uint64_t& seen, std::size_t most) {
  const std::vector<DecisionPtr> fresh = live.decisions_after(seen);
  seen = live.decisions_seen();
  if (fresh.empty()) return {};
  std::string event = "event: decisions\ndata: [";
  for (std::size_t i = 0; i < fresh.size() && i < most; ++i) event += (i == 0 ? "" : ",") + LiveView::brief(*fresh[i]);
  return event + "]\n\n";
}

/// The head as a client of the data port writes it.
std::string head_of(const TypedRequest& typed, const std::string& host, std::string_view api_key) {
  std::string head = "POST /v1/chat/completions HTTP/1.1\r\nhost: " + host +
                     "\r\nconnection: close\r\ncontent-type: application/json\r\n";
  if (!api_key.empty()) head += "authorization: Bearer " + std::string(api_key) + "\r\n";
  for (const auto& [name, value] : typed.headers) head += name + ": " + value + "\r\n";
  return head + "content-length: " + std::to_string(typed.body.size()) + "\r\n\r\n";
}

/// Puts our own lines behind the status line of an answer that has begun to come; nothing yet: more is needed.
std::optional<std::string> with_admin_headers(const std::string& begun) {
  const std::size_t end = begun.find("\r\n");
  if (end == std::string::npos) return std::nullopt;
  return begun.substr(0, end + 2) + std::string(admin_headers()) + begun.substr(end + 2);
}

Task<bool> relay_answer(AdminStream& to, AdminStream& from) {
  std::array<char, 16 * 1024> piece;
  std::string begun;
  bool head_is_out = false;
  const ClientWatch watch(to, [&from] { from.cancel(); });  // ends the request: nobody waits for it
  for (;;) {
    from.expires_after(answer_silence_max);
    const auto room = asio::buffer(piece);
    auto [ended, size] = co_await from.async_read_some(room, as_result);
    if (ended) co_return head_is_out || watch.gone();
    std::string out(piece.data(), size);
    if (!head_is_out) {
      begun += out;
      std::optional<std::string> head = with_admin_headers(begun);
      if (!head && begun.size() < status_line_max) continue;
      out = head ? std::move(*head) : begun;
      head_is_out = true;
    }
    const bool taken = co_await write_all(to, std::move(out));
    if (!taken) co_return true;  // the page is gone: closing `from` ends the request
  }
}

}  // namespace

Task<bool> write_all(AdminStream& stream, std::string text) {
  stream.expires_after(write_max);
  const auto bytes = asio::buffer(text);
  auto [failed, sent] = co_await asio::async_write(stream, bytes, as_result);
  static_cast<void>(sent);
  co_return !failed;
}

std::string_view admin_headers() noexcept {
  return "cache-control: no-store\r\n"
         "x-content-type-options: nosniff\r\n"
         "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
         "connect-src 'self'; "
         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
         "x-frame-options: DENY\r\n"
         "referrer-policy: no-referrer\r\n"
         "cross-origin-resource-policy: same-origin\r\n"
         "cross-origin-opener-policy: same-origin\r\n";
}

Task<void> stream_events(AdminStream& stream, Gateway& gateway) {
  LiveView& live = gateway.live();
  const LiveView::Watcher watcher(live);
  std::string text = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
  text += admin_headers();
  text += "\r\nretry: 2000\n\n";
  std::uint64_t seen = live.decisions_seen() - std::min<std::uint64_t>(live.decisions_seen(), decisions_at_first);
  std::size_t most = decisions_at_first;
  Timer tick(stream.get_executor());
  const ClientWatch watch(stream, [&tick] { tick.cancel(); });
  while (!watch.gone()) {
    text += "event: overview\ndata: " + live.overview_of_tick() + "\n\n" + decisions_event(live, seen, most);
    most = decisions_per_event;
    const bool taken = co_await write_all(stream, std::move(text));
    if (!taken) co_return;
    text.clear();
    tick.expires_at(live.next_tick());
    co_await tick.async_wait(as_result);
  }
}

Task<bool> stream_send(AdminStream& stream, Gateway& gateway, const AdminRequest& request, AdminReply& refused) {
  const Result<TypedRequest> typed = read_typed_request(request);
  if (!typed) {
    refused = refusal_of(typed.error());
    co_return false;
  }
  if (request.api_key.find_first_of("\r\n") != std::string_view::npos) {
    refused = refusal_of(fail(Fault::bad_request, "x-tollgate-api-key is not a key"));
    co_return false;
  }
  const asio::ip::tcp::endpoint data_port = gateway.data_endpoint();
  AdminStream upstream(stream.get_executor());
  upstream.expires_after(write_max);
  auto [unconnected] = co_await upstream.async_connect(data_port, as_result);
  bool answered = false;
  if (!unconnected) {
    const std::string host = data_port.address().to_string() + ":" + std::to_string(data_port.port());
    std::string whole = head_of(typed.value(), host, request.api_key) + typed.value().body;
    const bool sent = co_await write_all(upstream, std::move(whole));
    if (sent) answered = co_await relay_answer(stream, upstream);
  }
  if (!answered)
    refused = refusal_of(fail(Fault::upstream_unreachable, "the data port does not answer; is the gateway stopping?"));
  co_return answered;
}

}  // namespace tollgate
