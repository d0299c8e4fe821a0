#include "router/fold.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "requests.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

std::string folded(std::string_view raw) {
  std::string out(raw.size() + fold_padding, '\0');
  out.resize(static_cast<std::size_t>(fold(raw, out.data()) - out.data()));
  return out;
}

TEST(Fold, CapitalsBecomeLowerCase) {
  EXPECT_EQ(folded("Hello WORLD, this is A longer Text Indeed."), "hello world, this is a longer text indeed.");
}

TEST(Fold, EscapesAreResolved) {
  EXPECT_EQ(folded(R"(a\nb\tc\"d\\e\/f)"), "a\nb c\"d\\e/f");
  EXPECT_EQ(folded(R"(\u0041\u00e4\u000A)"), "aa\n");
}

TEST(Fold, AnEscapedBackslashBeforeNIsNoLineEnd) { EXPECT_EQ(folded(R"(\\nabla)"), "\\nabla"); }

TEST(Fold, AccentsGoInBothWritings) {
  EXPECT_EQ(folded("DÉMONTRER für Straße señor"), "demontrer fur strasse senor");
  EXPECT_EQ(folded(R"(d\u00e9montrer stra\u00dfe)"), "demontrer strasse");
  EXPECT_EQ(folded("de\xCC\x81montrer"), "demontrer");  // decomposed
}

TEST(Fold, ChineseAndEmojiStayUtf8) {
  EXPECT_EQ(folded("证明"), "证明");
  EXPECT_EQ(folded(R"(\u8bc1\u660e)"), "证明");
  EXPECT_EQ(folded(R"(\ud83d\ude00)"), "😀");
}

TEST(Fold, TypographicAndFullWidthPunctuationBecomesAscii) { EXPECT_EQ(folded("“a”—b’s…？Ａ。"), "\"a\"-b's…?a."); }

TEST(Fold, BrokenInputIsPassedOver) {
  EXPECT_EQ(folded("a\\"), "a");
  EXPECT_EQ(folded("a\\u12"), "a12");
  EXPECT_EQ(folded(R"(a\ud83dx)"), "ax");
  EXPECT_EQ(folded(R"(a\ud83d\u0041)"), "aa");
  EXPECT_EQ(folded("a\xC3"), "a");
  EXPECT_EQ(folded("a\xFF\x80z"), "az");
  EXPECT_EQ(folded("a\xE8\xAFz"), "az");
}

TEST(Fold, BothWritingsOfATextFoldAlike) {
  const std::string_view text = "Erkläre Schritt für Schritt: ∑ n² ≤ ∞, 「証明」 なぜ？ Œuvre, ¿por qué? 😀 – fin";
  using testing::Escape;
  EXPECT_EQ(folded(testing::json_escaped(text, Escape::utf8)), folded(testing::json_escaped(text, Escape::ascii)));
}

TEST(Fold, AnyBytesStayWithinTheirRoom) {
  std::mt19937_64 random(testing::seed());
  for (int round = 0; round < 2000; ++round) {
    std::string raw(random() % 80, '\0');
    for (char& c : raw) {
      constexpr std::string_view likely = "\\\\u0dD89aE\"n \xE8\xAF\xC3\xA4\xF0\x9F";
      c = random() % 2 == 0 ? likely[random() % likely.size()] : static_cast<char>(random());
    }
    std::vector<char> out(raw.size() + fold_padding, '#');
    const char* const end = fold(raw, out.data());
    ASSERT_LE(end, out.data() + raw.size());
  }
}

}  // namespace
}  // namespace tollgate
