#include "config/config.hpp"

#include <gtest/gtest.h>

#include "loading.hpp"

namespace tollgate {
namespace {

using testing::error_of;
using testing::loaded;

constexpr std::int64_t cent = 10'000'000'000;

std::string with(const std::string& models, const std::string& rest = "", const std::string& dialect = "openai, url: \"http://x\"") {
  return "version: 1\nbackends:\n  up: {dialect: " + dialect + ", models: {" + models + "}}\n" + rest;
}

const Target& target(const ConfigPtr& config) { return config->targets.front(); }

TEST(PassThroughConfig, AModelSaysWhichEndpointsItServes) {
  const ConfigPtr config = loaded(with("p: {serves: [images, speech]}, m: {}"));
  EXPECT_TRUE(target(config).serves(Surface::images) && target(config).is_passed_to() && target(config).has_model());
  EXPECT_FALSE(target(config).serves(Surface::chat));
  EXPECT_TRUE(config->targets[1].serves(Surface::chat) && !config->targets[1].is_passed_to());
  EXPECT_FALSE(target(loaded(with("f: {serves: files}"))).has_model());
}

TEST(PassThroughConfig, WhatIsReadAndWhatIsPassedThroughAreTwoModels) {
  EXPECT_NE(error_of(with("p: {serves: [chat, images]}")).find("make two models of it"), std::string::npos);
  EXPECT_NE(error_of(with("p: {serves: [images, files]}")).find("an entry of their own"), std::string::npos);
}

TEST(PassThroughConfig, OnlyBackendsOfOpenAisProtocolHaveSuchEndpoints) {
  EXPECT_NE(error_of(with("p: {serves: images}", "", "anthropic, api_key: x")).find("OpenAI's protocol"), std::string::npos);
  EXPECT_NE(error_of(with("p: {serves: moderations}", "", "azure-openai, url: \"https://x\", api_key: x")).find("Azure OpenAI has no"), std::string::npos);
  EXPECT_TRUE(target(loaded(with("p: {serves: images}", "", "azure-openai, url: \"https://x\", api_key: x"))).is_passed_to());
}

TEST(PassThroughConfig, PricesByTokensByUnitsOrBoth) {
  const ConfigPtr both = loaded(with("p: {serves: images, prices: {input_usd_per_million_tokens: 5, output_usd_per_million_tokens: 40, usd_per_image: {\"1024x1024/hd\": \"0.08\", auto: \"0.02\"}}}"));
  EXPECT_TRUE(target(both).prices && target(both).unit_prices);
  EXPECT_EQ(target(both).unit_prices->image("1024x1024", "hd"), Usd{8 * cent});
  EXPECT_EQ(target(both).unit_prices->image("", ""), Usd{2 * cent});
  EXPECT_EQ(target(both).unit_prices->image("1024x1024", "low"), std::nullopt);
  const ConfigPtr units = loaded(with("p: {serves: transcriptions, prices: {usd_per_audio_minute: \"0.006\"}}"));
  EXPECT_FALSE(target(units).prices);
  EXPECT_FALSE(target(loaded(with("p: {serves: images}"))).unit_prices);
  EXPECT_NE(error_of(with("p: {serves: images, prices: {}}")).find("gives no price"), std::string::npos);
  EXPECT_NE(error_of(with("m: {prices: {usd_per_image: \"0.02\"}}")).find("usd_per_image"), std::string::npos) << "not of what is read";
}

TEST(PassThroughConfig, TheBookKnowsPicturesAndThatModerationsAreFree) {
  const ConfigPtr config = loaded(with("gpt-image-1: {serves: images}, omni-moderation-latest: {serves: moderations}, dall-e-3: {serves: images}", "", "openai, api_key: x"));
  EXPECT_TRUE(config->targets[0].prices);
  EXPECT_EQ(config->targets[1].unit_prices->per_request, Usd{});
  EXPECT_FALSE(config->targets[2].prices || config->targets[2].unit_prices);
}

TEST(PassThroughConfig, ARouteOfNothingElseIsMarked) {
  const ConfigPtr config = loaded(with("p: {serves: images}, m: {}", "routes: [{name: a, when: {model: x}, among: [up/p]}, {name: b, among: [up/p, up/m]}]\n"));
  EXPECT_TRUE(config->routes[0].passed_only);
  EXPECT_FALSE(config->routes[1].passed_only);
}

TEST(PassThroughConfig, TheSpoolIsADirectory) {
  EXPECT_NE(error_of(with("m: {}", "passthrough: {spool_dir: /nowhere/at/all}\n")).find("is no directory"), std::string::npos);
  EXPECT_TRUE(loaded(with("m: {}", "passthrough: {objects: shared}\n"))->passthrough.objects_shared);
}

UnitsUsed used(Surface surface) {
  UnitsUsed units;
  units.surface = surface;
  return units;
}

TEST(UnitPrices, AreChargedByWhatWasUsed) {
  UnitPrices prices;
  prices.per_image.emplace_back("", Usd{4 * cent});
  prices.per_request = Usd{cent};
  UnitsUsed pictures = used(Surface::images);
  pictures.images = 3;
  EXPECT_EQ(prices.charge(pictures), Usd{13 * cent});
  prices = {};
  prices.per_audio_minute = Usd{6'000'000'000};
  UnitsUsed sound = used(Surface::transcriptions);
  EXPECT_EQ(prices.charge(sound), std::nullopt) << "how much was heard is not known";
  sound.heard_us = 10'000'000;
  EXPECT_EQ(prices.charge(sound), Usd{1'000'000'000});
  sound.heard_us = 1;
  EXPECT_EQ(prices.charge(sound), Usd{100}) << "rounded once, to the picodollar";
  prices = {};
  prices.per_million_characters = Usd{1500 * cent};
  UnitsUsed speech = used(Surface::speech);
  speech.characters = 7;
  EXPECT_EQ(prices.charge(speech), Usd{105'000'000});
  EXPECT_EQ(UnitPrices{}.charge(speech), std::nullopt) << "unknown is not zero";
}

}  // namespace
}  // namespace tollgate
