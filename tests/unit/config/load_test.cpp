#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "config/sha256.hpp"
#include "unit/config/every_key.hpp"
#include "unit/config/loading.hpp"

namespace tollgate {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::error_of;
using testing::loaded;
using testing::minimal;

TEST(Load, TheLeastConfigGetsTheDefaults) {
  const ConfigPtr config = loaded(minimal);
  EXPECT_EQ(config->server.listen.host, "127.0.0.1");
  EXPECT_EQ(config->server.listen.port, 8080);
  EXPECT_EQ(config->server.head_timeout, 10s);
  EXPECT_EQ(config->ledger.path, "tollgate.db");
  EXPECT_EQ(config->attempts_max, 3U);
  EXPECT_EQ(config->source, "test.yaml");
  EXPECT_EQ(config->sha256, sha256_hex(minimal));
  ASSERT_EQ(config->targets.size(), 1U);
  EXPECT_EQ(text(config->targets[0].id), "home/llama");
  EXPECT_EQ(config->targets[0].upstream, "llama");
  EXPECT_THAT(config->targets[0].surfaces, ElementsAre(Surface::chat, Surface::completions));
  EXPECT_EQ(config->backends[0].trust, Trust::external);
}

TEST(Load, WithoutRoutesAutoIsTheCheapestOfAll) {
  const ConfigPtr config = loaded(minimal);
  ASSERT_EQ(config->routes.size(), 1U);
  EXPECT_EQ(text(config->routes[0].name), "auto");
  EXPECT_EQ(config->routes[0].choose, Choose::cheapest);
  EXPECT_THAT(config->routes[0].among, ElementsAre(0U));
  EXPECT_THAT(config->virtual_models, ElementsAre("auto"));
}

TEST(Load, EveryKeyArrivesWhereItBelongs) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  EXPECT_EQ(config->server.listen.host, "0.0.0.0");
  EXPECT_FALSE(config->server.listen.loopback);
  EXPECT_EQ(config->server.reactors, 2U);
  EXPECT_EQ(config->server.head_bytes_max, 16384U);
  EXPECT_EQ(config->server.body_bytes_max, 1048576U);
  EXPECT_EQ(config->server.nesting_max, 64U);
  EXPECT_EQ(config->server.connections_max, 100U);
  EXPECT_EQ(config->server.head_timeout, 1500ms);
  EXPECT_EQ(config->server.body_timeout, 2s);
  EXPECT_EQ(config->server.idle_timeout, 3s);
  EXPECT_EQ(config->server.write_timeout, 4s);
  EXPECT_EQ(config->server.keepalive_comment, 0s);
  EXPECT_EQ(config->server.drain, 6s);
  EXPECT_EQ(config->admin.listen.port, 9191);
  ASSERT_EQ(config->admin_keys.size(), 1U);
  EXPECT_EQ(config->admin_keys[0].name, "prometheus");
  EXPECT_EQ(config->admin_keys[0].sha256[31], 0xAB);
  EXPECT_EQ(config->ledger.path, "/var/lib/tollgate/ledger.db");
  EXPECT_EQ(config->ledger.commit_interval, 20ms);
  EXPECT_EQ(config->ledger.open_requests_max, 1024U);
  EXPECT_EQ(config->log.format, LogFormat::json);
  EXPECT_EQ(config->log.level, LogLevel::warn);
  EXPECT_FALSE(config->log.access);
  EXPECT_DOUBLE_EQ(config->tiers.medium, 0.2);
  EXPECT_DOUBLE_EQ(config->tiers.reasoning, 0.9);
  EXPECT_EQ(config->attempts_max, 4U);
  EXPECT_TRUE(config->air_gap);
  ASSERT_EQ(config->keys.size(), 2U);
  EXPECT_EQ(text(config->keys[0].name), "web-app");
  EXPECT_EQ(text(config->keys[0].team), "web");
  EXPECT_EQ(config->keys[0].sha256, sha256("tg-web"));
  EXPECT_THAT(config->keys[0].models, ElementsAre("auto", "home/*"));
  EXPECT_EQ(text(config->keys[1].team), "default");
}

TEST(Load, WhatIsAskedOfTheEngine) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  const Backend& home = config->backends[0];
  EXPECT_EQ(home.engine.metrics, EngineConfig::Metrics::on);
  EXPECT_EQ(home.engine.path, "/prometheus/metrics");
  EXPECT_EQ(home.engine.interval, 500ms);
  EXPECT_TRUE(home.engine.per_request_metrics);
  EXPECT_EQ(home.pool->saturation_tokens_per_second, 9000);
}

