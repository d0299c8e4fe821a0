#include "backends/content_decoder.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace tollgate {
namespace {

std::string packed(std::string_view plain, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(compressBound(plain.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string text_of(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; out.size() < size; ++i) out += "line " + std::to_string(i * 7919) + "\n";
  return out;
}

TEST(ContentDecoder, GzipAndDeflateInPiecesOfAnySizeGiveTheText) {
  const std::string plain = text_of(200'000);
  for (const int window_bits : {15 + 16, 15}) {
    const std::string bytes = packed(plain, window_bits);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
      ContentDecoder decoder;
      std::string out;
      for (std::size_t at = 0; at < bytes.size(); at += piece) {
        EXPECT_FALSE(decoder.complete());
        const auto part = decoder.decode(std::string_view(bytes).substr(at, piece));
        ASSERT_TRUE(part);
        out.append(part.value());
      }
      EXPECT_TRUE(decoder.complete());
      EXPECT_EQ(out, plain);
    }
  }
}

TEST(ContentDecoder, WhatIsNotCompressedIsGarbage) {
  ContentDecoder decoder;
  const auto part = decoder.decode("{\"choices\": []}");
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().fault, Fault::upstream_garbage);
}

TEST(ContentDecoder, APieceThatSwellsBeyondAllMeasureIsRefused) {
  const std::string bomb = packed(std::string(64'000'000, 'x'), 15 + 16);
  ContentDecoder decoder;
  const auto part = decoder.decode(bomb);
  ASSERT_FALSE(part);
  EXPECT_EQ(part.error().fault, Fault::upstream_garbage);
}

TEST(ContentDecoder, KnowsGzipAndDeflateInAnyCase) {
  EXPECT_TRUE(ContentDecoder::knows("gzip"));
  EXPECT_TRUE(ContentDecoder::knows("X-GZip"));
  EXPECT_TRUE(ContentDecoder::knows("Deflate"));
  EXPECT_FALSE(ContentDecoder::knows("br"));
  EXPECT_FALSE(ContentDecoder::knows(""));
}

}  // namespace
}  // namespace tollgate
