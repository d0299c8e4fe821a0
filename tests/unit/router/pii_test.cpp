// What is found and what is not, on a corpus of the project's own (data/pii_marked.txt, data/pii_clean.txt).
#include "router/pii.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "pii_samples.hpp"
#include "router/plain_text.hpp"
#include "seed.hpp"

namespace tollgate {
namespace {

using testing::Sample;
using testing::samples_of;

std::vector<std::pair<PiiKind, std::string>> found_in(const std::string& text, PiiKinds kinds = usual_pii_kinds) {
  PlainText plain;
  plain.assign(text);
  std::vector<PiiFinding> findings;
  PiiSink sink{kinds, &findings, {}};
  find_pii(plain.view(), sink);
  std::vector<std::pair<PiiKind, std::string>> values;
  for (const PiiFinding& found : findings) {
    const std::size_t begin = plain.raw_offset(found.begin), end = plain.raw_offset(found.end);
    values.emplace_back(found.kind, text.substr(begin, end - begin));
  }
  return values;
}

std::string shown(const std::vector<std::pair<PiiKind, std::string>>& values) {
  std::string text;
  for (const auto& [kind, value] : values)
    text.append("[").append(name_of(kind)).append(":").append(value).append("] ");
  return text;
}

// Within one line JSON and text are the same as long as no backslash and no quote needs an escape; the corpus has none.
TEST(Pii, FindsEveryMarkedValueAndNothingElse) {
  const std::vector<Sample> samples = samples_of("pii_marked.txt");
  ASSERT_GT(samples.size(), 80U);
  std::array<int, pii_kind_count> count{};
  for (const Sample& sample : samples) {
    EXPECT_EQ(shown(found_in(sample.text)), shown(sample.values)) << "line " << sample.line << ": " << sample.text;
    for (const auto& [kind, value] : sample.values) ++count[static_cast<std::size_t>(kind)];
  }
  for (std::size_t i = 0; i < pii_kind_count; ++i) {
    if (static_cast<PiiKind>(i) != PiiKind::ip) {
      EXPECT_GT(count[i], 0) << name_of(static_cast<PiiKind>(i));
    }
  }
}

TEST(Pii, FindsNothingInCleanTexts) {
  const std::vector<Sample> samples = samples_of("pii_clean.txt");
  ASSERT_GT(samples.size(), 90U);
  for (const Sample& sample : samples) {
    const auto found = found_in(sample.text);
    EXPECT_EQ(found.empty(), !sample.known_wrong)
        << "line " << sample.line << ": " << shown(found) << "in " << sample.text;
  }
}

TEST(Pii, IpAddressesCountOnlyWhereAskedFor) {
  const std::string text = "from 192.168.178.20 to 8.8.8.8, version 1.2.3.4.5 and 300.1.1.1 and 10.0.0.01";
  EXPECT_TRUE(found_in(text).empty());
  EXPECT_EQ(shown(found_in(text, PiiKind::ip)), "[ip:192.168.178.20] [ip:8.8.8.8] ");
}

TEST(Pii, ReadsEscapesAsTheTextTheyMean) {
  EXPECT_EQ(shown(found_in(R"(mail jane\u0040example.org now)")), R"([email:jane\u0040example.org] )");
  EXPECT_EQ(shown(found_in(R"(a\njane@example.org\nb)")), "[email:jane@example.org] ");
  // JSON within JSON: the n before the address is half of a line break.
  EXPECT_EQ(shown(found_in(R"({\"to\":\"x\\njane@example.org\"})")), "[email:jane@example.org] ");
  EXPECT_EQ(shown(found_in(R"({\"note\":\"x\\n4526018159083012\"})")), "[card:4526018159083012] ");
  EXPECT_EQ(shown(found_in(R"(\u0034526018159083012)")), R"([card:\u0034526018159083012] )");
  EXPECT_EQ(shown(found_in("4526\xC2\xA0"
                           "0181\xE2\x80\xAF"
                           "5908\xE2\x80\x91"
                           "3012")),
            "");  // mixed separators are no card
  EXPECT_EQ(shown(found_in("4526\xC2\xA0"
                           "0181\xC2\xA0"
                           "5908\xE2\x80\xAF"
                           "3012")),
            "[card:4526\xC2\xA0"
            "0181\xC2\xA0"
            "5908\xE2\x80\xAF"
            "3012] ");
}

TEST(Pii, ACardInALongListOfNumbersIsFoundWhereverItStands) {
  for (int before = 0; before < 40; ++before) {
    std::string text;
    for (int i = 0; i < before; ++i) text += "12 ";
    text += "4526 0181 5908 3012 99";
    EXPECT_EQ(shown(found_in(text, PiiKind::card)), "[card:4526 0181 5908 3012] ") << before;
  }
}

TEST(Pii, ReadsNothingBehindTheEnd) {
  const std::string full =
      "a@b.de 4526018159083012 DE16711471049746507529 -----BEGIN RSA PRIVATE"
      " KEY----- password=Abc12345! X3883170B +49 171 1234567 (212) 555-0143 131052-308T\\";
  for (std::size_t size = 0; size <= full.size(); ++size) {
    for (std::size_t from = 0; from < 4 && from <= size; ++from)
      found_in(full.substr(from, size - from), PiiKinds::from_bits(~0U));
  }
}

TEST(Pii, LongSecretsAreFoundToTheirEnd) {
  std::string value;
  for (int i = 0; i < 100; ++i) value += "aB3dE7gH9" + std::to_string(i);
  EXPECT_EQ(shown(found_in("client_secret=" + value + " x")), "[api_key:" + value + "] ");
  EXPECT_EQ(shown(found_in("x sk-" + value + " x")), "[api_key:sk-" + value + "] ");
}

// Whatever the text: findings lie in it, rise, and do not overlap.
TEST(Pii, RandomTextsGiveOrderedFindings) {
  static constexpr const char* pieces[] = {"4526018159083012",
                                           "4526 0181 5908 3012",
                                           "-",
                                           ".",
                                           " ",
                                           "@",
                                           "a@b.de",
                                           "password",
                                           " is ",
                                           "=",
                                           ": ",
                                           "SG.",
                                           ".eyJ",
                                           "eyJhbGciOi",
                                           "-----BEGIN ",
                                           "PRIVATE KEY-----",
                                           "-----END ",
                                           "DE16711471049746507529",
                                           "DE16",
                                           "密码",
                                           "是",
                                           "+49",
                                           "(",
                                           ")",
                                           "/",
                                           "sk-",
                                           "ghp_",
                                           "AKIA",
                                           "AIza",
                                           "aB3dE7gH9jK2mN5pQ8",
                                           "-u ",
                                           "1",
                                           "22",
                                           "333",
                                           "4444",
                                           "131052-308T",
                                           "https://",
                                           "_KEY",
                                           "\"",
                                           "'",
                                           "&x=",
                                           "\\n",
                                           "tel",
                                           "ä",
                                           "\xF0"};
  std::mt19937_64 random(testing::seed());
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = random() % 24; i > 0; --i) text += pieces[random() % std::size(pieces)];
    PlainText plain;
    plain.assign(text);
    std::vector<PiiFinding> findings;
    PiiSink sink{PiiKinds::from_bits(~0U), &findings, {}};
    find_pii(plain.view(), sink);
    std::size_t before = 0;
    for (const PiiFinding& found : findings) {
      ASSERT_GE(found.begin, before) << text;
      ASSERT_GT(found.end, found.begin) << text;
      ASSERT_LE(found.end, plain.view().size()) << text;
      before = found.end;
    }
    ASSERT_EQ(sink.found.any(), !findings.empty()) << text;
  }
}

