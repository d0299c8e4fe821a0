#pragma once
// AWS's binary event stream (application/vnd.amazon.eventstream), taken apart without I/O. A frame, big endian: total length, length of
// the headers, CRC-32 of these eight bytes, headers, payload, CRC-32 of all before it. A header: name length (1), name, type (1), and for
// type 7 a text with its length (2). Source: the "Amazon Transcribe / event stream encoding" pages and botocore's parser, whose limits these are.

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.hpp"

namespace tollgate {

struct EventFrame {
  std::string_view message_type;    ///< ":message-type": event, exception or error
  std::string_view event_type;      ///< ":event-type", or ":exception-type", or ":error-code"
  std::string_view error_message;   ///< ":error-message"
  std::string_view payload;
};

class FrameSplitter {
 public:
  static constexpr std::size_t header_bytes_max = 128 * 1024, payload_bytes_max = 24 * 1024 * 1024;

  /// Calls on_frame(const EventFrame&) for each frame that is complete now; its views are valid during the call. Fault upstream_garbage:
  /// a length past its limit or a checksum that is wrong; nothing can be read after it.
  template <class OnFrame>
  Result<void> feed(std::string_view bytes, OnFrame&& on_frame) {
    partial_.append(bytes);
    std::size_t used = 0;
    for (;;) {
      EventFrame frame;
      TOLLGATE_TRY(const std::size_t length, take(std::string_view(partial_).substr(used), frame));
      if (length == 0) break;
      on_frame(frame);
      used += length;
    }
    partial_.erase(0, used);
    return success();
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return partial_.capacity(); }

 private:
  /// Bytes of the first frame; 0: it is not complete.
  static Result<std::size_t> take(std::string_view bytes, EventFrame& frame);

  std::string partial_;
};

/// A frame with these text headers, for simulators and tests.
[[nodiscard]] std::string make_frame(std::string_view message_type, std::string_view event_type, std::string_view payload);

}  // namespace tollgate