TEST(Load, EnginesOfVllmAndOfPoolsAreReadUnlessSwitchedOff) {
  Backend backend;
  EXPECT_FALSE(backend.is_scraped());
  backend.pool.emplace();
  EXPECT_TRUE(backend.is_scraped());
  backend.engine.metrics = EngineConfig::Metrics::off;
  EXPECT_FALSE(backend.is_scraped());
  backend = Backend{};
  backend.dialect = DialectName::vllm;
  EXPECT_TRUE(backend.is_scraped());
}

TEST(Load, BackendsAndTargetsAreReadInOrder) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  ASSERT_EQ(config->backends.size(), 8U);
  const Backend& home = config->backends[0];
  EXPECT_EQ(home.url, "http://gpu-a:8000");
  EXPECT_EQ(home.dialect, DialectName::vllm);
  EXPECT_EQ(home.trust, Trust::internal);
  EXPECT_EQ(home.api_key.reveal(), "sk-abc");
  EXPECT_EQ(home.labels.at("region"), "eu");
  EXPECT_EQ(home.timeouts.connect, 250ms);
  EXPECT_EQ(home.timeouts.total, 30s);
  EXPECT_TRUE(home.curl);
  EXPECT_EQ(config->backends[1].api_key.reveal(), "sk-from-file");
  ASSERT_TRUE(config->backends[2].simulated);
  EXPECT_EQ(config->backends[2].simulated->personality, DialectName::vllm);
  EXPECT_EQ(config->backends[2].simulated->output_tokens_mean, 50U);
  const Target* const llama = config->find_target("home/llama:70b/q4");
  ASSERT_NE(llama, nullptr);
  EXPECT_EQ(text(llama->model), "llama:70b/q4");
  EXPECT_EQ(llama->upstream, "meta-llama/Llama-3.3-70B-Instruct");
  EXPECT_EQ(llama->context_tokens, 131072);
  EXPECT_EQ(llama->output_tokens_max, 4096);
  EXPECT_DOUBLE_EQ(llama->capability, 0.6);
  EXPECT_FALSE(llama->tools);
  EXPECT_TRUE(llama->images);
  EXPECT_FALSE(llama->json_schema);
  EXPECT_EQ(llama->concurrency_max, 16U);
  EXPECT_EQ(config->find_target("home/none"), nullptr);
}

