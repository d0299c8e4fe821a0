#include "config/token_prices.hpp"

#include <gtest/gtest.h>

#include "tests/unit/config/loading.hpp"

namespace tollgate {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::year;

constexpr sys_days monday = year{2026} / 11 / 23, saturday = year{2026} / 11 / 21;

TimedPrices peak(std::uint8_t weekdays) {
  TimedPrices timed;
  timed.daily = std::pair<std::chrono::seconds, std::chrono::seconds>(hours{22}, hours{4});
  timed.weekdays = weekdays;
  return timed;
}

TEST(TimedPrices, ATimeOfDayMayPassMidnightAndBelongsToTheDayItBeginsOn) {
  const TimedPrices on_mondays = peak(1U << 1);
  EXPECT_TRUE(on_mondays.hold(monday + hours{22}));
  EXPECT_TRUE(on_mondays.hold(monday + hours{27}));
  EXPECT_FALSE(on_mondays.hold(monday + hours{28})) << "the end is not part of it";
  EXPECT_FALSE(on_mondays.hold(monday + hours{3})) << "that is Sunday's";
  EXPECT_FALSE(on_mondays.hold(saturday + hours{23}));
}

TEST(TimedPrices, TheLastThatHoldsCounts) {
  TokenPrices prices;
  prices.input = UsdPerToken{1};
  TimedPrices from;
  from.from = monday;
  from.prices.input = UsdPerToken{2};
  TimedPrices nightly = peak(0x7F);
  nightly.prices.input = UsdPerToken{3};
  prices.timed = {from, nightly};
  EXPECT_EQ(prices_at(prices, saturday + hours{12}).input, UsdPerToken{1});
  EXPECT_EQ(prices_at(prices, monday).input, UsdPerToken{3});
  EXPECT_EQ(prices_at(prices, monday + hours{12}).input, UsdPerToken{2});
}

// Pitfall 25: weekends at the weekday's double price.
TEST(TimedPrices, AreReadFromTheConfiguration) {
  const ConfigPtr config = testing::loaded(R"(version: 1
backends:
  deep:
    dialect: openai
    url: https://api.deepseek.com
    api_key: k
    models:
      chat:
        prices:
          input_usd_per_million_tokens: "0.25"
          output_usd_per_million_tokens: "1"
          service_tiers: {flex: {input_usd_per_million_tokens: "0.1", output_usd_per_million_tokens: "0.5", input_audio_usd_per_million_tokens: "2"}}
          timed:
            - {daily: "06:00-10:00", weekdays: [mon, tue, wed, thu, fri], prices: {input_usd_per_million_tokens: "0.5", output_usd_per_million_tokens: "2"}}
            - {from: "2027-01-01", prices: {input_usd_per_million_tokens: "0.7", output_usd_per_million_tokens: "3", usd_per_web_search: "0.01"}}
)");
  const TokenPrices& prices = *config->targets.at(0).prices;
  EXPECT_EQ(prices_at(prices, monday + hours{7}).input, UsdPerToken{500'000'000});
  EXPECT_EQ(prices_at(prices, saturday + hours{7}).input, UsdPerToken{250'000'000});
  EXPECT_EQ(prices_at(prices, monday + hours{10}).input, UsdPerToken{250'000'000});
  EXPECT_EQ(prices_at(prices, sys_days{year{2027} / 1 / 1} + hours{7}).per_web_search, Usd{10'000'000'000});
  ASSERT_NE(prices_of_tier(prices, "flex"), nullptr);
  EXPECT_EQ(prices_of_tier(prices, "flex")->rare[static_cast<std::size_t>(RareClass::input_audio)],
            UsdPerToken{2'000'000'000});
  EXPECT_EQ(prices_of_tier(prices, "on_demand"), &prices);
  EXPECT_EQ(prices_of_tier(prices, "priority"), nullptr) << "not known is not the standard price";
}

// Pitfall 24: regional surcharges missed.
TEST(TokenPrices, OneModelCostsWhatItsBackendSays) {
  const ConfigPtr config = testing::loaded(R"(version: 1
backends:
  us: {dialect: openai, api_key: k, models: {gpt-4o: {}}}
  eu: {dialect: openai, url: "https://eu.api.openai.com/v1", api_key: k,
       models: {gpt-4o: {prices: {input_usd_per_million_tokens: "2.75", output_usd_per_million_tokens: "11"}}}}
)");
  EXPECT_EQ(config->find_target("us/gpt-4o")->prices->input, UsdPerToken{2'500'000'000});
  EXPECT_EQ(config->find_target("eu/gpt-4o")->prices->input, UsdPerToken{2'750'000'000});
}

TEST(TimedPrices, WhatNeverHoldsOrAlwaysHoldsIsRefused) {
  const auto loads = [](const std::string& condition) {
    const std::string yaml =
        "version: 1\nbackends: {d: {dialect: openai, url: \"https://a.example\", api_key: k, models: {m: {prices: "
        "{input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 1, timed: [{" +
        condition + "prices: {input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 1}}]}}}}}\n";
    return load_text(yaml, "t", testing::environment_of({})).has_value();
  };
  EXPECT_TRUE(loads("from: \"2026-12-01\", "));
  EXPECT_TRUE(loads("daily: \"00:00-24:00\", "));
  for (const char* const wrong : {"", "from: \"2026-13-01\", ", "from: tomorrow, ", "daily: \"8-10\", ",
                                  "daily: \"10:00-10:00\", ", "daily: \"10:00-24:30\", ", "weekdays: [someday], "}) {
    EXPECT_FALSE(loads(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace tollgate
