#pragma once
// Content codings taken off an answer. The gateway asks for none (accept-encoding: identity); a proxy in front of an
// engine may compress all the same.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "config/result.hpp"

struct z_stream_s;

namespace tollgate {

/// gzip and deflate, incrementally. One per answer; used by one thread.
class ContentDecoder {
 public:
  ContentDecoder();
  ~ContentDecoder();
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  /// Whether decode() knows the coding, as the content-encoding header names it (case does not matter).
  [[nodiscard]] static bool knows(std::string_view coding) noexcept;
  /// What these bytes unpack to, with `padding` readable bytes behind it; empty: more is needed. Valid until the next
  /// call. Fault::upstream_garbage: not such data, or a piece that swells beyond all measure.
  [[nodiscard]] Result<std::string_view> decode(std::string_view bytes);
  /// Nothing is missing behind what was decoded.
  [[nodiscard]] bool complete() const noexcept { return complete_; }

  static constexpr std::size_t padding = 64;
  static constexpr std::size_t piece_bytes_max = 16 * 1024 * 1024;  // of one decode(): a received piece has 64 KiB

 private:
  std::unique_ptr<z_stream_s> state_;
  std::string plain_;
  bool complete_ = false;
};

}  // namespace tollgate
