// Masked values put back in streams of a client's own protocol.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "gateway/restore.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;

std::string event(const Json& json) { return "event: " + json["type"].get<std::string>() + "\ndata: " + json.dump() + "\n\n"; }

std::vector<Json> restored(const std::vector<Json>& events) {
  const std::vector<Masked::Swap> swaps{{"<EMAIL_1>", "jane@example.com"}};
  Restorer restorer(swaps);
  std::string out;
  for (const Json& each : events) {
    EXPECT_TRUE(restorer.events(event(each), out));
  }
  restorer.finish(out);
  std::vector<Json> read;
  for (std::size_t at = 0; at < out.size();) {
    const std::size_t data = out.find("\ndata: ", at), end = out.find("\n\n", at);
    read.push_back(Json::parse(out.substr(data + 7, end - data - 7)));
    at = end + 2;
  }
  return read;
}

TEST(RestoreEvents, BlocksOfMessagesWhereverThePlaceholderIsSplit) {
  const std::string text = "to <EMAIL_1>!";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    for (const auto& [type, member] : {std::pair<std::string, std::string>{"text_delta", "text"}, {"input_json_delta", "partial_json"}, {"thinking_delta", "thinking"}}) {
      const auto delta = [&, type = type, member = member](const std::string& piece) {
        return Json{{"type", "content_block_delta"}, {"index", 3}, {"delta", {{"type", type}, {member, piece}}}};
      };
      const std::vector<Json> out = restored({delta(text.substr(0, cut)), delta(text.substr(cut)), {{"type", "content_block_stop"}, {"index", 3}}});
      std::string all;
      for (const Json& each : out) {
        if (each["type"] == "content_block_delta") all += each["delta"][member].get<std::string>();
      }
      EXPECT_EQ(all, "to jane@example.com!") << cut;
      EXPECT_EQ(out.back()["type"], "content_block_stop");
    }
  }
}

TEST(RestoreEvents, WhatOnlyLooksLikeAPlaceholderGoesOutBeforeItsBlockEnds) {
  const Json delta{{"type", "content_block_delta"}, {"index", 0}, {"delta", {{"type", "text_delta"}, {"text", "a <EMA"}}}};
  const std::vector<Json> out = restored({delta, {{"type", "content_block_stop"}, {"index", 0}}, {{"type", "message_stop"}}});
  ASSERT_EQ(out.size(), 4U);
  EXPECT_EQ(out[0]["delta"]["text"], "a ");
  EXPECT_EQ(out[1]["delta"], Json::parse(R"({"type":"text_delta","text":"<EMA"})"));
}

TEST(RestoreEvents, PartsOfResponsesInDeltasAndInWhatIsWhole) {
  const std::string text = "to <EMAIL_1>";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const auto delta = [](const std::string& piece) {
      return Json{{"type", "response.output_text.delta"}, {"output_index", 1}, {"content_index", 0}, {"delta", piece}};
    };
    const std::vector<Json> out = restored({delta(text.substr(0, cut)), delta(text.substr(cut)),
                                            {{"type", "response.output_text.done"}, {"output_index", 1}, {"content_index", 0}, {"text", text}},
                                            {{"type", "response.completed"}, {"response", {{"output", {{{"text", text}}}}}}}});
    std::string all;
    for (const Json& each : out) {
      if (each["type"] == "response.output_text.delta") all += each["delta"].get<std::string>();
    }
    EXPECT_EQ(all, "to jane@example.com") << cut;
    EXPECT_EQ(out[out.size() - 2]["text"], "to jane@example.com");
    EXPECT_EQ(out.back()["response"]["output"][0]["text"], "to jane@example.com");
  }
}

}  // namespace
}  // namespace tollgate
