#include <gtest/gtest.h>

#include "backends/retry_after.hpp"
#include "backends/transfer.hpp"

namespace tollgate {
namespace {

Backend backend_at(std::string url) {
  Backend backend;
  backend.name = Names::global().intern("b");
  backend.url = std::move(url);
  return backend;
}

TEST(Endpoint, UrlsAreTakenApart) {
  const Endpoint plain = parse_endpoint(backend_at("http://gpu-a:8000"), false).value();
  EXPECT_EQ(plain.host, "gpu-a");
  EXPECT_EQ(plain.port, 8000);
  EXPECT_FALSE(plain.tls);
  const Endpoint tls = parse_endpoint(backend_at("https://api.openai.com/v1/"), false).value();
  EXPECT_TRUE(tls.tls);
  EXPECT_EQ(tls.port, 443);
  EXPECT_EQ(tls.prefix, "") << "paths begin with /v1 themselves";
  EXPECT_EQ(parse_endpoint(backend_at("https://h/openai/v1"), false).value().prefix, "/openai");
  EXPECT_EQ(parse_endpoint(backend_at("http://[::1]:81/x"), false).value().host, "::1");
}

TEST(Endpoint, WhatCannotBeIsRefused) {
  for (const char* url : {"", "gpu:8000", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://h:x", "http://u:p@h", "http://h/?q=1", "http://[::1"}) {
    const Result<Endpoint> endpoint = parse_endpoint(backend_at(url), false);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_NE(endpoint.error().message.find("backend 'b'"), std::string::npos);
  }
}

TEST(Endpoint, TheKeyIsSentAndNeverShown) {
  Backend backend = backend_at("http://h");
  backend.api_key = Secret("sk-1");
  const Endpoint endpoint = parse_endpoint(backend, false).value();
  ASSERT_EQ(endpoint.headers.size(), 1U);
  EXPECT_EQ(endpoint.headers.front().second, "Bearer sk-1");
}

std::vector<std::pair<std::string, std::string>> headers_of(DialectName dialect, bool bearer = false) {
  Backend backend = backend_at("http://h");
  backend.dialect = dialect;
  backend.bearer = bearer;
  backend.api_key = Secret("k");
  return parse_endpoint(backend, false).value().headers;
}

TEST(Endpoint, EachDialectSendsItsKeyInItsOwnHeader) {
  using Headers = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(headers_of(DialectName::anthropic), (Headers{{"anthropic-version", "2023-06-01"}, {"x-api-key", "k"}}));
  EXPECT_EQ(headers_of(DialectName::gemini), (Headers{{"x-goog-api-key", "k"}}));
  EXPECT_EQ(headers_of(DialectName::azure_openai), (Headers{{"api-key", "k"}}));
  EXPECT_EQ(headers_of(DialectName::azure_openai, true), (Headers{{"authorization", "Bearer k"}}));
  EXPECT_EQ(headers_of(DialectName::bedrock), (Headers{{"authorization", "Bearer k"}}));
  EXPECT_EQ(headers_of(DialectName::groq), (Headers{{"authorization", "Bearer k"}}));
}

TEST(Endpoint, WhatADialectsPathsBeginWithIsNotDoubled) {
  const auto prefix = [](DialectName dialect, const char* url) {
    Backend backend = backend_at(url);
    backend.dialect = dialect;
    return parse_endpoint(backend, false).value().prefix;
  };
  EXPECT_EQ(prefix(DialectName::gemini, "https://h/v1beta"), "");
  EXPECT_EQ(prefix(DialectName::azure_openai, "https://h/openai/v1"), "");
  EXPECT_EQ(prefix(DialectName::anthropic, "https://h/v1"), "");
  EXPECT_EQ(prefix(DialectName::vertex, "https://h/v1/projects/p/locations/l/publishers/google"), "/v1/projects/p/locations/l/publishers/google");
}

TEST(RetryAfter, ReadsSecondsFractionsMillisecondsAndDates) {
  using std::chrono::milliseconds;
  const auto now = std::chrono::system_clock::from_time_t(784111777);
  EXPECT_EQ(parse_retry_after("2", now), milliseconds{2000});
  EXPECT_EQ(parse_retry_after("0.25", now), milliseconds{250});
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), milliseconds{10'000});
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:07 GMT", now), milliseconds{0}) << "the past is now";
  EXPECT_EQ(parse_retry_after("999999999", now), retry_after_max);
  EXPECT_EQ(parse_retry_after_ms("12.4"), milliseconds{12});
  for (const char* bad : {"", "-1", "soon", "1e3", "nan", "2 seconds"}) EXPECT_FALSE(parse_retry_after(bad, now)) << bad;
}

}  // namespace
}  // namespace tollgate
