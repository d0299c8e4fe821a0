#include "backends/splice.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "support/seed.hpp"

namespace tollgate {
namespace {

Span find(const std::string& text, std::string_view what) {
  return {static_cast<std::uint32_t>(text.find(what)), static_cast<std::uint32_t>(what.size())};
}

std::string spliced(const ClientBody& client, std::string_view model, StreamUsage wish) {
  WireBody wire;
  splice(client, model, wish, wire);
  std::string text;
  for (const std::string_view piece : wire.pieces) text.append(piece);
  EXPECT_EQ(text.size(), wire.bytes);
  return text;
}

ClientBody body_of(const std::string& text, bool stream) {
  ClientBody client;
  client.text = text;
  client.model_value = find(text, "\"auto\"");
  client.after_brace = static_cast<std::uint32_t>(text.find('{') + 1);
  client.stream = stream;
  return client;
}

TEST(Splice, OnlyTheModelChangesOutsideStreams) {
  const std::string text = R"({ "x":[1, 2], "model" : "auto", "y":"\u00e4" })";
  EXPECT_EQ(spliced(body_of(text, false), "a\"b", {true, true}), R"({ "x":[1, 2], "model" : "a\"b", "y":"\u00e4" })");
}

TEST(Splice, StreamsAskForUsageAndKeepTheClientsOtherOptions) {
  const std::string plain = R"({"model":"auto","stream":true})";
  EXPECT_EQ(spliced(body_of(plain, true), "m", {true, false}), R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");

  const std::string given = R"({"stream_options":{ "include_usage": false, "include_obfuscation": {"a":[1,"}"]} , "z":1 },"model":"auto"})";
  ClientBody client = body_of(given, true);
  client.stream_options_value = find(given, R"({ "include_usage": false, "include_obfuscation": {"a":[1,"}"]} , "z":1 })");
  const auto json = nlohmann::json::parse(spliced(client, "m", {true, true}));
  EXPECT_EQ(json["stream_options"], nlohmann::json::parse(R"({"include_usage":true,"continuous_usage_stats":true,"include_obfuscation":{"a":[1,"}"]},"z":1})"));

  const std::string null = R"({"stream_options":null,"model":"auto"})";
  client = body_of(null, true);
  client.stream_options_value = find(null, "null");
  EXPECT_EQ(spliced(client, "m", {true, false}), R"({"stream_options":{"include_usage":true},"model":"m"})");
}

TEST(Splice, AsksForTheEnginesTimingsOnce) {
  const std::string plain = R"({"model":"auto"})";
  ClientBody client = body_of(plain, false);
  client.ask_metrics = true;
  EXPECT_EQ(spliced(client, "m", {true, true}), R"({"include_metrics":true,"model":"m"})");
  const std::string refused = R"({"model":"auto","include_metrics": false})";
  client = body_of(refused, false);
  client.ask_metrics = true;
  client.include_metrics_value = find(refused, "false");
  EXPECT_EQ(spliced(client, "m", {true, true}), R"({"model":"m","include_metrics": true})");
  const std::string wanted = R"({"model":"auto","include_metrics":true})";
  client = body_of(wanted, false);
  client.ask_metrics = client.include_metrics = true;
  EXPECT_EQ(spliced(client, "m", {true, true}), R"({"model":"m","include_metrics":true})");
  const std::string stream = R"({"model":"auto","stream":true})";
  client = body_of(stream, true);
  client.ask_metrics = true;
  EXPECT_EQ(nlohmann::json::parse(spliced(client, "m", {true, false})),
            nlohmann::json::parse(R"({"include_metrics":true,"stream_options":{"include_usage":true},"model":"m","stream":true})"));
}

// Law: parsed, the result is the original with exactly the wanted changes, whatever the order and white space of the members.
TEST(Splice, ChangesNothingElseInAnyBody) {
  const unsigned seed = test_seed();
  std::mt19937 random(seed);
  SCOPED_TRACE("TOLLGATE_SEED=" + std::to_string(seed));
  for (int round = 0; round < 500; ++round) {
    std::vector<std::string> members{R"("model":"auto")", R"("messages":[{"role":"user","content":"a, \"model\":{"}])", R"("n":1)"};
    const bool options = random() % 2 == 0, usage = random() % 2 == 0;
    if (options) members.push_back(R"("stream_options":{"include_usage":true,"k":2})");
    if (usage) members.push_back(R"("usage":{"include":true})");
    std::shuffle(members.begin(), members.end(), random);
    std::string text = "{";
    ClientBody client;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) text += random() % 2 == 0 ? "," : " ,\n ";
      text += members[i];
    }
    text += "}";
    client = body_of(text, true);
    if (options) client.stream_options_value = find(text, R"({"include_usage":true,"k":2})");
    if (usage) {
      Span span = find(text, R"("usage":{"include":true})");
      const std::size_t before = text.find_last_not_of(" \n", span.offset - 1);
      if (text[before] == ',') {
        span.length += span.offset - static_cast<std::uint32_t>(before);
        span.offset = static_cast<std::uint32_t>(before);
      } else {
        span.length = static_cast<std::uint32_t>(text.find(',', span.offset + span.length)) + 1 - span.offset;
      }
      client.usage_member = span;
    }
    nlohmann::json expected = nlohmann::json::parse(text);
    expected["model"] = "up";
    expected.erase("usage");
    expected["stream_options"]["include_usage"] = true;
    expected["stream_options"]["continuous_usage_stats"] = true;
    EXPECT_EQ(nlohmann::json::parse(spliced(client, "up", {true, true})), expected) << text;
  }
}

}  // namespace
}  // namespace tollgate
