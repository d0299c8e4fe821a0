#include "router/mask.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

constexpr PiiKinds both = PiiKinds(PiiKind::email) | PiiKind::card;

TEST(Mask, TheSameValueGetsTheSamePlaceholderEverywhere) {
  const std::string body =
      R"({"model":"auto","messages":[{"role":"system","content":"ask a@b.de or c@d.de"},{"role":"user","content":"a@b.de paid with 4526018159083012"}],"user":"a@b.de"})";
  const Masked masked = mask(body, both, {}, 64);
  EXPECT_EQ(
      masked.body,
      R"({"model":"auto","messages":[{"role":"system","content":"ask <EMAIL_1> or <EMAIL_2>"},{"role":"user","content":"<EMAIL_1> paid with <CARD_1>"}],"user":"<EMAIL_1>"})");
  ASSERT_EQ(masked.swaps.size(), 3U);
  EXPECT_EQ(masked.swaps[1].original, "c@d.de");
  EXPECT_GE(masked.body.capacity(), masked.body.size() + 64);
}

TEST(Mask, OnlyTheKindsAskedForAndNeverTheModel) {
  const std::string body = R"({"model":"m@b.de","input":"a@b.de 4526018159083012"})";
  const std::string_view model = std::string_view(body).substr(9, 8);
  EXPECT_EQ(mask(body, PiiKind::card, model, 0).body, R"({"model":"m@b.de","input":"a@b.de <CARD_1>"})");
  EXPECT_EQ(mask(body, PiiKind::email, model, 0).body, R"({"model":"m@b.de","input":"<EMAIL_1> 4526018159083012"})");
}

TEST(Mask, EscapesAndJsonWithinJsonStayValid) {
  const std::string body =
      R"({"c":"x\nj\u0061ne\u0040b.de\t\"q\"","a":"{\"to\":\"x\\nbob@b.de\",\"k\":\"-----BEGIN RSA PRIVATE KEY-----\\nabc\"}"})";
  const Masked masked = mask(body, PiiKinds(PiiKind::email) | PiiKind::private_key, {}, 0);
  EXPECT_EQ(masked.body, R"({"c":"x\n<EMAIL_1>\t\"q\"","a":"{\"to\":\"x\\n<EMAIL_2>\",\"k\":\"<PRIVATE_KEY_1>)"
                         "\"}");
  EXPECT_EQ(masked.swaps[0].original, "jane@b.de");
}

TEST(Mask, ANumberOutsideStringsBecomesAString) {
  const Masked masked =
      mask(R"({"card":4526018159083012,"n":[4526018159083013, 12],"c":"4526018159083012"})", both, {}, 0);
  EXPECT_EQ(masked.body, R"({"card":"<CARD_1>","n":[4526018159083013, 12],"c":"<CARD_1>"})");
  EXPECT_EQ(masked.swaps[0].original, "4526018159083012");
}

TEST(Mask, NothingFoundIsTheSameBytes) {
  const std::string body =
      R"({"model":"auto","messages":[{"role":"user","content":"hello \u00e4 \\ \" world"}], "x" : [1, 2.5e3]})";
  EXPECT_EQ(mask(body, usual_pii_kinds, {}, 0).body, body);
}

}  // namespace
}  // namespace tollgate
