// The price book: config/prices. Rules named "Pitfall…" are accounting mistakes that gateways make.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "config/decimal.hpp"
#include "config/prices/import.hpp"
#include "config/prices/quote.hpp"

namespace tollgate::prices {
namespace {

using Json = nlohmann::json;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using namespace std::chrono_literals;

constexpr sys_seconds noon = sys_days{2026y / 11 / 21} + 12h;

/// A book of one provider "p" with the model "m" at these prices, whose answers tell counts under the names of their
/// kinds.
PriceBook book_of(const Json& prices, const Json& more = Json::object()) {
  Json counts = Json::array();
  for (const Unit& unit : units()) counts.push_back({{"kind", unit.kind}, {"path", {unit.kind}}});
  Json provider{{"id", "p"},
                {"usage", {{{"api", "default"}, {"root", {"usage"}}, {"counts", counts}}}},
                {"models", {{{"id", "m"}, {"prices", prices}}}}};
  provider.update(more);
  const Json file{{"format", "tollgate-prices"},
                  {"version", 1},
                  {"as_of", "2026-11-21"},
                  {"origin", "test"},
                  {"providers", {provider}}};
  Result<PriceBook> book = read_book(file.dump(), "test.json");
  EXPECT_TRUE(book) << (book ? "" : book.error().message);
  return std::move(book.value());
}

Quote quote(const Json& usd, const Json& usage, sys_seconds at = noon) {
  return price_usage(book_of({{{"usd", usd}}}), {"p", "m", "", usage, at});
}
std::string usd(Amount amount) { return decimal_text(amount, quote_decimals); }

TEST(PriceQuote, InputAndOutputAreExact) {
  const Quote q = quote({{"input", "0.15"}, {"output", "0.6"}}, {{"input", 7}, {"output", 3}});
  ASSERT_EQ(q.status, Quote::Status::priced) << q.reason;
  EXPECT_EQ(usd(q.input_usd), "0.00000105");
  EXPECT_EQ(usd(q.output_usd), "0.0000018");
  EXPECT_EQ(usd(q.usd), "0.00000285");
}

TEST(PriceQuote, PitfallCachedTokensAreNotChargedAtTheFullPriceToo) {
  const Quote q = quote({{"input", "10"}, {"cached_input", "1"}}, {{"input", 100}, {"cached_input", 60}});
  EXPECT_EQ(usd(q.usd), "0.00046");
}

TEST(PriceQuote, PitfallReasoningIsPartOfTheOutput) {
  EXPECT_EQ(usd(quote({{"output", "10"}}, {{"output", 100}, {"reasoning", 90}}).usd), "0.001");
  EXPECT_EQ(usd(quote({{"output", "10"}, {"reasoning", "20"}}, {{"output", 100}, {"reasoning", 90}}).usd), "0.0019");
}

TEST(PriceQuote, PitfallAudioIsNotChargedAtTheTextPrice) {
  const Quote q = quote({{"input", "2"}, {"input_audio", "40"}, {"cached_input", "1"}, {"cached_input_audio", "10"}},
                        {{"input", 100}, {"input_audio", 30}, {"cached_input", 20}, {"cached_input_audio", 5}});
  // text: 100 - 30 - 20 + 5 = 55 at 2, cached text 15 at 1, audio 25 at 40, cached audio 5 at 10
  EXPECT_EQ(usd(q.usd), "0.001175");
}

TEST(PriceQuote, PitfallAnHoursCacheWriteCostsMoreThanFiveMinutes) {
  const Quote q = quote({{"input", "3"}, {"cache_write", "3.75"}, {"cache_write_1h", "6"}},
                        {{"input", 1000}, {"cache_write", 800}, {"cache_write_1h", 300}});
  EXPECT_EQ(usd(q.usd), "0.004275");  // 200 at 3, 500 at 3.75, 300 at 6
}

TEST(PriceQuote, PitfallALongInputIsDearerFromItsFirstTokenOn) {
  const Json prices{{"input", {{"base", "3"}, {"above", {{200000, "6"}}}}},
                    {"output", {{"base", "15"}, {"above", {{200000, "22.5"}}}}}};
  EXPECT_EQ(usd(quote(prices, {{"input", 200000}, {"output", 10}}).usd), "0.60015");
  EXPECT_EQ(usd(quote(prices, {{"input", 200001}, {"output", 10}}).usd), "1.200231");
}

TEST(PriceQuote, PitfallSearchesAndRequestsAreChargedBesideTokens) {
  const Quote q =
      quote({{"input", "1"}, {"web_searches", "10"}, {"requests", "5"}}, {{"input", 1}, {"web_searches", 2}});
  EXPECT_EQ(usd(q.usd), "0.025001");
  EXPECT_EQ(usd(q.input_usd), "0.000001");
}

TEST(PriceQuote, PitfallAnUnknownModelIsUnpricedAndNotFree) {
  const PriceBook book = book_of({{{"usd", {{"input", "1"}}}}});
  const Json usage{{"input", 1}};
  EXPECT_EQ(price_usage(book, {"p", "other", "", usage, noon}).status, Quote::Status::unpriced);
  EXPECT_EQ(price_usage(book, {"q", "m", "", usage, noon}).status, Quote::Status::unpriced);
  EXPECT_EQ(price_usage(book, {"p", "m", "responses", usage, noon}).status, Quote::Status::unpriced);
  EXPECT_EQ(price_usage(book_of({{{"usd", Json::object()}}}), {"p", "m", "", usage, noon}).status,
            Quote::Status::unpriced);
}

TEST(PriceQuote, CountsThatContradictEachOtherAreInvalid) {
  EXPECT_EQ(quote({{"input", "1"}, {"cached_input", "1"}}, {{"input", 5}, {"cached_input", 6}}).status,
            Quote::Status::invalid);
  EXPECT_EQ(quote({{"input", "1"}}, {{"cached_input", 6}}).status, Quote::Status::invalid);
  EXPECT_EQ(quote({{"input", "1"}}, {{"input", -1}}).status, Quote::Status::invalid);
  EXPECT_EQ(quote({{"input", "1"}}, {{"input", 1.5}}).status, Quote::Status::invalid);
  EXPECT_EQ(quote({{"input", "1"}}, Json::object()).status, Quote::Status::invalid);
}

TEST(PriceQuote, WholeCountsMayBeWrittenAsFractions) {
  EXPECT_EQ(usd(quote({{"input", "1"}}, {{"input", 12.0}}).usd), "0.000012");
}

// Law: however counts are split into parts, at one and the same price the sum is that of the whole.
TEST(PriceQuote, PartsAtThePriceOfTheWholeCostWhatTheWholeCosts) {
  std::mt19937_64 random(20261121);
  const Json one{{"input", "2.5"}};
  const Json split{{"input", "2.5"},
                   {"cached_input", "2.5"},
                   {"cache_write", "2.5"},
                   {"cache_write_1h", "2.5"},
                   {"input_audio", "2.5"}};
  for (int i = 0; i < 500; ++i) {
    const auto up_to = [&](std::int64_t most) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most + 1));
    };
    const std::int64_t input = up_to(1'000'000), cached = up_to(input / 4), written = up_to(input / 4),
                       hour = up_to(written), audio = up_to(input / 4);
    const Json usage{{"input", input},
                     {"cached_input", cached},
                     {"cache_write", written},
                     {"cache_write_1h", hour},
                     {"input_audio", audio}};
    // Audio that is cached too is not told: then it is taken to be none, for no price of this model asks for it.
    EXPECT_EQ(quote(split, usage).usd, quote(one, {{"input", input}}).usd) << usage;
  }
}

