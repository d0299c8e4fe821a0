#pragma once
// Rules tried on recorded traffic from the live page: the text to start from, its check, and its simulation. It can observe and ask, it
// cannot change: nothing here touches the configuration in force or writes a file.
//
// What is typed is loaded by a process of its own (tool_run.hpp) that knows no secret of this one (config/as_written.hpp) and opens
// only files that the configuration in force names. One simulation runs at a time.

#include <memory>

#include "gateway/admin/pages.hpp"
#include "gateway/admin/streams.hpp"

namespace tollgate {

class WhatIf {
 public:
  /// More recorded requests than this are not simulated from here: the last ones are, and the report says so.
  static constexpr std::int64_t requests_max = 500'000;

  /// POST /admin/v1/check: {"config": "…"} → what is wrong with it, line by line.
  static Task<AdminReply> answer_check(Gateway& gateway, const AdminRequest& request);
  /// POST /admin/v1/simulate: {"config": "…", "since": "24h", …} → the report of `tollgate simulate --json`; as events with progress
  /// where the client accepts text/event-stream. Ends the simulation when the client leaves. true: what had to be said went to the
  /// stream itself, and it ends with it.
  Task<bool> answer_simulate(AdminStream& stream, Gateway& gateway, const AdminRequest& request, AdminReply& reply);

 private:
  const std::shared_ptr<unsigned> running_ = std::make_shared<unsigned>(0);   // may outlive this
};

/// GET /admin/v1/config: the text of the configuration in force, without its secrets.
[[nodiscard]] AdminReply written_config(Gateway& gateway);

}  // namespace tollgate
