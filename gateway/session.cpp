#include "gateway/session.hpp"

#include <openssl/crypto.h>

#include "gateway/exchange.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

Session::Session(Reactor& reactor, int descriptor)
    : reactor_(reactor), connection_(descriptor, reactor.poll(), reactor.wheel(), reactor.scratch()) {}

Task<void> Session::run() {
  for (bool keep = true; keep && !reactor_.draining();) {
    const ServingPtr serving = reactor_.serving();
    RequestHead head(serving->config->server.head_bytes_max);
    Error refusal(Fault::internal, "");
    const auto read = co_await connection_.read_head(head, serving->config->server, refusal);
    if (read == ClientConnection::HeadRead::closed) co_return;
    if (read == ClientConnection::HeadRead::refused) {
      co_await refuse_head(refusal);
      co_return;
    }
    reactor_.request_began();
    Exchange exchange(*this, reactor_.serving(), head);
    keep = co_await exchange.serve();
    reactor_.request_ended();
  }
  if (!connection_.gone()) co_await connection_.linger();
}

// A head that cannot be read leaves no way to find the next request: answer and close.
Task<void> Session::refuse_head(const Error& refusal) {
  reactor_.books().refused(RowResult::of(refusal.fault));
  connection_.keep_rest();
  const std::string body = error_body(refusal);
  std::string reply;
  ReplyHead head;
  head.status = http_status_of(refusal);
  head.length = body.size();
  head.keep_alive = false;
  append_head(reply, head, reactor_.date(std::time(nullptr)));
  reply += body;
  if (!connection_.send(reply)) co_return;
  co_await connection_.flush(reactor_.serving()->config->server.write_timeout);
  co_await connection_.linger();
}

Result<Caller> Session::authenticate(const Serving& serving, std::string_view authorization) {
  if (known_generation_ == serving.generation && !authorization.empty() && authorization.size() == known_authorization_.size() &&
      CRYPTO_memcmp(authorization.data(), known_authorization_.data(), authorization.size()) == 0) {
    return known_caller_;
  }
  TOLLGATE_TRY(const Caller caller, serving.keys.authenticate(authorization));
  known_generation_ = serving.generation;
  known_authorization_.assign(authorization);
  known_caller_ = caller;
  return caller;
}

}  // namespace tollgate