TEST(PriceTariff, TheLastThatHoldsCounts) {
  const PriceBook book = book_of({{{"usd", {{"input", "1"}}}},
                                  {{"from", "2026-11-21"}, {"usd", {{"input", "2"}}}},
                                  {{"daily", {"16:30", "00:30"}}, {"usd", {{"input", "0.5"}}}}});
  const auto at = [&](sys_seconds when) {
    const Json usage{{"input", 1'000'000}};
    return usd(price_usage(book, {"p", "m", "", usage, when}).usd);
  };
  EXPECT_EQ(at(sys_days{2026y / 11 / 20} + 12h), "1");
  EXPECT_EQ(at(noon), "2");
  EXPECT_EQ(at(sys_days{2026y / 11 / 21} + 16h + 30min), "0.5");
  EXPECT_EQ(at(sys_days{2026y / 11 / 22} + 29min), "0.5");
  EXPECT_EQ(at(sys_days{2026y / 11 / 22} + 30min), "2");
}

TEST(PriceBook, TheBuiltInOneReadsAndKnowsWhatPeopleUse) {
  const PriceBook& book = built_in_book();
  EXPECT_GT(book.model_count(), 1400U);
  const std::pair<const char*, const char*> used[] = {{"openai", "gpt-4o-2024-08-06"},
                                                      {"anthropic", "claude-sonnet-4-5-20250929"},
                                                      {"google", "gemini-2.5-pro"},
                                                      {"azure", "gpt-4o"},
                                                      {"aws", "anthropic.claude-sonnet-4-20250514-v1:0"},
                                                      {"groq", "llama-3.3-70b-versatile"},
                                                      {"mistral", "mistral-large-latest"},
                                                      {"deepseek", "deepseek-chat"},
                                                      {"x-ai", "grok-4"},
                                                      {"together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"}};
  for (const auto& [provider, model] : used) {
    const Provider* const found = book.find_provider(provider);
    ASSERT_NE(found, nullptr) << provider;
    EXPECT_NE(book.find_model(*found, model), nullptr) << provider << "/" << model;
  }
}

