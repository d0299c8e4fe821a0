#pragma once
// What an exchange holds of a request that came in another protocol than OpenAI's chat completions. The request's way is the same: the
// exchange's own body is the translation, and what differs stands in inbound.cpp.

#include <memory>
#include <string>
#include <string_view>

#include "backends/inbound.hpp"

namespace tollgate {

class AnswerWriter;

struct Inbound {
  Inbound();
  ~Inbound();
  Inbound(const Inbound&) = delete;
  Inbound& operator=(const Inbound&) = delete;

  std::unique_ptr<InboundRequest> request;
  std::string text;        ///< the request in its own form
  std::string marked;      ///< the same with its pictures marked as such; "": it has none
  std::string wire;        ///< what the attempt under way sends, in whatever form
  std::unique_ptr<AnswerWriter> writer;   ///< of the attempt under way, if its answer is translated

  [[nodiscard]] std::string_view screened_text() const noexcept { return marked.empty() ? text : marked; }
  /// No other target can be asked any more.
  void forget_text();
};

}  // namespace tollgate
