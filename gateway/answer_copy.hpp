#pragma once
// The bytes of one answer as its client got them, kept for a look at them afterwards; and a stream put together to the
// whole answer it stands for. Pure.
//
//    copy.add(bytes);                                        // as they go out
//    if (copy.complete()) whole_answer(copy.bytes(), written_in, streamed)

#include <string>
#include <string_view>

#include "backends/inbound.hpp"

namespace tollgate {

class AnswerCopy {
 public:
  static constexpr std::size_t bytes_max = 1024 * 1024;  ///< a longer answer is not kept

  void add(std::string_view bytes) {
    if (overflowed_ || bytes_.size() + bytes.size() > bytes_max) {
      overflowed_ = true;
      bytes_ = std::string();
    } else {
      bytes_.append(bytes);
    }
  }
  [[nodiscard]] bool complete() const noexcept { return !overflowed_ && !bytes_.empty(); }
  [[nodiscard]] std::string& bytes() noexcept { return bytes_; }

 private:
  std::string bytes_;
  bool overflowed_ = false;
};

/// The events of a chat or completions stream as the answer that would have come without `stream`: choices with their
/// texts, refusals, tool calls and finish reasons. What is no event or no JSON is passed over.
[[nodiscard]] std::string stitched_answer(std::string_view events);

/// What was kept, as a whole chat completion. `written_in`: a target that speaks the client's own protocol answered in that (backends/native.hpp).
/// "" if it cannot be read.
[[nodiscard]] std::string whole_answer(std::string_view bytes, ClientForm written_in, bool streamed);

/// The text of the first choice of a whole answer; "": none, as when it calls a tool.
[[nodiscard]] std::string first_text(std::string_view answer_json);

}  // namespace tollgate
