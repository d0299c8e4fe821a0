#pragma once
// What the admin port does not answer at once: event streams, explanations (a reactor is asked how its targets stand),
// and requests that the live page sends to the data port.

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "backends/task.hpp"
#include "gateway/admin/pages.hpp"

namespace tollgate {

using AdminStream = boost::beast::basic_stream<asio::ip::tcp, Executor>;

/// Lines of the head that stand in every answer of the admin port, each ending in CRLF. The policy allows what the port
/// itself serves and nothing else, neither scripts nor styles within the page.
[[nodiscard]] std::string_view admin_headers() noexcept;

/// GET /admin/v1/events: once a second what the gateway looks like, and the decisions since. Ends when the client
/// leaves.
Task<void> stream_events(AdminStream& stream, Gateway& gateway);

/// POST /admin/v1/explain: {"request": {…}, "headers": {…}} → where it would go and why. Nothing is sent.
Task<AdminReply> answer_explain(Gateway& gateway, const AdminRequest& request);

/// POST /admin/v1/send: the same, sent to the data port as any client would send it; its answer, as it comes. false:
/// there was none, and `refused` says why.
Task<bool> stream_send(AdminStream& stream, Gateway& gateway, const AdminRequest& request, AdminReply& refused);

}  // namespace tollgate
