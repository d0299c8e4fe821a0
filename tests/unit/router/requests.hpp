#pragma once
// Builds requests for tests: messages in plain text become a ChatView over JSON-escaped text that the builder owns.
//
//    Request request;
//    request.system("You are …").user("What is the capital of France?");
//    classify(request.chat(), TierBounds{});

#include <cstdio>
#include <deque>
#include <string>
#include <string_view>

#include "router/router.hpp"

namespace tollgate::testing {

/// How a client writes what is not ASCII: as it is, or as \uXXXX (Python's json.dumps).
enum class Escape { utf8, ascii };

inline void append_escaped_code_point(std::string& out, std::uint32_t c) {
  char text[16];
  if (c >= 0x10000) {
    c -= 0x10000;
    std::snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
  } else {
    std::snprintf(text, sizeof text, "\\u%04x", c);
  }
  out += text;
}

inline std::string json_escaped(std::string_view text, Escape escape = Escape::utf8) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[i];
    } else if (byte < 0x80 || escape == Escape::utf8) {
      out += text[i];
    } else {
      const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
      std::uint32_t c = byte & (0x7FU >> length);
      for (std::size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
      append_escaped_code_point(out, c);
      i += length - 1;
    }
  }
  return out;
}

class Request {
 public:
  explicit Request(Escape escape = Escape::utf8) : escape_(escape) { chat_.model = "auto"; }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  Request& add(Role role, std::string_view text) { return add_raw(role, json_escaped(text, escape_)); }
  /// Text as it stands in the body.
  Request& add_raw(Role role, std::string raw) {
    owned_.push_back(std::move(raw));
    chat_.texts.push_back({role, static_cast<std::uint16_t>(chat_.messages), owned_.back()});
    chat_.text_bytes += owned_.back().size();
    ++chat_.messages;
    if (role == Role::user) ++chat_.user_messages;
    return *this;
  }
  /// One more part of the message added last.
  Request& part(std::string_view text) {
    const TextPart last = chat_.texts.back();
    owned_.push_back(json_escaped(text, escape_));
    chat_.texts.push_back({last.role, last.message, owned_.back()});
    chat_.text_bytes += owned_.back().size();
    return *this;
  }
  Request& system(std::string_view text) { return add(Role::system, text); }
  Request& user(std::string_view text) { return add(Role::user, text); }
  Request& assistant(std::string_view text) { return add(Role::assistant, text); }
  ChatView& chat() { return chat_; }

 private:
  Escape escape_;
  std::deque<std::string> owned_;
  ChatView chat_;
};

}  // namespace tollgate::testing
