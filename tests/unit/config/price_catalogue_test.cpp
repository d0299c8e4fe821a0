#include "config/price_catalogue.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include <set>

#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

constexpr std::string_view openai = "api.openai.com";

TEST(PriceCatalogue, EveryEntryIsWhole) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const CatalogueModel& model : price_catalogue()) {
    SCOPED_TRACE(model.provider + "/" + model.model);
    EXPECT_TRUE(seen.emplace(model.provider, model.model).second);
    EXPECT_GT(model.prices.input, UsdPerToken{});
    const bool embeds = model.model.find("embed") != std::string::npos;
    EXPECT_EQ(model.prices.output == UsdPerToken{}, embeds);
    if (model.prices.cached_input) {
      EXPECT_GT(*model.prices.cached_input, UsdPerToken{});
      EXPECT_LT(*model.prices.cached_input, model.prices.input);
    }
    EXPECT_EQ(model.as_of.size(), 10U);
    EXPECT_NE(model.prices.source.find(model.as_of), std::string::npos);
  }
  EXPECT_GE(seen.size(), 60U);
}

TEST(PriceCatalogue, AnIdIsFoundAtItsProviderOnly) {
  const CatalogueModel* const found = find_in_catalogue(openai, "gpt-4o-mini");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->prices.input, UsdPerToken{150'000'000});
  EXPECT_EQ(found->prices.output, UsdPerToken{600'000'000});
  EXPECT_EQ(found->prices.source.rfind("catalogue openai/gpt-4o-mini as of 20", 0), 0U);
  EXPECT_EQ(find_in_catalogue("api.groq.com", "gpt-4o-mini"), nullptr);
  EXPECT_EQ(find_in_catalogue("gpu-a", "gpt-4o-mini"), nullptr);
}

TEST(PriceCatalogue, ADateBehindAnIdIsTheSameModel) {
  EXPECT_EQ(find_in_catalogue(openai, "gpt-4o-mini-2024-07-18"), find_in_catalogue(openai, "gpt-4o-mini"));
  EXPECT_EQ(find_in_catalogue("api.anthropic.com", "claude-sonnet-4-5-20250929"),
            find_in_catalogue("api.anthropic.com", "claude-sonnet-4-5"));
}

