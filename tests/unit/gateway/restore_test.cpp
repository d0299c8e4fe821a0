// Placeholders become values again, however a stream splits them.
#include "gateway/restore.hpp"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "support/seed.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;

std::vector<Masked::Swap> swaps() {
  return {{"<EMAIL_1>", "jane@b.de"}, {"<EMAIL_12>", "bob@b.de"}, {"<CARD_1>", "4526 0181"}, {"<PRIVATE_KEY_1>", ""}};
}

std::string event(const Json& choice) { return "data: " + Json{{"id", "x"}, {"choices", {choice}}}.dump() + "\n\n"; }

/// Text and tool arguments of all events, by choice.
std::map<std::string, std::string> told(const std::string& stream) {
  std::map<std::string, std::string> texts;
  SseSplitter splitter;
  const Result<void> fed = splitter.feed(stream, [&](std::string_view raw) {
    std::string joined;
    const Json json = Json::parse(event_data(raw, joined), nullptr, false);
    if (!json.is_object()) return;
    for (const Json& choice : json["choices"]) {
      const std::string index = std::to_string(choice.value("index", 0));
      const Json delta = choice.value("delta", Json::object());
      if (delta.contains("content")) texts[index] += delta["content"].get<std::string>();
      for (const Json& call : delta.value("tool_calls", Json::array()))
        texts[index + "t"] += call["function"]["arguments"].get<std::string>();
    }
  });
  EXPECT_TRUE(fed);
  return texts;
}

TEST(Restore, AWholeAnswerGetsItsValuesBack) {
  const Restorer restorer(swaps());
  EXPECT_EQ(restorer.whole(R"({"a":"to <EMAIL_1>, \u003cEMAIL_12\u003E and <EMAIL_2> <CARD_1"})"),
            R"({"a":"to jane@b.de, \u003cEMAIL_12\u003E and <EMAIL_2> <CARD_1"})");
  EXPECT_EQ(restorer.whole(R"(\u003cEMAIL_12\u003e \\u003cCARD_1\u003e <PRIVATE_KEY_1>)"),
            R"(bob@b.de \\u003cCARD_1\u003e <PRIVATE_KEY_1>)");
}

TEST(Restore, AStreamMaySplitAPlaceholderAnywhere) {
  const std::string text = "Write to <EMAIL_1> or <EMAIL_12>; a < b, <EM, <EMAIL_1 > and card <CARD_1>",
                    wanted = "Write to jane@b.de or bob@b.de; a < b, <EM, <EMAIL_1 > and card 4526 0181";
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 500; ++round) {
    Restorer restorer(swaps());
    std::string stream, out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 5, text.size() - at);
      const std::string piece = text.substr(at, size);
      stream += event({{"index", 0}, {"delta", {{"content", piece}}}, {"finish_reason", nullptr}});
      stream +=
          event({{"index", 1}, {"delta", {{"tool_calls", {{{"index", 0}, {"function", {{"arguments", piece}}}}}}}}});
      at += size;
    }
    const bool with_finish = random() % 2 == 0;
    if (with_finish) {
      stream += event({{"index", 0}, {"delta", Json::object()}, {"finish_reason", "stop"}});
      stream += event({{"index", 1}, {"delta", Json::object()}, {"finish_reason", "tool_calls"}});
    }
    stream += "data: [DONE]\n\n";
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 300, stream.size() - at);
      ASSERT_TRUE(restorer.events(std::string_view(stream).substr(at, size), out));
      at += size;
    }
    restorer.finish(out);
    const auto texts = told(out);
    ASSERT_EQ(texts.at("0"), wanted);
    ASSERT_EQ(texts.at("1t"), wanted);
    ASSERT_TRUE(out.ends_with("data: [DONE]\n\n"));
  }
}

TEST(Restore, TextHeldAtTheEndIsNotLost) {
  for (const bool finish : {true, false}) {
    Restorer restorer(swaps());
    std::string out;
    ASSERT_TRUE(restorer.events(event({{"index", 0}, {"delta", {{"content", "a <EMAIL"}}}}), out));
    EXPECT_EQ(told(out).at("0"), "a ");
    if (finish) {
      ASSERT_TRUE(restorer.events(event({{"index", 0}, {"delta", Json::object()}, {"finish_reason", "length"}}), out));
    } else {
      restorer.finish(out);
    }
    EXPECT_EQ(told(out).at("0"), "a <EMAIL");
  }
}

TEST(Restore, WhatHasNoPlaceholderPassesAsItCame) {
  Restorer restorer(swaps());
  const std::string stream =
      "data: {\"choices\":[ {\"delta\": {\"content\":\"x > y\"}} ]}\n\n: comment\n\ndata: "
      "{\"usage\":{},\"choices\":[]}\n\ndata: [DONE]\n\n";
  std::string out;
  ASSERT_TRUE(restorer.events(stream, out));
  EXPECT_EQ(out, stream);
}

}  // namespace
}  // namespace tollgate
