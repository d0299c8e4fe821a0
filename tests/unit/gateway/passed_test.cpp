#include "gateway/passed.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

TEST(PassedPlace, EndpointsAreKnownByPathAndMethod) {
  const PassedPlace content = passed_place("GET", "/v1/files/file-a1/content").value().value();
  EXPECT_EQ(content.surface, Surface::files);
  EXPECT_EQ(content.id, "file-a1");
  EXPECT_TRUE(content.content && content.may_repeat());
  const PassedPlace cancel = passed_place("POST", "/v1/batches/batch_1/cancel").value().value();
  EXPECT_EQ(cancel.surface, Surface::batches);
  EXPECT_FALSE(cancel.may_repeat());
  EXPECT_FALSE(passed_place("POST", "/v1/files").value()->may_repeat());
  EXPECT_TRUE(passed_place("POST", "/v1/audio/speech").value()->may_repeat());
  EXPECT_EQ(passed_place("POST", "/v1/audio/translations").value()->surface, Surface::transcriptions);
}

TEST(PassedPlace, OthersAreNot) {
  for (const char* const path : {"/v1/chat/completions", "/v1/images", "/v1/images/generations/x", "/v1/files/", "/v1/files//content", "/v1/files/a/b/content", "/v1/uploads"}) {
    EXPECT_FALSE(passed_place("GET", path).has_value() && passed_place("GET", path).value().has_value()) << path;
  }
  EXPECT_EQ(passed_place("PUT", "/v1/files/x").error().fault, Fault::method_not_allowed);
  EXPECT_EQ(passed_methods("/v1/files"), "GET, POST");
  EXPECT_EQ(passed_methods("/v1/chat/completions"), "");
}

TEST(PassedPlace, AnIdIsPlain) {
  for (const char* const id : {"..", "a%2fb", "a b", ".hidden", "a\\b", "a?b"}) EXPECT_FALSE(passed_place("GET", std::string("/v1/files/") + id)) << id;
  EXPECT_FALSE(passed_place("GET", "/v1/files/" + std::string(129, 'a')));
}

Usage usage(std::string_view object, Surface surface, bool spoken = false) { return passed_usage(object, surface, spoken).value(); }

// Pitfall 22: audio and images at the price of text.
TEST(PassedUsage, OfImagesIsSplitByKind) {
  const Usage read = usage(R"({"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}})", Surface::images);
  EXPECT_EQ(read.input.count(), 10);
  EXPECT_EQ(read.of(RareClass::input_image).count(), 40);
  EXPECT_EQ(read.of(RareClass::output_image).count(), 50);
  EXPECT_EQ(read.output.count(), 0);
}

// Pitfall 22: audio and images at the price of text.
TEST(PassedUsage, OfTranscriptionsIsAudioInAndTextOut) {
  const Usage read = usage(R"({"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":4,"audio_tokens":10},"output_tokens":45,"total_tokens":59})", Surface::transcriptions);
  EXPECT_EQ(read.input.count(), 4);
  EXPECT_EQ(read.of(RareClass::input_audio).count(), 10);
  EXPECT_EQ(read.output.count(), 45);
}

TEST(PassedUsage, OfSpeechIsSoundWhereSoundHasAPriceOfItsOwn) {
  EXPECT_EQ(usage(R"({"input_tokens":14,"output_tokens":101})", Surface::speech, true).of(RareClass::output_audio).count(), 101);
  EXPECT_EQ(usage(R"({"input_tokens":14,"output_tokens":101})", Surface::speech, false).output.count(), 101);
}

TEST(PassedUsage, WhatHasNoTokensOrContradictsItselfIsNone) {
  for (const char* const object : {R"({"type":"duration","seconds":9})", R"({"input_tokens":5,"output_tokens":1,"input_tokens_details":{"image_tokens":6}})",
                                   R"({"input_tokens":-5,"output_tokens":1})", R"({"input_tokens":1.5,"output_tokens":1})", "nonsense"}) {
    EXPECT_FALSE(passed_usage(object, Surface::images, false)) << object;
  }
}

TEST(HeardMicros, AreReadAsWritten) {
  EXPECT_EQ(heard_micros(R"({"type":"duration","seconds":9})", ""), 9'000'000);
  EXPECT_EQ(heard_micros("", R"({"task":"transcribe","duration": 8.470000267, "text":""})"), 8'470'001) << "what is finer is rounded up";
  EXPECT_EQ(heard_micros("", R"({"text":"x"})"), std::nullopt);
  EXPECT_EQ(heard_micros("", R"({"duration":)"), std::nullopt);
  EXPECT_EQ(heard_micros("", R"({"duration": 12)"), std::nullopt) << "cut off: it may have gone on";
  EXPECT_EQ(heard_micros(R"({"seconds":99999999999999999999})", ""), std::nullopt);
}

std::string scanned(std::string_view body, std::size_t piece) {
  PassedUsageScan scan;
  for (std::size_t at = 0; at < body.size(); at += piece) scan.feed(body.substr(at, piece));
  return scan.usage_object();
}

TEST(PassedUsageScan, FindsItAtTheEndHoweverTheAnswerIsCut) {
  const std::string body = "{\"data\":[{\"b64_json\":\"" + std::string(100'000, 'A') + "\"}],\"usage\": {\"input_tokens\":1,\"details\":{\"a\":\"}\"}}}";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, std::size_t{1'000'000}}) EXPECT_EQ(scanned(body, piece), "{\"input_tokens\":1,\"details\":{\"a\":\"}\"}}") << piece;
}

TEST(PassedUsageScan, FindsItAtTheBeginning) {
  EXPECT_EQ(scanned("{\"usage\":{\"input_tokens\":1},\"data\":\"" + std::string(50'000, 'A') + "\"}", 1000), "{\"input_tokens\":1}");
}

TEST(PassedUsageScan, FindsTheLastOfAStream) {
  EXPECT_EQ(scanned("data: {\"usage\":null}\n\ndata: {\"usage\":{\"input_tokens\":1}}\n\ndata: {\"type\":\"done\",\"usage\":{\"input_tokens\":2}}\n\n", 5), "{\"input_tokens\":2}");
}

TEST(PassedUsageScan, TextThatTalksOfUsageIsNone) {
  EXPECT_EQ(scanned(R"({"text":"he said \"usage\": {\"input_tokens\": 5}"})", 3), "");
  EXPECT_EQ(scanned("", 1), "");
}

}  // namespace
}  // namespace tollgate
