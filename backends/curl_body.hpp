#pragma once
// What curl sends of a request: a copy in one piece where it is small, for it then leaves together with the head; else it is read where it
// lies, and a long body may take long as long as parts of it go out. Private to curl_transport.cpp.

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "backends/deadline_wheel.hpp"

namespace tollgate {

class CurlBody {
 public:
  static constexpr std::size_t copied_bytes_max = 1024 * 1024;

  /// `deadline` is set anew, `each` ahead, with each part that goes out.
  CurlBody(Deadline& deadline, std::chrono::milliseconds each) : deadline_(deadline), each_(each) {}

  /// `pieces` must be there until stop().
  void attach(CURL* handle, std::span<const std::string_view> pieces) {
    std::size_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes));
    if (bytes <= copied_bytes_max) {
      copy_.reserve(bytes);
      for (const std::string_view piece : pieces) copy_.append(piece);
      curl_easy_setopt(handle, CURLOPT_POSTFIELDS, copy_.c_str());
      return;
    }
    pieces_ = pieces;
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, nullptr);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, &CurlBody::on_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, this);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, &CurlBody::on_rewind);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, this);
  }
  /// Nothing more is read: an answer came, or nobody waits for one.
  void stop() noexcept { stopped_ = true; }

 private:
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self) {
    auto& body = *static_cast<CurlBody*>(self);
    if (body.stopped_) return CURL_READFUNC_ABORT;
    std::size_t filled = 0;
    for (const std::size_t room = size * count; filled < room && body.piece_ < body.pieces_.size();) {
      const std::string_view rest = body.pieces_[body.piece_].substr(body.sent_);
      const std::size_t taken = std::min(rest.size(), room - filled);
      std::memcpy(to + filled, rest.data(), taken);
      filled += taken;
      body.sent_ += taken;
      if (taken < rest.size()) break;
      ++body.piece_;
      body.sent_ = 0;
    }
    body.deadline_.set(body.each_);
    return filled;
  }

  /// Sent again on a fresh connection, where a kept one was dead; never from the middle.
  static int on_rewind(void* self, curl_off_t offset, int origin) {
    auto& body = *static_cast<CurlBody*>(self);
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    body.piece_ = body.sent_ = 0;
    return CURL_SEEKFUNC_OK;
  }

  Deadline& deadline_;
  std::chrono::milliseconds each_;
  std::string copy_;
  std::span<const std::string_view> pieces_;
  std::size_t piece_ = 0, sent_ = 0;
  bool stopped_ = false;
};

}  // namespace tollgate
