#include "backends/content_decoder.hpp"

#include <zlib.h>

#include <boost/algorithm/string/predicate.hpp>
#include <new>

namespace tollgate {

namespace {
constexpr int any_header = 15 + 32;  // zlib's largest window; gzip or zlib header, as it comes
constexpr std::size_t growth = 16 * 1024;
}  // namespace

bool ContentDecoder::knows(std::string_view coding) noexcept {
  return boost::algorithm::iequals(coding, "gzip") || boost::algorithm::iequals(coding, "x-gzip") ||
         boost::algorithm::iequals(coding, "deflate");
}

ContentDecoder::ContentDecoder() : state_(std::make_unique<z_stream_s>()) {
  if (inflateInit2(state_.get(), any_header) != Z_OK) throw std::bad_alloc();
}

ContentDecoder::~ContentDecoder() { inflateEnd(state_.get()); }

Result<std::string_view> ContentDecoder::decode(std::string_view bytes) {
  std::size_t used = 0;
  state_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib does not write to it
  state_->avail_in = static_cast<uInt>(bytes.size());
  int code = Z_OK;
  while (code == Z_OK) {
    if (plain_.size() < used + growth) plain_.resize(used + 2 * growth);
    state_->next_out = reinterpret_cast<Bytef*>(plain_.data() + used);
    state_->avail_out = static_cast<uInt>(plain_.size() - used);
    code = inflate(state_.get(), Z_SYNC_FLUSH);
    used = plain_.size() - state_->avail_out;
    if (used > piece_bytes_max)
      return fail(Fault::upstream_garbage, "the answer's compressed body unpacks to more than any answer");
    if (code == Z_OK && state_->avail_in == 0 && state_->avail_out > 0) break;
  }
  if (code == Z_STREAM_END) complete_ = true;
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
    return fail(Fault::upstream_garbage, "the answer's compressed body is broken");
  }
  plain_.resize(std::max(plain_.size(), used + padding));
  return std::string_view(plain_.data(), used);
}

}  // namespace tollgate
