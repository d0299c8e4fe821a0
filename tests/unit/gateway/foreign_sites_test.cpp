#include "gateway/admin/foreign_sites.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

AdminRequest request(std::string_view method, std::string_view target, std::string_view host = "127.0.0.1:9090") {
  AdminRequest made;
  made.method = method;
  made.target = target;
  made.host = host;
  return made;
}

bool answered(const AdminRequest& asked, bool asks_keys = false) { return !refuse_foreign(asked, asks_keys); }

TEST(ForeignSites, ProgramsAndTheOwnPageAreAnswered) {
  AdminRequest post = request("POST", "/admin/v1/send");
  EXPECT_TRUE(answered(post));
  post.origin = "http://127.0.0.1:9090";
  post.fetch_site = "same-origin";
  EXPECT_TRUE(answered(post));
  EXPECT_TRUE(answered(request("GET", "/admin/v1/overview", "")));
}

TEST(ForeignSites, WhatAnotherOriginSendsIsRefusedWithAndWithoutKeys) {
  for (const std::string_view origin :
       {"http://evil.example", "null", "", "http://127.0.0.1:8080", "http://127.0.0.1:90900"}) {
    for (const std::string_view target : {"/admin/v1/send", "/-/reload"}) {
      AdminRequest post = request("POST", target);
      post.origin = origin;
      if (origin.empty()) post.fetch_site = "cross-site";
      EXPECT_FALSE(answered(post)) << origin;
      EXPECT_FALSE(answered(post, true)) << origin;
    }
  }
}

TEST(ForeignSites, ALinkToThePageFromElsewhereWorksButNotToItsFigures) {
  AdminRequest link = request("GET", "/");
  link.fetch_site = "cross-site";
  EXPECT_TRUE(answered(link));
  link.target = "/admin/v1/overview";
  EXPECT_FALSE(answered(link));
}

TEST(ForeignSites, NamesOtherThanLocalhostNeedAKey) {
  for (const std::string_view host :
       {"evil.example", "evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example:1"}) {
    EXPECT_FALSE(answered(request("GET", "/", host))) << host;
    EXPECT_TRUE(answered(request("GET", "/", host), true)) << host;
    EXPECT_TRUE(answered(request("GET", "/metrics", host))) << host;
  }
  for (const std::string_view host :
       {"localhost", "LocalHost:9090", "a.localhost:1", "10.1.2.3:9090", "[::1]:9090", "[::1]"}) {
    EXPECT_TRUE(answered(request("GET", "/", host))) << host;
  }
}

TEST(AdminRequest, QueriesAreFoundByTheirWholeName) {
  const AdminRequest asked = request("GET", "/admin/v1/decisions?unlimited=1&limit=5&x");
  EXPECT_EQ(asked.path(), "/admin/v1/decisions");
  EXPECT_EQ(asked.query("limit"), "5");
  EXPECT_EQ(asked.query("x"), "");
  EXPECT_EQ(request("GET", "/").query("limit"), "");
}

}  // namespace
}  // namespace tollgate
