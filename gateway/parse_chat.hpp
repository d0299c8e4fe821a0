#pragma once
// A body of /v1/chat/completions, /v1/completions or /v1/embeddings → ChatView and ClientBody, in one simdjson on-demand pass.
// Nothing is copied: both view into the body, which must outlive them. Duplicate top-level keys are refused, because rules, budget
// and upstream must read the same value; what routing does not know is left to the upstream to judge.

#include <memory>
#include <string>

#include "backends/dialect.hpp"
#include "router/chat_view.hpp"

namespace tollgate {

/// One per reactor: keeps simdjson's buffers between requests. Not thread-safe.
class ChatParser {
 public:
  static constexpr std::size_t padding = 64;               ///< bytes that must be readable behind the body
  static constexpr std::size_t top_level_members_max = 128;
  static constexpr std::int64_t choices_max = 128;

  explicit ChatParser(std::size_t nesting_max);
  ~ChatParser();
  /// Faults: bad_request with the member in `param`. `body.capacity()` must exceed its size by `padding`.
  Result<void> parse(const std::string& body, Surface surface, ChatView& chat, ClientBody& client);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::size_t nesting_max_;
};

}  // namespace tollgate
