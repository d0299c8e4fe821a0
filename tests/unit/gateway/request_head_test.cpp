#include "gateway/request_head.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

constexpr std::size_t limit = 4096;

TEST(RequestHead, IsReadAlikeHoweverItIsSplit) {
  const std::string text = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n\r\n{}";
  for (std::size_t cut = 1; cut < text.size() - 2; ++cut) {
    RequestHead head(limit);
    std::size_t consumed = 0;
    Result<bool> done = head.feed_head(std::string_view(text).substr(0, cut), consumed);
    ASSERT_TRUE(done);
    if (!done.value()) {
      const std::string rest = text.substr(consumed);
      std::size_t more = 0;
      done = head.feed_head(rest, more);
      ASSERT_TRUE(done && done.value()) << "cut at " << cut;
    }
    EXPECT_EQ(head.path(), "/v1/chat/completions");
    EXPECT_EQ(head.field("authorization"), "Bearer k");
    EXPECT_EQ(head.content_length().value_or(0), 2U);
  }
}

TEST(RequestHead, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* fields : {"Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 2\r\nContent-Length: 2\r\n",
                             "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
                             "Content-Length: +2\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: xchunked\r\n", "Content-Length: 0x2\r\n", "Bad Name: x\r\n", "X: a\x01z\r\n"}) {
    RequestHead head(limit);
    std::size_t consumed = 0;
    const std::string text = std::string("POST / HTTP/1.1\r\nHost: h\r\n") + fields + "\r\n";
    const Result<bool> done = head.feed_head(text, consumed);
    ASSERT_FALSE(done) << fields;
    EXPECT_EQ(done.error().fault, Fault::bad_request) << fields;
  }
}

TEST(RequestHead, TooLargeIs431) {
  RequestHead head(256);
  std::size_t consumed = 0;
  const Result<bool> done = head.feed_head("GET / HTTP/1.1\r\nX: " + std::string(1000, 'a') + "\r\n\r\n", consumed);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::too_large);
  EXPECT_EQ(done.error().http_status, 431);
}

TEST(RequestHead, ChunkedBodiesAreJoinedAndBounded) {
  const std::string text = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nNEXT";
  RequestHead head(limit);
  std::size_t consumed = 0;
  ASSERT_TRUE(head.feed_head(text, consumed).value());
  EXPECT_EQ(consumed, text.size());
  std::string body;
  ASSERT_TRUE(head.feed_chunked(chunks, consumed, body, 100).value());
  EXPECT_EQ(body, "abcde");
  EXPECT_EQ(chunks.substr(consumed), "NEXT");

  RequestHead small(limit);
  ASSERT_TRUE(small.feed_head(text, consumed).value());
  body.clear();
  const Result<bool> refused = small.feed_chunked(chunks, consumed, body, 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::too_large);
}

}  // namespace
}  // namespace tollgate
