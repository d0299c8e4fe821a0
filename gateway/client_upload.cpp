// Bodies of hundreds of megabytes: given on as they come, never held.

#include <algorithm>

#include "gateway/client_connection.hpp"

namespace tollgate {

namespace {
constexpr std::uint64_t timed_bytes = 1024 * 1024;      // each of them within body_timeout: a slow line may be long about it, a stuck one not
constexpr std::size_t piece_bytes_max = 64 * 1024;

Error past_limit(std::uint64_t bytes_max) {
  return fail(Fault::too_large, "the body is larger than the limit of " + std::to_string(bytes_max) + " bytes (passthrough.body_bytes_max)");
}
}  // namespace

Task<Result<void>> ClientConnection::read_upload(RequestHead& head, const ServerConfig& limits, std::uint64_t bytes_max, BodySink& sink) {
  const std::uint64_t length = head.chunked() ? 0 : head.content_length().value_or(0);
  keep_rest();
  if (length > bytes_max) co_return past_limit(bytes_max);
  if (length == 0 && !head.chunked()) co_return success();
  if (head.expects_continue() && pending_.empty() && !send("HTTP/1.1 100 Continue\r\n\r\n")) co_return fail(Fault::client_gone, "");
  expired_ = false;
  deadline_.set(limits.body_timeout);
  Result<void> read = success();
  if (head.chunked()) {
    read = co_await upload_chunks(head, bytes_max, limits.body_timeout, sink);
  } else {
    read = co_await upload_length(length, limits.body_timeout, sink);
  }
  deadline_.clear();
  co_return read;
}

Task<Result<void>> ClientConnection::upload_length(std::uint64_t length, std::chrono::milliseconds timeout, BodySink& sink) {
  const std::size_t first = std::min<std::uint64_t>(pending_.size(), length);
  TOLLGATE_CO_TRY(sink.take(std::string_view(pending_).substr(0, first)));
  pending_.erase(0, first);
  std::uint64_t left = length - first, timed = 0;
  while (left > 0) {
    TOLLGATE_CO_TRY(co_await wait_for_body());
    const std::size_t got = receive(scratch_.data(), std::min<std::uint64_t>(left, scratch_.size()));
    if (gone_) co_return fail(Fault::client_gone, "");
    TOLLGATE_CO_TRY(sink.take({scratch_.data(), got}));
    left -= got;
    timed += got;
    if (timed < timed_bytes) continue;
    timed = 0;
    deadline_.set(timeout);
  }
  co_return success();
}

Task<Result<void>> ClientConnection::upload_chunks(RequestHead& head, std::uint64_t bytes_max, std::chrono::milliseconds timeout, BodySink& sink) {
  std::string piece;
  std::uint64_t seen = 0, timed = 0;
  for (;;) {
    std::size_t consumed = 0;
    piece.clear();
    const Result<bool> fed = head.feed_chunked(pending_, consumed, piece, static_cast<std::size_t>(bytes_max - seen));
    if (!fed && fed.error().fault == Fault::too_large) co_return past_limit(bytes_max);
    if (!fed) co_return fed.error();
    const bool complete = fed.value();
    pending_.erase(0, consumed);
    seen += piece.size();
    timed += piece.size();
    TOLLGATE_CO_TRY(sink.take(piece));
    if (complete) co_return success();
    if (timed >= timed_bytes) {
      timed = 0;
      deadline_.set(timeout);
    }
    TOLLGATE_CO_TRY(co_await wait_for_body());
    const std::size_t got = receive(scratch_.data(), std::min(scratch_.size(), piece_bytes_max));
    if (gone_) co_return fail(Fault::client_gone, "");
    pending_.append(scratch_.data(), got);
  }
}

}  // namespace tollgate
