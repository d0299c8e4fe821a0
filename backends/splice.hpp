#pragma once
// Changes a few members of the client's body without serialising it again: pieces that view the original, with snippets between.

#include "backends/dialect.hpp"

namespace tollgate {

struct StreamUsage {
  bool include = false;      ///< stream_options.include_usage: true
  bool continuous = false;   ///< stream_options.continuous_usage_stats: true
};

/// Puts `upstream_model` in place of the model, `usage` out, and into stream_options what `wish` says (only in streams); unknown
/// members of the client's stream_options stay. `out` must be empty; it views `client.text` and itself.
void splice(const ClientBody& client, std::string_view upstream_model, StreamUsage wish, WireBody& out);

/// `text` as a JSON string, quotes included.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace tollgate
