// The autopilot in simulated time, and its decisions told again.
#include <gtest/gtest.h>

#include "simulate/compare.hpp"
#include "simulate/fidelity.hpp"
#include "traffic_maker.hpp"

namespace tollgate::simulate {
namespace {

using testing::config_of;
using testing::Running;
using testing::TrafficMaker;

constexpr std::int64_t second = 1'000'000;

/// Workers at $3.60 an hour that serve eight at once; a request costs $0.003 at the managed host.
std::string fleet(bool autopilot, const std::string& top = "") {
  return "version: 1\n" + top +
         "backends:\n"
         "  sl:\n"
         "    dialect: vllm\n"
         "    url: http://127.0.0.1:9\n"
         "    pool: {billing: serverless, gpu: H100, gpus: 1, usd_per_gpu_second: \"0.001\", cold_start_seconds: 20, idle_timeout_seconds: 60, workers_max: 2, requests_per_worker: 8}\n"
         "    models: {llama: {}}\n"
         "  cloud:\n"
         "    dialect: openai\n"
         "    url: http://127.0.0.1:9\n"
         "    models: {big: {prices: {input_usd_per_million_tokens: \"2\", output_usd_per_million_tokens: \"10\"}}}\n"
         "routes:\n"
         "  - {name: auto, when: {model: auto}, choose: cheapest, " + (autopilot ? "autopilot: true, " : "") + "among: [sl/llama, cloud/big]}\n";
}

/// Two hours: one request in two minutes, then two a second, then few again. Both targets answer, so that both are measured.
class Steered : public ::testing::Test {
 protected:
  Steered() : maker_(config_of(fleet(true))) {
    maker_.chat.text_bytes = 4000;
    bool pool = false;
    const auto stretch = [&](std::int64_t from, std::int64_t to, std::int64_t every) {
      for (std::int64_t at = from; at < to; at += every) {
        maker_.states.assign(2, {});
        PoolStance stance;
        stance.places = stance.workers = 8;
        pool = !pool;
        if (pool) maker_.states[0].stance = stance;
        maker_.add(at, 0.3F);
      }
    };
    stretch(0, 2400 * second, 120 * second);
    stretch(2400 * second, 4800 * second, second / 2);
    stretch(4800 * second, 7200 * second, 120 * second);
  }
  World world(const std::string& yaml) {
    const ConfigPtr config = config_of(yaml);
    return Running(config, maker_.traffic()).world();
  }
  TrafficMaker maker_;
};

TEST_F(Steered, ThePoolIsOpenWhileItPaysAndTheBillIsLessThanOfEitherAlone) {
  const World with = world(fleet(true)), without = world(fleet(false));
  ASSERT_EQ(with.pools.size(), 1U);
  EXPECT_EQ(with.pools[0].opened, 1U);
  EXPECT_EQ(with.pools[0].closed, 1U);
  EXPECT_NEAR(with.pools[0].open_ratio, 1.0 / 3, 0.05);
  EXPECT_GT(with.pools[0].requests, 4000);
  EXPECT_LT(with.usd(), without.usd());                   // a worker that boots for every one of the few
  EXPECT_LT(with.usd(), UsdSum{Usd{14'500'000'000'000}});   // 4,840 requests at $0.003
  EXPECT_LT(without.pools[0].open_ratio, 0);
}

TEST_F(Steered, ACheaperHostClosesIt) {
  std::string cheap = fleet(true);
  cheap.replace(cheap.find("\"2\""), 3, "\"0.02\"");
  cheap.replace(cheap.find("\"10\""), 4, "\"0.1\"");
  const World world = this->world(cheap);
  EXPECT_EQ(world.pools[0].opened, 0U);
  EXPECT_EQ(world.pools[0].requests, 0);
}

TEST_F(Steered, TheSameTrafficGivesTheSameSwitches) {
  const World a = world(fleet(true)), b = world(fleet(true));
  EXPECT_EQ(a.usd(), b.usd());
  EXPECT_EQ(a.pools[0].requests, b.pools[0].requests);
}

TEST_F(Steered, RestBoundsTheSwitches) {
  const World world = this->world(fleet(true, "autopilot: {margin: 0, window_seconds: 1, dwell_seconds: 600}\n"));
  EXPECT_LE(world.pools[0].opened + world.pools[0].closed, 7200 / 600U + 1);
}

TEST_F(Steered, DecisionsComeOutAsRecordedAndAreCountedApart) {
  const ConfigPtr config = config_of(fleet(true));
  const Running running(config, maker_.traffic());
  const Fidelity found = fidelity(running.rules, maker_.traffic(), running.blocks, 1);
  const Fidelity::Count& count = found.of(Depends::autopilot);
  EXPECT_EQ(count.decisions, static_cast<std::int64_t>(maker_.traffic().requests.size()));
  EXPECT_EQ(count.same, count.decisions);
}

}  // namespace
}  // namespace tollgate::simulate