TEST(PriceCatalogue, AnExactIdWinsOverADate) {
  EXPECT_NE(find_in_catalogue(openai, "gpt-4o-2024-05-13"), find_in_catalogue(openai, "gpt-4o"));
  EXPECT_EQ(find_in_catalogue(openai, "gpt-4o-2024-05-13")->prices.input, UsdPerToken{5'000'000'000});
}

TEST(PriceCatalogue, APrefixIsNotAMatch) {
  for (const std::string_view id :
       {"gpt-4o-mini-turbo", "gpt-5-unheard-of", "gpt-4", "gpt-4o-2024-05", "gpt-4o-20240513", "GPT-4o", ""}) {
    const CatalogueModel* const found = find_in_catalogue(openai, id);
    if (found != nullptr) {
      EXPECT_EQ(found->model, id);
    }
  }
}

TEST(PriceCatalogue, ATargetWithoutPricesTakesThem) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {o: {dialect: openai, api_key: k, models: {small: {upstream: "
      "gpt-4o-mini-2024-07-18}}}}\n");
  ASSERT_TRUE(config->targets[0].prices);
  EXPECT_EQ(config->targets[0].prices->input, UsdPerToken{150'000'000});
}

TEST(PriceCatalogue, TheConfigurationWins) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {o: {dialect: openai, api_key: k, models: {gpt-4o: {prices: "
      "{input_usd_per_million_tokens: 1, output_usd_per_million_tokens: 2}}}}}\n");
  EXPECT_EQ(config->targets[0].prices->input, UsdPerToken{1'000'000'000});
  EXPECT_FALSE(config->targets[0].prices->cached_input) << "lines of two sources are not mixed";
  EXPECT_EQ(config->targets[0].prices->source, "config");
}

TEST(PriceCatalogue, AnUnknownModelStaysUnpriced) {
  EXPECT_FALSE(testing::loaded("version: 1\nbackends: {o: {dialect: openai, api_key: k, models: {gpt-99: {}}}}\n")
                   ->targets[0]
                   .prices);
}

TEST(PriceCatalogue, AHostOnlyThePriceBookKnowsIsPricedFromIt) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {m: {dialect: openai, url: \"https://api.mistral.ai/v1\", api_key: k, models: {mistral-large-2407: {}, no-such: {}}}}\n");
  ASSERT_TRUE(config->targets[0].prices);
  EXPECT_EQ(config->targets[0].prices->source.rfind("price book mistral/", 0), 0U) << config->targets[0].prices->source;
  EXPECT_FALSE(config->targets[1].prices);
}

TEST(PriceCatalogue, AFileOfTheConfigurationReplacesTheBuiltInPrices) {
  const std::string path = ::testing::TempDir() + "prices_test_book.json";
  std::ofstream(path) << R"({"format":"tollgate-prices","version":1,"as_of":"2026-11-01","origin":"own","providers":[{"id":"o","url":"https://api\\.openai\\.com",
    "models":[{"id":"gpt-4o","prices":[{"usd":{"input":{"base":"1","above":[[1000,"2"]]},"output":"3"}}]}]}]})";
  const std::string backends = "\nbackends: {o: {dialect: openai, api_key: k, models: {gpt-4o: {}, gpt-4o-mini: {}}}}\n";
  const ConfigPtr config = testing::loaded("version: 1\nprices: {file: \"" + path + "\"}" + backends);
  ASSERT_TRUE(config->targets[0].prices);
  EXPECT_EQ(config->targets[0].prices->input, UsdPerToken{1'000'000'000});
  ASSERT_TRUE(config->targets[0].prices->long_input);
  EXPECT_EQ(config->targets[0].prices->long_input->above, 1000);
  EXPECT_EQ(config->targets[0].prices->long_input->input, UsdPerToken{2'000'000'000});
  EXPECT_EQ(config->targets[0].prices->long_input->output, UsdPerToken{3'000'000'000});
  EXPECT_FALSE(config->targets[1].prices) << "prices of two sources are not mixed";
  EXPECT_EQ(config->prices.as_of, "2026-11-01");
  std::ofstream(path) << "{";
  EXPECT_FALSE(load_text("version: 1\nprices: {file: \"" + path + "\"}" + backends, "t", testing::environment_of({})));
  EXPECT_FALSE(load_text("version: 1\nprices: {file: /nowhere/x.json}" + backends, "t", testing::environment_of({})));
}

TEST(PriceCatalogue, ByDefaultNothingIsSentPastWhereThePricesHold) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {o: {dialect: openai, url: \"https://api.anthropic.com/v1\", api_key: k, models: {claude-sonnet-4-0: {}}}}\n");
  EXPECT_EQ(config->targets[0].prices->input_tokens_max, 200'000);
  EXPECT_EQ(config->targets[0].context_tokens, 200'000);
}

TEST(PriceCatalogue, WhereBothAgreeThePriceBookSaysMore) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends: {o: {dialect: openai, api_key: k, models: {gpt-5.4: {}, gpt-4o-2024-05-13: {}, gpt-audio: {}}}}\n");
  const TokenPrices& tiered = *config->targets[0].prices;
  EXPECT_EQ(tiered.input_tokens_max, 0);
  ASSERT_TRUE(tiered.long_input);
  EXPECT_EQ(tiered.long_input->above, 272'000);
  EXPECT_EQ(config->targets[0].context_tokens, 0);
  EXPECT_EQ(config->targets[1].prices->input, UsdPerToken{5'000'000'000}) << "the catalogue is right where they differ";
  EXPECT_GT(config->targets[2].prices->rare[static_cast<std::size_t>(RareClass::input_audio)], config->targets[2].prices->input);
}

}  // namespace
}  // namespace tollgate