TEST(PlainText, MapsEveryOffsetBack) {
  const std::string raw = R"(aä\u00e4\n\ud83d\ude00)"
                          "\xEF\xBC\x91"
                          "z";
  PlainText plain;
  plain.assign(raw);
  EXPECT_EQ(plain.view(),
            "aää\n\xF0\x9F\x98\x80"
            "1z");
  EXPECT_EQ(plain.raw_offset(0), 0U);
  EXPECT_EQ(plain.raw_offset(plain.view().size()), raw.size());
  EXPECT_EQ(plain.raw_offset(plain.view().size() - 1), raw.size() - 1);
  EXPECT_EQ(raw.substr(plain.raw_offset(plain.view().find('1')), 3), "\xEF\xBC\x91");
}

TEST(PlainText, WalksEveryStringAndLongNumberOfAJsonText) {
  std::vector<std::string> walked;
  const auto keep = [&](std::string_view each) { walked.emplace_back(each); };
  each_json_text(
      R"({"a\"b":"c\\","d":[1,"e",4526018159083012],"n":[0.123456789123,-123456789,123456789e3,123456789],"f":"open)",
      keep, keep);
  EXPECT_EQ(walked, (std::vector<std::string>{R"(a\"b)", R"(c\\)", "d", "e", "4526018159083012", "n", "123456789", "f",
                                              "open"}));
  walked.clear();
  each_json_text("4526018159083012", keep, keep);
  EXPECT_EQ(walked, (std::vector<std::string>{"4526018159083012"}));
}

}  // namespace
}  // namespace tollgate
