#pragma once
// Takes a stream of server-sent events apart into whole events, without I/O. Line ends LF, CRLF or CR, split anywhere.
// Events are given raw, terminator included, so that what nobody needs to change can be passed on as it came: as views into the fed
// bytes where an event lies in them whole, else into the splitter's own buffer; valid until the next feed().

#include <string>
#include <string_view>

#include "config/result.hpp"

namespace tollgate {

class SseSplitter {
 public:
  static constexpr std::size_t event_bytes_max = 8 * 1024 * 1024;

  /// Calls on_event(std::string_view raw) for each event that is complete now. Fault: upstream_garbage past event_bytes_max.
  template <class OnEvent>
  Result<void> feed(std::string_view bytes, OnEvent&& on_event) {
    partial_.erase(0, used_);
    used_ = 0;
    std::string_view text = bytes;
    std::size_t known = 0;           // bytes in which no event ends
    if (!partial_.empty()) {
      known = partial_.size() > 3 ? partial_.size() - 3 : 0;
      partial_.append(bytes);
      text = partial_;
    }
    const bool has_cr = text.find('\r', known) != std::string_view::npos;
    std::size_t begin = 0;
    for (std::size_t end; (end = event_end(text, begin, known, has_cr)) != std::string_view::npos; known = begin = end) {
      on_event(text.substr(begin, end - begin));
    }
    if (text.data() == partial_.data()) {
      used_ = begin;
    } else {
      partial_.assign(text.substr(begin));
    }
    if (partial_.size() - used_ > event_bytes_max) return fail(Fault::upstream_garbage, "the upstream sent an event larger than 8 MiB");
    return success();
  }
  /// What came behind the last whole event; empty at a proper end.
  [[nodiscard]] std::string_view rest() const noexcept { return std::string_view(partial_).substr(used_); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return partial_.capacity(); }

 private:
  /// The offset behind the event that begins at `begin`, looking from `from` on; npos if it is not complete.
  static std::size_t event_end(std::string_view text, std::size_t begin, std::size_t from, bool has_cr) noexcept;

  std::string partial_;
  std::size_t used_ = 0;   // of partial_: given out, but views may still be in use
};

/// The data of a raw event, its lines joined by '\n'. A single data line is given as a view into the event; several are joined in
/// `joined`. Empty: a comment, or an event without data.
[[nodiscard]] std::string_view event_data(std::string_view raw, std::string& joined);

}  // namespace tollgate
