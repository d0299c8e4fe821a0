#include "gateway/reply.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

TEST(Reply, ErrorsAreOpenAiShapedWithAllFourMembers) {
  const auto body = nlohmann::json::parse(error_body(fail(Fault::bad_request, "no \"x\"\n\xff", "x")));
  EXPECT_EQ(body["error"]["message"], "no \"x\"\n\xEF\xBF\xBD");
  EXPECT_EQ(body["error"]["param"], "x");
  EXPECT_TRUE(body["error"].contains("type") && body["error"].contains("code"));
  EXPECT_TRUE(nlohmann::json::parse(error_body(fail(Fault::internal, "m")))["error"]["param"].is_null());
}

TEST(Reply, HeaderValuesCannotBreakTheHead) {
  std::string lines;
  append_header(lines, "x-tollgate-reason", "a\r\nset-cookie: b\xff");
  EXPECT_EQ(lines, "x-tollgate-reason: a??set-cookie: b?\r\n");
}

TEST(Reply, HeadsSayLengthOrChunks) {
  std::string whole, stream;
  ReplyHead head;
  head.length = 5;
  append_head(whole, head, "D");
  EXPECT_EQ(whole, "HTTP/1.1 200 OK\r\ndate: D\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n");
  head.length.reset();
  head.keep_alive = false;
  append_head(stream, head, "D");
  EXPECT_NE(stream.find("transfer-encoding: chunked\r\nconnection: close\r\n"), std::string::npos);
}

TEST(Reply, ChunkSizesAreHexadecimal) {
  char line[20];
  EXPECT_EQ(std::string_view(line, chunk_head(0x1a2b, line)), "1a2b\r\n");
  EXPECT_EQ(std::string_view(line, chunk_head(~std::size_t{0}, line)), "ffffffffffffffff\r\n");
}

TEST(Reply, DatesAreHttpDates) { EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

}  // namespace
}  // namespace tollgate
