#pragma once
// Calls to providers that run jobs (jobs.hpp), as one transfer: start() submits the job and asks about it until it has ended, read() gives
// its result. A transfer that is destroyed before ends the job at the provider, too.

#include <memory>

#include "backends/deadline_wheel.hpp"
#include "backends/socket_poll.hpp"
#include "backends/transfer.hpp"

namespace tollgate {

/// Over the transports of one reactor, which must outlive it; for endpoints whose dialect runs_jobs().
[[nodiscard]] std::unique_ptr<Transport> make_job_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel, Transport& plain,
                                                            Transport& tls);

}  // namespace tollgate
