#pragma once
// A whole answer as the stream that its client asked for: some upstreams answer in one piece whatever they were asked.

#include <string>
#include <string_view>

#include "backends/dialect.hpp"

namespace tollgate {

/// The events, end mark included, of a body of /v1/chat/completions or /v1/completions: for each choice its text and calls in one chunk and its
/// end in another, then the usage if the client asked for it, with `"cost": cost_usd` if cost_usd is not "".
/// Fault upstream_garbage if `body` is no such answer.
[[nodiscard]] Result<std::string> stream_of(std::string_view body, const ClientBody& client, std::string_view cost_usd);

}  // namespace tollgate
