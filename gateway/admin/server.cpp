#include "gateway/admin/server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>

#include "gateway/admin/access.hpp"
#include "gateway/admin/pages.hpp"
#include "gateway/gateway.hpp"
#include "gateway/log.hpp"

namespace tollgate {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {
constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds idle_timeout{60};
constexpr std::uint64_t body_bytes_max = 1024 * 1024;
constexpr unsigned connections_max = 256;
using Stream = beast::basic_stream<asio::ip::tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;
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

  AdminReply answer(const http::request<http::string_body>& request) {
    switch (admin_access(gateway.config()->admin_keys, request.target(), request[http::field::authorization])) {
      case AdminAccess::refused: return refusal();
      case AdminAccess::status_only: return without_details(answer_admin(gateway, request.method_string(), request.target(), request.body()));
      case AdminAccess::all: break;
    }
    return answer_admin(gateway, request.method_string(), request.target(), request.body());
  }

  Task<void> serve(Stream stream) {
    beast::flat_buffer buffer;
    for (;;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(body_bytes_max);
      stream.expires_after(idle_timeout);
      auto [failed, read] = co_await http::async_read(stream, buffer, parser, as_result);
      static_cast<void>(read);
      if (failed) break;
      const http::request<http::string_body> request = parser.release();
      AdminReply reply = answer(request);
      http::response<http::string_body> response(static_cast<http::status>(reply.status), request.version());
      response.set(http::field::content_type, reply.content_type);
      response.set(http::field::cache_control, "no-store");
      response.set("x-content-type-options", "nosniff");
      if (reply.status == 401) response.set(http::field::www_authenticate, R"(Basic realm="tollgate admin", charset="UTF-8")");
      if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
      response.keep_alive(request.keep_alive());
      response.body() = request.method() == http::verb::head ? std::string() : std::move(reply.body);
      response.prepare_payload();
      auto [unsent, sent] = co_await http::async_write(stream, response, as_result);
      static_cast<void>(sent);
      if (unsent || !request.keep_alive()) break;
    }
    beast::error_code ignored;
    stream.socket().shutdown(Socket::shutdown_send, ignored);
  }

  asio::io_context& context;
  Gateway& gateway;
  Acceptor acceptor;
  unsigned connections = 0;
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
  return acceptor.local_endpoint().port();
}

void AdminServer::stop() {
  beast::error_code ignored;
  running_->acceptor.close(ignored);
}

}  // namespace tollgate
