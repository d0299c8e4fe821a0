#include "backends/simulator/options.hpp"

#include <gtest/gtest.h>

namespace tollgate::simulator {
namespace {

Result<CommandLine> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tollgate sim");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, EveryFlagArrives) {
  const Result<CommandLine> read = parse({"--personality",
                                          "openai",
                                          "--listen",
                                          "[::1]:8123",
                                          "--model",
                                          "a",
                                          "--model",
                                          "b",
                                          "--slots",
                                          "3",
                                          "--prefill-tps",
                                          "4",
                                          "--decode-tps",
                                          "5",
                                          "--decode-tps-total",
                                          "6",
                                          "--output-tokens-mean",
                                          "7",
                                          "--seed",
                                          "8",
                                          "--time-scale",
                                          "2.5",
                                          "--api-key",
                                          "k",
                                          "--fault",
                                          "cut=3",
                                          "--fault-share",
                                          "0.5",
                                          "--kv-tokens",
                                          "900",
                                          "--context-tokens",
                                          "800",
                                          "--no-prefix-cache",
                                          "--no-announce",
                                          "--json"});
  ASSERT_TRUE(read) << read.error().message;
  const Options& options = read.value().options;
  EXPECT_EQ(options.engine.personality, DialectName::openai);
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 8123);
  EXPECT_EQ(options.model, "a");
  EXPECT_EQ(options.more_models, std::vector<std::string>{"b"});
  EXPECT_EQ(options.engine.slots, 3U);
  EXPECT_EQ(options.engine.prefill_tokens_per_second, 4U);
  EXPECT_EQ(options.engine.decode_tokens_per_second, 5U);
  EXPECT_EQ(options.engine.decode_tokens_per_second_total, 6U);
  EXPECT_EQ(options.engine.output_tokens_mean, 7U);
  EXPECT_EQ(options.engine.seed, 8U);
  EXPECT_EQ(options.time_scale, 2.5);
  EXPECT_EQ(options.api_key, "k");
  EXPECT_EQ(options.faults.text, "cut=3");
  EXPECT_EQ(options.faults.share, 0.5);
  EXPECT_EQ(options.kv_tokens_max, 900U);
  EXPECT_EQ(options.context_tokens, 800U);
  EXPECT_FALSE(options.prefix_cache);
  EXPECT_FALSE(options.announce_simulated);
  EXPECT_TRUE(read.value().json);
}

TEST(CommandLine, NothingAtAllIsAFreeLoopbackPort) {
  const Result<CommandLine> read = parse({});
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().options.host, "127.0.0.1");
  EXPECT_EQ(read.value().options.port, 0);
  EXPECT_EQ(read.value().options.engine.personality, DialectName::vllm);
}

TEST(CommandLine, WrongUsageIsRefused) {
  EXPECT_FALSE(parse({"--bogus"}));
  EXPECT_FALSE(parse({"--listen", "localhost"}));
  EXPECT_FALSE(parse({"--listen", "localhost:99999"}));
  EXPECT_FALSE(parse({"--slots", "0"}));
  EXPECT_FALSE(parse({"--personality", "other"}));
  EXPECT_FALSE(parse({"--fault", "nonsense"}));
  EXPECT_FALSE(parse({"--fault-share", "2"}));
  EXPECT_FALSE(parse({"--time-scale", "0"}));
}

TEST(CommandLine, HelpTellsTheFaultsAndExamples) {
  const Result<CommandLine> read = parse({"--help"});
  ASSERT_TRUE(read);
  EXPECT_NE(read.value().help.find("close-after-answer"), std::string::npos);
  EXPECT_NE(read.value().help.find("Examples"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::simulator
