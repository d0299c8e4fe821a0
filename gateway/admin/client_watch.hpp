#pragma once
// Sees at once that the client of a stream has left: from then on it sends nothing, so that anything to read is its end.

#include <functional>
#include <memory>

#include "gateway/admin/streams.hpp"

namespace tollgate {

class ClientWatch {
 public:
  ClientWatch(AdminStream& client, std::function<void()> when_gone) : client_(client), seen_(std::make_shared<Seen>()) {
    seen_->when_gone = std::move(when_gone);
    client_.socket().async_wait(Socket::wait_read, [seen = seen_](const boost::system::error_code& failed) {
      if (failed || seen->over) return;
      seen->gone = true;
      seen->when_gone();
    });
  }
  ~ClientWatch() {
    seen_->over = true;
    boost::system::error_code ignored;
    client_.socket().cancel(ignored);
  }
  ClientWatch(const ClientWatch&) = delete;
  ClientWatch& operator=(const ClientWatch&) = delete;
  [[nodiscard]] bool gone() const noexcept { return seen_->gone; }

 private:
  struct Seen {
    bool over = false, gone = false;
    std::function<void()> when_gone;
  };
  AdminStream& client_;
  std::shared_ptr<Seen> seen_;
};

/// False: the client takes nothing any more.
Task<bool> write_all(AdminStream& stream, std::string text);

}  // namespace tollgate
