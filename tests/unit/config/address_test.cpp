#include "config/address.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

TEST(Address, ListenAddressesAreReadWithWhetherOthersReachThem) {
  EXPECT_TRUE(parse_listen("127.0.0.1:8080").value().loopback);
  EXPECT_TRUE(parse_listen("127.9.9.9:0").value().loopback);
  EXPECT_TRUE(parse_listen("[::1]:8080").value().loopback);
  EXPECT_TRUE(parse_listen("[::ffff:127.0.0.1]:8080").value().loopback);
  EXPECT_EQ(parse_listen("localhost:8080").value().host, "127.0.0.1");
  EXPECT_FALSE(parse_listen("0.0.0.0:8080").value().loopback);
  EXPECT_FALSE(parse_listen("[::]:8080").value().loopback);
  EXPECT_FALSE(parse_listen("10.0.0.1:65535").value().loopback);
  EXPECT_EQ(parse_listen("10.0.0.1:65535").value().port, 65535);
}

TEST(Address, WhatIsNoListenAddressIsRefused) {
  for (const std::string_view text :
       {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "example.org:80", "::1:8080",
        "[::1]", "[::1]8080", "[127.0.0.1]:80", "1.2.3:80", "127.0.0.1:80 "}) {
    EXPECT_FALSE(parse_listen(text)) << text;
  }
}

TEST(Address, UrlsAreBroughtIntoOneForm) {
  const BackendUrl url = parse_backend_url("HTTPS://API.Example.com/v1/").value();
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.host, "api.example.com");
  EXPECT_EQ(url.port, 443);
  EXPECT_EQ(url.text, "https://api.example.com/v1");
  EXPECT_EQ(parse_backend_url("http://[FD00::1]:8000").value().host, "fd00::1");
  EXPECT_EQ(parse_backend_url("http://gpu-a:8000/Prefix").value().text, "http://gpu-a:8000/Prefix");
}

TEST(Address, WhatIsNoUrlIsRefused) {
  for (const std::string_view text : {"",
                                      "gpu-a:8000",
                                      "ftp://gpu-a",
                                      "http://",
                                      "http://:80",
                                      "http://a b",
                                      "http://gpu-a:0",
                                      "http://gpu-a:x",
                                      "http://a?b",
                                      "http://a#b",
                                      "http://a/\r\nx",
                                      "http://[::1",
                                      "http://::1",
                                      "http://[a]:1",
                                      "http://a..b",
                                      "http://127.1",
                                      "http://0x7f.1",
                                      "http://2130706433",
                                      "http://a\\b",
                                      "file:///etc/passwd"}) {
    EXPECT_FALSE(parse_backend_url(text)) << text;
  }
}

TEST(Address, APasswordInAUrlIsRefusedAndNotRepeated) {
  const auto url = parse_backend_url("https://user:hunter2@api.example.com");
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos);
}

TEST(Address, PrivateIsWhatStaysInTheHouse) {
  for (const std::string_view host :
       {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::1", "fd00::1", "localhost", "gpu-a",
        "gpu.lan", "gpu.local", "engine.eu.internal", "gpu.lan.", "::ffff:10.0.0.1"}) {
    EXPECT_TRUE(is_private(host)) << host;
  }
  for (const std::string_view host :
       {"8.8.8.8", "172.15.0.1", "172.32.0.1", "192.169.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "2001:db8::1",
        "fe80::1", "api.openai.com", "internal.example.com", "local.com", "10.0.0.1.example.com", "::ffff:8.8.8.8"}) {
    EXPECT_FALSE(is_private(host)) << host;
  }
}

}  // namespace
}  // namespace tollgate