// Two of each provider's shapes, of the project's own making; what each count includes differs.
TEST(PriceBook, UsageIsReadAsEachApiMeansIt) {
  const auto cost = [](const char* provider, const char* model, const char* api, const Json& usage) {
    const Quote q = price_usage(built_in_book(), {provider, model, api, usage, sys_days{2026y / 8 / 21}});
    return q.status == Quote::Status::priced ? usd(q.input_usd) + " " + usd(q.output_usd)
                                             : std::string(name_of(q.status)) + ": " + q.reason;
  };
  // gpt-4o: 2.5, cached 1.25, output 10. OpenAI's prompt_tokens include the cached ones.
  EXPECT_EQ(
      cost("openai", "gpt-4o", "chat",
           {{"prompt_tokens", 1000}, {"completion_tokens", 100}, {"prompt_tokens_details", {{"cached_tokens", 400}}}}),
      "0.002 0.001");
  EXPECT_EQ(cost("openai", "gpt-4o", "responses",
                 {{"input_tokens", 1000}, {"output_tokens", 100}, {"input_tokens_details", {{"cached_tokens", 400}}}}),
            "0.002 0.001");
  // claude-sonnet-4-5: 3, write 3.75, read 0.3, output 15. Anthropic's input_tokens leave both out.
  EXPECT_EQ(cost("anthropic", "claude-sonnet-4-5", "",
                 {{"input_tokens", 100},
                  {"cache_creation_input_tokens", 1000},
                  {"cache_read_input_tokens", 2000},
                  {"output_tokens", 10}}),
            "0.00465 0.00015");
  // Bedrock's converse likewise.
  EXPECT_EQ(cost("aws", "openai.gpt-oss-20b-1:0", "", {{"inputTokens", 1000}, {"outputTokens", 1000}}).substr(0, 2),
            "0.");
  // Gemini's thoughts stand beside the candidates.
  EXPECT_EQ(cost("google", "gemini-2.5-pro", "",
                 {{"promptTokenCount", 1000}, {"candidatesTokenCount", 50}, {"thoughtsTokenCount", 50}}),
            "0.00125 0.001");
}

// Pitfall 15: what a tool put into the prompt left out.
TEST(PriceBook, PromptTokensOfToolsAreInput) {
  const Json usage = Json::parse(R"({"promptTokenCount": 100, "toolUsePromptTokenCount": 40, "candidatesTokenCount": 10, "thoughtsTokenCount": 5, "totalTokenCount": 155})");
  const Quote quote = price_usage(built_in_book(), {"google", "gemini-2.5-flash", "", usage, noon});
  ASSERT_EQ(quote.status, Quote::Status::priced) << quote.reason;
  std::map<std::string, std::int64_t> quantities;
  for (const Quote::Line& line : quote.lines) quantities[units()[line.unit].kind] = line.quantity;
  EXPECT_EQ(quantities["input"], 140);
  EXPECT_EQ(quantities["output"], 15) << "thoughts are output that candidates leave out";
}

// Pitfall 10: the hour's part of a cache write is told apart, and what is left is for five minutes.
TEST(PriceBook, TheHoursPartOfACacheWriteIsTakenOutOfTheWhole) {
  const Json usage = Json::parse(R"({"input_tokens": 10, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 0, "output_tokens": 1,
                                     "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30}})");
  const Quote quote = price_usage(built_in_book(), {"anthropic", "claude-sonnet-4-5", "", usage, noon});
  ASSERT_EQ(quote.status, Quote::Status::priced) << quote.reason;
  std::map<std::string, std::int64_t> quantities;
  for (const Quote::Line& line : quote.lines) quantities[units()[line.unit].kind] = line.quantity;
  EXPECT_EQ(quantities["cache_write_1h"], 30);
  EXPECT_EQ(quantities["input"], 10);
}

TEST(PriceBook, ABrokenBookSaysWhatIsWrong) {
  EXPECT_FALSE(read_book("{", "x.json"));
  EXPECT_NE(read_book("{}", "x.json").error().message.find("not a tollgate price book"), std::string::npos);
  const Json bad{
      {"format", "tollgate-prices"},
      {"version", 1},
      {"as_of", "2026-11-21"},
      {"origin", "t"},
      {"providers", {{{"id", "p"}, {"models", {{{"id", "m"}, {"prices", {{{"usd", {{"inptu", "1"}}}}}}}}}}}}};
  EXPECT_NE(read_book(bad.dump(), "x.json").error().message.find("p/m: unknown kind 'inptu'"), std::string::npos);
}

