#include "backends/event_frames.hpp"

#include <boost/crc.hpp>

namespace tollgate {
namespace {

constexpr std::size_t prelude_bytes = 12, checksum_bytes = 4;
constexpr std::uint8_t text_type = 7;

std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t width = 4) noexcept {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < width; ++i) out = out << 8U | static_cast<unsigned char>(bytes[at + i]);
  return out;
}

std::uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

Error broken(std::string_view what) { return fail(Fault::upstream_garbage, "the upstream's event stream is broken: " + std::string(what)); }

/// Bytes that a header's value takes, by its type; npos: the type is not known.
std::size_t value_bytes(std::uint8_t type, std::string_view rest) noexcept {
  switch (type) {
    case 0: case 1: return 0;        // true, false
    case 2: return 1;
    case 3: return 2;
    case 4: return 4;
    case 5: case 8: return 8;        // long, time
    case 6: case text_type: return rest.size() < 2 ? std::string_view::npos : 2 + number(rest, 0, 2);
    case 9: return 16;               // UUID
    default: return std::string_view::npos;
  }
}

bool read_headers(std::string_view bytes, EventFrame& frame) {
  while (!bytes.empty()) {
    const std::size_t name_bytes = static_cast<unsigned char>(bytes[0]);
    if (bytes.size() < name_bytes + 2) return false;
    const std::string_view name = bytes.substr(1, name_bytes);
    const auto type = static_cast<std::uint8_t>(bytes[1 + name_bytes]);
    bytes.remove_prefix(name_bytes + 2);
    const std::size_t length = value_bytes(type, bytes);
    if (length > bytes.size()) return false;
    if (type == text_type) {
      const std::string_view value = bytes.substr(2, length - 2);
      if (name == ":message-type") frame.message_type = value;
      if (name == ":event-type" || name == ":exception-type" || name == ":error-code") frame.event_type = value;
      if (name == ":error-message") frame.error_message = value;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

void append_number(std::string& out, std::size_t value, std::size_t width) {
  for (std::size_t i = width; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  append_number(out, name.size(), 1);
  out.append(name).append(1, static_cast<char>(text_type));
  append_number(out, value.size(), 2);
  out += value;
}

}  // namespace

Result<std::size_t> FrameSplitter::take(std::string_view bytes, EventFrame& frame) {
  if (bytes.size() < prelude_bytes) return std::size_t{0};
  if (checksum(bytes.substr(0, 8)) != number(bytes, 8)) return broken("a frame's head has a wrong checksum");
  const std::size_t total = number(bytes, 0), headers = number(bytes, 4);
  if (headers > header_bytes_max || total < prelude_bytes + headers + checksum_bytes ||
      total - prelude_bytes - headers - checksum_bytes > payload_bytes_max) {
    return broken("a frame's lengths are past their limits");
  }
  if (bytes.size() < total) return std::size_t{0};
  if (checksum(bytes.substr(0, total - checksum_bytes)) != number(bytes, total - checksum_bytes)) return broken("a frame has a wrong checksum");
  if (!read_headers(bytes.substr(prelude_bytes, headers), frame)) return broken("a frame's headers cannot be read");
  frame.payload = bytes.substr(prelude_bytes + headers, total - prelude_bytes - headers - checksum_bytes);
  return total;
}

std::string make_frame(std::string_view message_type, std::string_view event_type, std::string_view payload) {
  std::string headers;
  append_header(headers, message_type == "exception" ? ":exception-type" : ":event-type", event_type);
  append_header(headers, ":content-type", "application/json");
  append_header(headers, ":message-type", message_type);
  std::string out;
  append_number(out, prelude_bytes + headers.size() + payload.size() + checksum_bytes, 4);
  append_number(out, headers.size(), 4);
  append_number(out, checksum(out), 4);
  out.append(headers).append(payload);
  append_number(out, checksum(out), 4);
  return out;
}

}  // namespace tollgate
