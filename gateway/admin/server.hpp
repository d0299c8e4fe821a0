#pragma once
// The admin port: /metrics, /healthz, /readyz, /admin/v1/*, POST /-/reload. Runs on the control thread; what takes milliseconds
// (the exposition) is done here, never on a reactor. Bound to loopback unless configured otherwise.

#include <cstdint>
#include <memory>

#include "backends/task.hpp"
#include "config/config.hpp"

namespace tollgate {

class Gateway;

class AdminServer {
 public:
  AdminServer(asio::io_context& control, Gateway& gateway);
  ~AdminServer();
  Result<std::uint16_t> listen(const ListenAddress& address);
  void stop();

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace tollgate
