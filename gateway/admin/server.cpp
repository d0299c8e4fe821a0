#include "gateway/admin/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>

#include "gateway/admin/access.hpp"
#include "gateway/admin/advice_board.hpp"
#include "gateway/admin/counted.hpp"
#include "gateway/admin/foreign_sites.hpp"
#include "gateway/admin/live_view.hpp"
#include "gateway/admin/pages.hpp"
#include "gateway/admin/streams.hpp"
#include "gateway/admin/what_if.hpp"
#include "gateway/gateway.hpp"
#include "gateway/log.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {
constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds idle_timeout{60};
constexpr std::uint64_t body_bytes_max = 1024 * 1024;
constexpr unsigned connections_max = 256;
constexpr unsigned streams_max = 64;          // of them: event streams and requests under way from the page
using Stream = AdminStream;
using Request = http::request<http::string_body>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

/// Views into `request`.
AdminRequest read_request(const Request& request) {
  AdminRequest asked;
  asked.method = request.method_string();
  asked.target = request.target();
  asked.body = request.body();
  asked.host = request[http::field::host];
  asked.origin = request[http::field::origin];
  asked.fetch_site = request["sec-fetch-site"];
  asked.content_type = request[http::field::content_type];
  asked.authorization = request[http::field::authorization];
  asked.api_key = request["x-tollgate-api-key"];
  asked.accept = request[http::field::accept];
  asked.scrape_timeout = request["x-prometheus-scrape-timeout-seconds"];
  return asked;
}

AdminReply too_many() {
  return {503, "application/json", error_body(fail(Fault::internal, "too many pages are open on this admin port; close some")), {}};
}

/// "name: value" lines, each ending in CRLF.
void set_lines(http::response<http::string_body>& response, std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t colon = lines.find(": "), end = lines.find("\r\n");
    response.set(lines.substr(0, colon), lines.substr(colon + 2, end - colon - 2));
    lines.remove_prefix(end + 2);
  }
}

}  // namespace

struct AdminServer::Running {
  Running(asio::io_context& io, Gateway& owner) : context(io), gateway(owner), acceptor(io.get_executor()) {}

  Task<void> accept() {
    while (acceptor.is_open()) {
      Socket socket(context.get_executor());
      auto [code] = co_await acceptor.async_accept(socket, as_result);
      if (code == asio::error::operation_aborted) co_return;
      if (code || connections >= connections_max) continue;
      ++connections;
      auto done = [this](const std::exception_ptr&) { --connections; };
      asio::co_spawn(context, serve(Stream(std::move(socket))), std::move(done));
    }
  }

  Task<void> serve(Stream stream) {
    beast::flat_buffer buffer;
    bool goes_on = true;
    while (goes_on) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(body_bytes_max);
      stream.expires_after(idle_timeout);
      auto [failed, read] = co_await http::async_read(stream, buffer, parser, as_result);
      static_cast<void>(read);
      if (failed) break;
      const Request request = parser.release();
      const AdminRequest asked = read_request(request);
      AdminReply reply;
      const bool streamed = co_await answer(stream, asked, reply);
      if (streamed) break;
      goes_on = request.keep_alive();
      const bool sent = co_await send(stream, request, reply);
      if (!sent) break;
    }
    beast::error_code ignored;
    stream.socket().shutdown(Socket::shutdown_send, ignored);
  }

  // True: what had to be said went to the stream itself, and it ends with it.
  Task<bool> answer(Stream& stream, const AdminRequest& request, AdminReply& reply) {
    const std::vector<AdminKey>& keys = gateway.config()->admin_keys;
    const AdminAccess access = admin_access(keys, request.target, request.authorization);
    if (access == AdminAccess::refused) {
      reply = refusal();
      co_return false;
    }
    if (std::optional<AdminReply> refused = refuse_foreign(request, !keys.empty())) {
      reply = std::move(*refused);
      co_return false;
    }
    const std::string_view path = request.path();
    if (path == "/admin/v1/events" && request.method == "GET") {
      if (*streams < streams_max) {
        const Counted counted(streams);
        co_await stream_events(stream, gateway);
        co_return true;
      }
      reply = too_many();
    } else if (path == "/admin/v1/send" && request.method == "POST") {
      if (*streams < streams_max) {
        const Counted counted(streams);
        co_return co_await stream_send(stream, gateway, request, reply);
      }
      reply = too_many();
    } else if (path == "/admin/v1/simulate" && request.method == "POST") {
      co_return co_await what_if.answer_simulate(stream, gateway, request, reply);
    } else if (path == "/admin/v1/check" && request.method == "POST") {
      reply = co_await WhatIf::answer_check(gateway, request);
    } else if (path == "/admin/v1/advice" && request.method == "GET") {
      reply = co_await gateway.advice().answer(request);
    } else if (path == "/admin/v1/explain" && request.method == "POST") {
      reply = co_await answer_explain(gateway, request);
    } else {
      reply = answer_admin(gateway, request);
      if (access == AdminAccess::status_only) reply = without_details(std::move(reply));
    }
    co_return false;
  }

  Task<bool> send(Stream& stream, const Request& request, AdminReply& reply) {
    http::response<http::string_body> response(static_cast<http::status>(reply.status), request.version());
    response.set(http::field::content_type, reply.content_type);
    set_lines(response, admin_headers());
    if (reply.status == 401) response.set(http::field::www_authenticate, R"(Basic realm="tollgate admin", charset="UTF-8")");
    if (!reply.age.empty()) response.set(http::field::age, reply.age);
    if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
    response.keep_alive(request.keep_alive());
    response.body() = request.method() == http::verb::head ? std::string() : std::move(reply.body);
    response.prepare_payload();
    stream.expires_after(idle_timeout);
    auto [unsent, sent] = co_await http::async_write(stream, response, as_result);
    static_cast<void>(sent);
    co_return !unsent;
  }

  // Whether somebody looks or not: rates need a past.
  Task<void> tick() {
    Timer timer(context.get_executor());
    for (;;) {
      timer.expires_after(LiveView::interval);
      auto [stopped] = co_await timer.async_wait(as_result);
      if (stopped) co_return;
      gateway.live().tick(std::chrono::steady_clock::now());
    }
  }

  asio::io_context& context;
  Gateway& gateway;
  Acceptor acceptor;
  unsigned connections = 0;
  WhatIf what_if;
  const std::shared_ptr<unsigned> streams = std::make_shared<unsigned>(0);
};

AdminServer::AdminServer(asio::io_context& control, Gateway& gateway) : running_(std::make_unique<Running>(control, gateway)) {}
AdminServer::~AdminServer() = default;

Result<std::uint16_t> AdminServer::listen(const ListenAddress& address) {
  Acceptor& acceptor = running_->acceptor;
  beast::error_code code;
  const auto ip = asio::ip::make_address(address.host, code);
  const asio::ip::tcp::endpoint endpoint(ip, address.port);
  if (!code) acceptor.open(endpoint.protocol(), code);
  if (!code) acceptor.set_option(asio::socket_base::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) {
    return fail(Fault::internal, "cannot listen on " + address.host + ":" + std::to_string(address.port) + " (admin.listen): " + code.message());
  }
  asio::co_spawn(running_->context, running_->accept(), [](const std::exception_ptr&) {});
  asio::co_spawn(running_->context, running_->tick(), [](const std::exception_ptr&) {});
  return acceptor.local_endpoint().port();
}

void AdminServer::stop() {
  beast::error_code ignored;
  running_->acceptor.close(ignored);
}

}  // namespace tollgate
