#include "backends/rate_gate.hpp"

#include <gtest/gtest.h>

namespace tollgate {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// 2026-11-21T12:00:00Z
const std::chrono::system_clock::time_point wall{seconds{1'795'262'400}};
constexpr RateGate::Now now{hours{1'000}};

RateHints read(std::initializer_list<std::pair<std::string_view, std::string_view>> headers) {
  RateHints hints;
  for (const auto& [name, value] : headers) {
    if (may_be_rate_header(name)) note(hints, name, value, wall);
  }
  return hints;
}

TEST(RateHints, OpenAisHeadersAreRead) {
  const RateHints hints = read({{"x-ratelimit-limit-requests", "500"}, {"X-RateLimit-Remaining-Requests", "0"}, {"x-ratelimit-reset-requests", "12ms"},
                                {"x-ratelimit-limit-tokens", "30000"}, {"x-ratelimit-remaining-tokens", "149"}, {"x-ratelimit-reset-tokens", "6m0s"}});
  EXPECT_EQ(hints.requests.limit, 500);
  EXPECT_EQ(hints.requests.left, 0);
  EXPECT_EQ(hints.requests.reset_ms, 12);
  EXPECT_EQ(hints.tokens.left, 149);
  EXPECT_EQ(hints.tokens.reset_ms, 360'000);
}

TEST(RateHints, AnthropicsHeadersAreRead) {
  const RateHints hints = read({{"anthropic-ratelimit-requests-limit", "50"}, {"anthropic-ratelimit-requests-remaining", "49"},
                                {"anthropic-ratelimit-input-tokens-limit", "40000"}, {"anthropic-ratelimit-input-tokens-remaining", "7000"},
                                {"anthropic-ratelimit-input-tokens-reset", "2026-11-21T12:00:30Z"}});
  EXPECT_EQ(hints.requests.left, 49);
  EXPECT_EQ(hints.input_tokens.left, 7'000);
  EXPECT_EQ(hints.input_tokens.reset_ms, 30'000);
}

TEST(RateHints, ResetsAreReadInEveryFormProvidersWrite) {
  const auto reset = [](std::string_view value) { return read({{"x-ratelimit-reset-requests", value}}).requests.reset_ms; };
  EXPECT_EQ(reset("2m59.56s"), 179'560);
  EXPECT_EQ(reset("1h0m1s"), 3'601'000);
  EXPECT_EQ(reset("7"), 7'000) << "seconds";
  EXPECT_EQ(reset("1795262410"), 10'000) << "seconds since 1970";
  EXPECT_EQ(reset("1795262410000"), 10'000) << "milliseconds since 1970";
  for (const char* bad : {"", "soon", "-1s", "5 minutes", "1x"}) {
    const std::int32_t read_as = reset(bad);
    EXPECT_TRUE(read_as == -1 || read_as == 0) << bad;
  }
}

TEST(RateHints, OtherHeadersAreNotLookedAt) {
  for (const char* name : {"x-request-id", "anthropic-organization-id", "x-content-type-options", "retry-after", "server", ""}) EXPECT_FALSE(may_be_rate_header(name)) << name;
  EXPECT_FALSE(read({{"x-ratelimit-remaining-requests", "many"}}).any());
}

TEST(RateGate, NoRequestLeftClosesItUntilOneIsBack) {
  RateGate gate;
  gate.told(read({{"x-ratelimit-limit-requests", "60"}, {"x-ratelimit-remaining-requests", "0"}, {"x-ratelimit-reset-requests", "60s"}}), now);
  EXPECT_EQ(gate.wait(now).time, seconds{1});
  EXPECT_TRUE(gate.wait(now).said);
  EXPECT_EQ(gate.wait(now + seconds{1}).time, seconds{0});
}

TEST(RateGate, TokensComeBackAsTimeGoesBy) {
  RateGate gate;
  EXPECT_FALSE(gate.tokens_left(now));
  gate.told(read({{"x-ratelimit-limit-tokens", "1000"}, {"x-ratelimit-remaining-tokens", "100"}, {"x-ratelimit-reset-tokens", "90s"}}), now);
  EXPECT_EQ(gate.tokens_left(now), 100);
  EXPECT_EQ(gate.tokens_left(now + seconds{45}), 550);
  EXPECT_FALSE(gate.tokens_left(now + seconds{90})) << "then it is not known any more";
  EXPECT_EQ(gate.wait_for_tokens(100, now), seconds{0});
  EXPECT_EQ(gate.wait_for_tokens(400, now), seconds{30});
}

TEST(RateGate, ARefusalClosesItForAsLongAsItSays) {
  RateGate gate;
  gate.refused(seconds{7}, now);
  EXPECT_EQ(gate.wait(now).time, seconds{7});
  gate.refused(seconds{1}, now);
  EXPECT_EQ(gate.wait(now).time, seconds{7}) << "a shorter word does not shorten a longer one";
}

TEST(RateGate, WithoutATimeTheGuessDoublesAndASuccessForgetsIt) {
  RateGate gate;
  gate.refused(std::nullopt, now);
  EXPECT_EQ(gate.wait(now).time, seconds{1});
  EXPECT_FALSE(gate.wait(now).said);
  gate.refused(std::nullopt, now);
  EXPECT_EQ(gate.wait(now).time, seconds{2});
  for (int i = 0; i < 40; ++i) gate.refused(std::nullopt, now);
  EXPECT_EQ(gate.wait(now).time, RateGate::guess_most);
  gate.served();
  gate.refused(std::nullopt, now);
  EXPECT_EQ(gate.wait(now).time, seconds{1});
}

TEST(KeyHealth, ARefusedKeyRestsLongerEachTime) {
  KeyHealth key;
  EXPECT_TRUE(key.usable(now));
  key.refused(now);
  EXPECT_FALSE(key.usable(now + seconds{59}));
  EXPECT_TRUE(key.usable(now + seconds{60}));
  key.refused(now + seconds{60});
  EXPECT_FALSE(key.usable(now + seconds{179}));
  key.accepted();
  EXPECT_TRUE(key.usable(now + seconds{61}));
  EXPECT_EQ(key.refusals(), 2U);
}

TEST(KeyBoard, WhatWasLearnedOfAKeyStaysWithIt) {
  KeyBoard board;
  const NameId backend = Names::global().intern("rate-gate-test");
  EXPECT_EQ(&board.key(backend, 1), &board.key(backend, 1));
  EXPECT_NE(&board.key(backend, 1), &board.key(backend, 2));
  EXPECT_EQ(&board.gate(backend, 7), &board.gate(backend, 7));
  EXPECT_EQ(fingerprint_of(""), 0U);
  EXPECT_NE(fingerprint_of("sk-a"), fingerprint_of("sk-b"));
}

}  // namespace
}  // namespace tollgate