TEST(ScaledDecimal, IsExactOrRefused) {
  EXPECT_EQ(scaled_decimal("4.5e-7", 18).value(), Int128{450'000'000'000});
  EXPECT_EQ(scaled_decimal("0.10", 3).value(), Int128{100});
  EXPECT_EQ(scaled_decimal("1E2", 0).value(), Int128{100});
  EXPECT_EQ(scaled_decimal("120e-1", 0).value(), Int128{12});
  for (const char* const wrong : {"", ".", "-1", "1e", "1e99", "0.0001", "1.2.3", "abc", "nan", "1e-4"})
    EXPECT_FALSE(scaled_decimal(wrong, 3)) << wrong;
}

const char* const genai = R"([{"id":"x","name":"X","api_pattern":"https://x","provider_match":{"contains":"ex"},
  "extractors":[{"api_flavor":"chat","root":"usage","model_path":"model","mappings":[{"path":"prompt_tokens","dest":"input_tokens","required":true},
    {"path":["d",{"type":"array-match","field":"modality","match":{"equals":"AUDIO"}},"n"],"dest":"input_audio_tokens","required":false}]}],
  "models":[{"id":"m-1","match":{"or":[{"equals":"m-1"},{"starts_with":"m-1-"}]},"prices":{"input_mtok":0.1,"input_audio_mtok":{"base":1,"tiers":[{"start":10,"price":2}]}}}]}])";

TEST(PriceImport, TakesGenaiPricesDigitForDigit) {
  const Result<Imported> imported = import_prices(genai, "data.json", "2026-11-21");
  ASSERT_TRUE(imported) << imported.error().message;
  const Json usage{{"prompt_tokens", 30},
                   {"d", {{{"modality", "TEXT"}, {"n", 5}}, {{"modality", "AUDIO"}, {"n", 10}}}}};
  const Quote q = price_usage(imported.value().book, {"EX", "M-1-0821", "chat", usage, noon});
  ASSERT_EQ(q.status, Quote::Status::priced) << q.reason;
  EXPECT_EQ(usd(q.usd), "0.000022");  // 20 at 0.1, 10 at 2
}

TEST(PriceImport, TakesLitellmPricesPerToken) {
  const Result<Imported> imported = import_prices(
      R"({"sample_spec":{"input_cost_per_token":0.0},"gemini/g":{"litellm_provider":"gemini","mode":"chat",
    "input_cost_per_token":1.25e-06,"input_cost_per_token_above_200k_tokens":2.5e-06,"output_cost_per_token":1e-05,"input_cost_per_pixel":1e-9},
    "free":{"litellm_provider":"openai","input_cost_per_token":0.0,"output_cost_per_token":0}})",
      "prices.json", "2026-11-21");
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(imported.value().book.model_count(), 1U) << "an all-zero entry may mean that the price is not known";
  EXPECT_EQ(imported.value().skipped.size(), 2U);
  const Json usage{{"promptTokenCount", 200001}, {"candidatesTokenCount", 1}};
  EXPECT_EQ(usd(price_usage(imported.value().book, {"google", "g", "", usage, noon}).usd), "0.5000125");
}

TEST(PriceImport, ABrokenListIsRefusedAsAWhole) {
  const std::string whole(genai);
  for (std::size_t cut = 0; cut < whole.size(); cut += 7)
    EXPECT_FALSE(import_prices(whole.substr(0, cut), "half.json", "2026-11-21")) << cut;
  EXPECT_FALSE(
      import_prices(R"({"m":{"litellm_provider":"openai","input_cost_per_token":"cheap"}})", "x", "2026-11-21"));
  EXPECT_FALSE(import_prices(R"({"m":{"litellm_provider":"openai","input_cost_per_token":-1e-6}})", "x", "2026-11-21"));
  EXPECT_FALSE(import_prices("[]", "x", "2026-11-21"));
}

TEST(PriceImport, APriceThatMovedTenfoldIsDoubted) {
  const PriceBook before = book_of({{{"usd", {{"input", "1"}, {"output", "2"}}}}});
  EXPECT_TRUE(implausible(before, book_of({{{"usd", {{"input", "10"}, {"output", "0.2"}}}}}), noon).empty());
  EXPECT_EQ(implausible(before, book_of({{{"usd", {{"input", "10.1"}, {"output", "2"}}}}}), noon).size(), 1U);
  EXPECT_EQ(implausible(before, book_of({{{"usd", {{"input", "1"}, {"output", "0"}}}}}), noon).size(), 1U);
  EXPECT_EQ(difference(before, book_of({{{"usd", {{"input", "1"}}}}}), noon).size(), 1U);
}

}  // namespace
}  // namespace tollgate::prices
