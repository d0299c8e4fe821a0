#pragma once
// One client connection from accept to close: request after request, each served by an Exchange. Owned by its coroutine.

#include <boost/intrusive/list.hpp>

#include "gateway/client_connection.hpp"
#include "gateway/reactor.hpp"

namespace tollgate {

class Session : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Session(Reactor& reactor, int descriptor);
  /// Serves until the client or we close. The Session must live until it returns.
  Task<void> run();

  [[nodiscard]] ClientConnection& connection() noexcept { return connection_; }
  [[nodiscard]] Reactor& reactor() noexcept { return reactor_; }
  /// The caller of the last request if it sent the same key under the same configuration: spares hashing it again.
  [[nodiscard]] Result<Caller> authenticate(const Serving& serving, std::string_view authorization);

 private:
  Task<void> refuse_head(const Error& refusal);

  Reactor& reactor_;
  ClientConnection connection_;
  std::uint64_t known_generation_ = 0;       // of the Serving that knew the key: its ApiKey lives no longer than that
  std::string known_authorization_;
  Caller known_caller_;
};

}  // namespace tollgate