TEST(Load, PricesAreExact) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  const TokenPrices& prices = config->find_target("near/gpt")->prices.value();
  EXPECT_EQ(prices.input, UsdPerToken{2'500'000'000});
  EXPECT_EQ(prices.output, UsdPerToken{10'000'000'000});
  EXPECT_EQ(prices.cached_input, UsdPerToken{1'250'000'000});
  EXPECT_EQ(prices.cache_write, UsdPerToken{3'125'000'000});
  EXPECT_EQ(prices.per_request, Usd{1'000'000'000});
  EXPECT_EQ(prices.source, "config");
}

TEST(Load, OwnedHardwareCostsItsLossOfValueItsPowerAndItsRoom) {
  const auto hourly_of = [](const std::string& pool) {
    const ConfigPtr config = loaded("version: 1\nbackends: {a: {dialect: vllm, url: \"http://gpu\", pool: {billing: owned, gpus: 1, " + pool +
                                    "}, models: {m: {}}}}\n", {});
    return config->backends[0].pool.value();
  };
  // 35,000 USD over 3 years of 8760 hours, and 1.275 kW at a PUE of 1.4 and 0.10 USD per kWh: 1.331811… + 0.1785 USD per hour, exactly.
  const Pool pool = hourly_of("purchase_usd: 35000, life_years: 3, power_kw: 1.275, pue: 1.4, usd_per_kwh: \"0.10\"");
  constexpr Int128 usd = 1'000'000'000'000;
  EXPECT_TRUE(pool.rate_picodollars * 26280 == (35000 * usd + 26280 * (usd * 1785 / 10000)) * pool.rate_denominator);
  // What it is still worth at the end is not lost; a month of room and operations is 730 hours.
  const Pool with_room = hourly_of("purchase_usd: 35000, residual_usd: 8720, life_years: 3, colocation_usd_per_month: 365, ops_usd_per_month: 365");
  EXPECT_TRUE(with_room.rate_picodollars == 2 * usd * with_room.rate_denominator);   // 1 USD of value, 1 USD of room and operations
  const Pool odd = hourly_of("purchase_usd: 1000000000, life_years: 29.99, power_kw: 99999.999, pue: 1.999, usd_per_kwh: \"0.123456789012\"");
  EXPECT_GT(odd.rate_denominator, 0);
  EXPECT_LT(odd.rate_denominator, std::int64_t{1} << 53) << "GpuPool counts in shares of it";
}

TEST(Load, APoolsRateIsExact) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  const Pool& pool = config->backends[0].pool.value();
  // 2 x 2.49 USD per hour, and 2000 USD per month of 730 hours.
  EXPECT_TRUE(pool.rate_picodollars * 730 == (Int128{4'980'000'000'000} * 730 + Int128{2'000'000'000'000'000}) * pool.rate_denominator);
  EXPECT_EQ(pool.gpus, 2);
  EXPECT_EQ(pool.gpu, "H100");
}

TEST(Load, ConditionsAreRead) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  const Condition& when = config->routes[0].when;
  EXPECT_THAT(when.models, ElementsAre("auto", "gpt-*"));
  ASSERT_EQ(when.headers.size(), 3U);
  EXPECT_EQ(when.headers[0].name, "x-data-class");
  EXPECT_THAT(when.headers[0].any_of, ElementsAre("phi", "pii"));
  EXPECT_TRUE(when.headers[2].any_of.empty());
  ASSERT_EQ(when.teams.size(), 1U);
  EXPECT_EQ(text(when.teams[0]), "web");
  EXPECT_EQ(text(when.keys.at(0)), "web-app");
  EXPECT_EQ(when.tiers, 0b1010);
  EXPECT_DOUBLE_EQ(when.complexity_from.value(), 0.25);
  EXPECT_DOUBLE_EQ(when.complexity_below.value(), 0.75);
  EXPECT_EQ(when.input_tokens_from, 10);
  EXPECT_EQ(when.input_tokens_below, 1000);
  EXPECT_EQ(when.tools, true);
  EXPECT_EQ(when.images, false);
  EXPECT_EQ(when.json_output, true);
  EXPECT_EQ(when.stream, false);
}

TEST(Load, RoutesNameTheirTargetsOnceAndInOrder) {
  const ConfigPtr config = loaded(testing::every_key, {{"SECRET", "sk-abc"}, {"KEY_FILE", testing::credential_file()}});
  EXPECT_EQ(config->routes[0].choose, Choose::weighted);
  EXPECT_EQ(config->routes[0].cost_basis, CostBasis::loaded);
  EXPECT_THAT(config->routes[0].among, ElementsAre(1U, 0U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 11U));  // near/gpt, then * but not near/gpt again
  EXPECT_THAT(config->virtual_models, ElementsAre("auto"));
  const Constraint& constraint = config->constraints.at(0);
  EXPECT_EQ(constraint.trust, Trust::internal);
  EXPECT_THAT(constraint.labels.at("region"), ElementsAre("eu", "ch"));
}

TEST(Load, BaselinesNameTheirTargetsOnceAndInOrder) {
  const ConfigPtr config = testing::loaded(
      "version: 1\nbackends:\n  a: {dialect: openai, api_key: k, models: {x: {}, y: {}}}\n"
      "baselines:\n  - {name: one, target: a/y}\n  - {name: many, cheapest_of: [a/y, a/x, a/y]}\nledger: {keep_days: "
      "400}\n");
  ASSERT_EQ(config->baselines.size(), 2U);
  EXPECT_EQ(text(config->baselines[0].name), "one");
  EXPECT_EQ(config->baselines[0].targets, (std::vector<std::size_t>{1}));
  EXPECT_EQ(config->baselines[1].targets, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(config->ledger.keep_days, 400U);
}

TEST(Load, AllFindingsAreReportedInTheOrderOfTheFile) {
  const std::string message = error_of(
      "version: 3\nserver: {reactors: x, lisen: 1}\nbackends: {b: {dialect: nope, models: {m: {capability: 7}}}}\n");
  const std::vector<std::string> places{"test.yaml:1:10", "test.yaml:2:20", "test.yaml:2:23", "test.yaml:3:25",
                                        "test.yaml:3:56"};
  std::size_t at = 0;
  for (const std::string& place : places) {
    const std::size_t found = message.find(place, at);
    ASSERT_NE(found, std::string::npos) << place << " in\n" << message;
    at = found;
  }
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 4);
}

TEST(Load, AFloodOfFindingsIsCut) {
  std::string yaml = minimal;
  for (int i = 0; i < 200; ++i) yaml += "unknown" + std::to_string(i) + ": 1\n";
  const std::string message = error_of(yaml);
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 50);
  EXPECT_NE(message.find("test.yaml: and 150 more"), std::string::npos);
}

TEST(Load, ADuplicateIsReportedOnce) {
  const std::string message = error_of(minimal + "  home: {}\n");
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 0) << message;
}

TEST(Load, NumbersMayComeFromVariables) {
  const ConfigPtr config = loaded(
      minimal + "server: {listen: \"127.0.0.1:${PORT:-8181}\", drain_seconds: \"${DRAIN}\"}\n", {{"DRAIN", "0.25"}});
  EXPECT_EQ(config->server.listen.port, 8181);
  EXPECT_EQ(config->server.drain, 250ms);
}

TEST(Load, OpenAiHasItsAddress) {
  const ConfigPtr config =
      loaded("version: 1\nbackends: {openai: {dialect: openai, api_key: x, models: {gpt-4o: {}}}}\n");
  EXPECT_EQ(config->backends[0].url, "https://api.openai.com/v1");
}

TEST(Load, ASimulatedBackendHasNoAddressAndItsDialectsPersonality) {
  const ConfigPtr config =
      loaded("version: 1\nbackends: {s: {dialect: openai, simulated: {}, models: {gpt-4o: {}}}}\n");
  EXPECT_EQ(config->backends[0].url, "");
  EXPECT_EQ(config->backends[0].simulated->personality, DialectName::openai);
  EXPECT_FALSE(config->targets[0].prices) << "the catalogue is for real providers";
}

TEST(Load, EmbeddingsNeedNoPriceOfOutput) {
  const ConfigPtr config = loaded(
      "version: 1\nbackends: {s: {dialect: openai, simulated: {}, models: {e: {serves: embeddings, prices: "
      "{input_usd_per_million_tokens: 0.02}}}}}\n");
  EXPECT_EQ(config->targets[0].prices->output, UsdPerToken{0});
  EXPECT_EQ(config->targets[0].prices->input, UsdPerToken{20'000'000});
}

TEST(Load, AMissingFileIsAnError) {
  const Result<ConfigPtr> config = load_file("/nowhere/tollgate.yaml", testing::environment_of({}));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().fault, Fault::io_failed);
  EXPECT_EQ(config.error().message, "/nowhere/tollgate.yaml: cannot be opened; check the path and its permissions");
}

TEST(Load, AFolderIsNoFile) {
  const Result<ConfigPtr> config = load_file("/", testing::environment_of({}));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "/: cannot be read; is it a file?");
}

TEST(Load, TheDemoLoadsWithoutEnvironment) {
  const Result<ConfigPtr> config = load_file(TOLLGATE_SOURCE_DIR "/config/demo.yaml", testing::environment_of({}));
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config.value()->targets.size(), 3U);
  EXPECT_THAT(config.value()->virtual_models, ElementsAre("auto"));
  EXPECT_TRUE(config.value()->find_target("simulated-openai/gpt-large")->prices);
}

TEST(Load, TheExampleLoadsWithItsVariables) {
  const auto environment = testing::environment_of({{"VLLM_URL", "http://gpu-a:8000"}, {"OPENAI_API_KEY", "sk-x"}});
  const Result<ConfigPtr> config = load_file(TOLLGATE_SOURCE_DIR "/examples/real-backends.yaml", environment);
  ASSERT_TRUE(config) << config.error().message;
  for (const Target& target : config.value()->targets) {
    EXPECT_TRUE(target.prices || config.value()->backend_of(target).pool) << text(target.id);
  }
  const Result<ConfigPtr> without =
      load_file(TOLLGATE_SOURCE_DIR "/examples/real-backends.yaml", testing::environment_of({}));
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().message.find("the address of your vLLM server"), std::string::npos);
}

TEST(Load, NoEditOfAGoodFileCrashesTheLoader) {
  std::mt19937 random(11);
  constexpr std::string_view odd = "\n :-[]{}&*!|>'\"%@`#,?x$0";
  for (int i = 0; i < 400; ++i) {
    std::string text = testing::every_key;
    for (std::size_t edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      if (random() % 2 == 0)
        text[at] = odd[random() % odd.size()];
      else
        text.erase(at, 1 + random() % 12);
    }
    const Result<ConfigPtr> config = testing::load(text, {{"SECRET", "hunter2"}, {"KEY_FILE", "/nowhere/key"}});
    if (!config) {
      EXPECT_EQ(config.error().fault, Fault::bad_config);
      EXPECT_EQ(config.error().message.find("hunter2"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace tollgate
