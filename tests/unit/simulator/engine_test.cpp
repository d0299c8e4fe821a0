#include "backends/simulator/engine.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>

namespace tollgate::simulator {
namespace {

using namespace std::chrono_literals;

double seconds(EngineTime time) { return std::chrono::duration<double>(time).count(); }

/// An engine on a clock of the test's, with all events so far.
struct Bench {
  explicit Bench(EngineLimits limits) : engine(limits) {}
  void submit(Job job) {
    to(now);
    engine.submit(job, now);
  }
  void to(EngineTime time) {
    now = time;
    std::vector<EngineEvent> fresh;
    engine.advance(now, fresh);
    for (const EngineEvent& event : fresh) {
      EXPECT_LE(event.at, now);
      if (!events.empty()) {
        EXPECT_GE(event.at, events.back().at) << "events are in order";
      }
      events.push_back(event);
      if (event.kind == EngineEvent::Kind::finished) finished[event.id] = *engine.truth(event.id);
    }
  }
  /// Lives until nothing is left to do.
  void drain() {
    while (const auto due = engine.next_event()) to(*due);
  }
  [[nodiscard]] std::vector<double> token_times(SequenceId id) const {
    std::vector<double> times;
    for (const EngineEvent& event : events)
      if (event.id == id && event.kind == EngineEvent::Kind::token) times.push_back(seconds(event.at));
    return times;
  }
  Engine engine;
  EngineTime now{0};
  std::vector<EngineEvent> events;
  std::map<SequenceId, SequenceTruth> finished;
};

EngineLimits small() {
  EngineLimits limits;
  limits.slots = 4;
  limits.prefill_tokens_per_second = 1000;
  limits.decode_tokens_per_second = 100;
  limits.decode_tokens_per_second_total = 200;
  return limits;
}

TEST(Engine, FirstTokenComesWhenThePrefillEndsAndTheRestAtDecodeSpeed) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 500, .output_tokens = 3});
  bench.drain();
  const std::vector<double> times = bench.token_times(1);
  ASSERT_EQ(times.size(), 3U);
  EXPECT_NEAR(times[0], 0.50, 1e-6);
  EXPECT_NEAR(times[1], 0.51, 1e-6);
  EXPECT_NEAR(times[2], 0.52, 1e-6);
  EXPECT_EQ(bench.finished.at(1).generated, 3U);
}

TEST(Engine, OneAdvanceGivesTheSameTimesAsManySmallOnes) {
  Bench steps(small()), leap(small());
  for (Bench* bench : {&steps, &leap})
    for (SequenceId id = 1; id <= 6; ++id) bench->submit({.id = id, .prompt_tokens = 100, .output_tokens = 20});
  for (EngineTime time = 0ms; time < 4s; time += 1ms) steps.to(time);
  leap.to(4s);
  ASSERT_EQ(steps.events.size(), leap.events.size());
  for (SequenceId id = 1; id <= 6; ++id) {  // of tokens that are due in the same instant either may be told first
    const std::vector<double> times = steps.token_times(id), others = leap.token_times(id);
    for (std::size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(times[i], others[i], 1e-6);
  }
}

TEST(Engine, DecodingSlowsDownWhenTheBatchGrows) {
  Bench bench(small());
  for (SequenceId id = 1; id <= 4; ++id) bench.submit({.id = id, .prompt_tokens = 1, .output_tokens = 100});
  bench.drain();
  const std::vector<double> times = bench.token_times(4);
  EXPECT_NEAR(times[50] - times[49], 4.0 / 200, 1e-6) << "four share 200 tokens per second";
}

TEST(Engine, NoSequenceIsFasterThanOneAlone) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 1, .output_tokens = 10});
  bench.drain();
  const std::vector<double> times = bench.token_times(1);
  EXPECT_NEAR(times[9] - times[8], 1.0 / 100, 1e-6);
}

TEST(Engine, WhatFindsNoSlotWaitsInOrderOfArrival) {
  Bench bench(small());
  for (SequenceId id = 1; id <= 6; ++id) bench.submit({.id = id, .prompt_tokens = 10, .output_tokens = 10});
  EXPECT_EQ(bench.engine.running(), 4U);
  EXPECT_EQ(bench.engine.waiting(), 2U);
  bench.drain();
  EXPECT_LT(bench.finished.at(5).admitted, bench.finished.at(6).first_token);
  EXPECT_LE(bench.finished.at(5).admitted, bench.finished.at(6).admitted);
  EXPECT_GT(bench.finished.at(5).admitted, 0ns);
  EXPECT_EQ(bench.engine.counters().queue.count(), 6U);
}

TEST(Engine, WaitingCostsNoGpuTime) {
  EngineLimits limits = small();
  limits.slots = 1;
  Bench bench(limits);
  bench.submit({.id = 1, .prompt_tokens = 1000, .output_tokens = 1});
  bench.submit({.id = 2, .prompt_tokens = 500, .output_tokens = 1});
  bench.drain();
  EXPECT_NEAR(bench.finished.at(1).gpu_seconds, 1.0, 1e-6);
  EXPECT_NEAR(bench.finished.at(2).gpu_seconds, 0.5, 1e-6);
  EXPECT_NEAR(seconds(bench.finished.at(2).finished), 1.5, 1e-6);
}

TEST(Engine, WorkTimeIsByWhatWasComputed) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 1000, .output_tokens = 101});  // 1 s of prefill, then 1 s alone
  bench.drain();
  EXPECT_NEAR(bench.finished.at(1).work_seconds, bench.engine.busy_seconds(), 1e-6);
  Bench both(small());
  both.submit({.id = 1, .prompt_tokens = 1, .output_tokens = 200});
  both.submit({.id = 2, .prompt_tokens = 1000, .output_tokens = 1});
  both.to(1s);
  // While the other's prompt fills the engine, a stream at half of what it can decode is a third of the work.
  EXPECT_NEAR(both.engine.truth(1)->work_seconds, 1.0 / 3, 0.002);
  EXPECT_NEAR(both.engine.truth(2)->work_seconds, 2.0 / 3, 0.002);
}

TEST(Engine, TheCacheHoldsPromptAndTokensAndIsEmptyAtTheEnd) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 50});
  bench.to(105ms);
  EXPECT_EQ(bench.engine.kv_tokens(), 101U);
  bench.to(205ms);
  EXPECT_EQ(bench.engine.kv_tokens(), 111U);
  bench.drain();
  EXPECT_EQ(bench.engine.kv_tokens(), 0U);
}

TEST(Engine, AFullCacheKeepsNewPromptsWaiting) {
  EngineLimits limits = small();
  limits.kv_tokens_max = 1000;
  Bench bench(limits);
  bench.submit({.id = 1, .prompt_tokens = 800, .output_tokens = 100});
  bench.submit({.id = 2, .prompt_tokens = 300, .output_tokens = 10});
  EXPECT_EQ(bench.engine.running(), 1U);
  EXPECT_EQ(bench.engine.waiting(), 1U);
  bench.drain();
  EXPECT_EQ(bench.finished.at(2).admitted, bench.finished.at(1).finished);
}

TEST(Engine, WhenTheCacheOverflowsTheYoungestIsPreemptedAndStillFinishes) {
  EngineLimits limits = small();
  limits.kv_tokens_max = 300;
  Bench bench(limits);
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 150});
  bench.submit({.id = 2, .prompt_tokens = 100, .output_tokens = 150});
  bench.drain();
  EXPECT_EQ(bench.finished.at(1).preemptions, 0U);
  EXPECT_GT(bench.finished.at(2).preemptions, 0U);
  EXPECT_EQ(bench.engine.counters().preemptions, bench.finished.at(2).preemptions);
  EXPECT_EQ(bench.token_times(2).size(), 150U) << "no token is told twice";
  EXPECT_EQ(bench.engine.counters().generation_tokens, 300U);
  EXPECT_EQ(bench.engine.counters().prompt_tokens, 200U) << "what is computed again is not a prompt again";
  EXPECT_GT(bench.engine.counters().prompt_tokens_recomputed, 0U);
}

TEST(Engine, AnAbortFreesTheSlotAtOnceAndKeepsWhatWasUsed) {
  EngineLimits limits = small();
  limits.slots = 1;
  Bench bench(limits);
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 1000});
  bench.submit({.id = 2, .prompt_tokens = 100, .output_tokens = 1});
  bench.to(155ms);
  const auto truth = bench.engine.abort(1, bench.now);
  ASSERT_TRUE(truth);
  EXPECT_EQ(truth->generated, 6U);
  EXPECT_NEAR(truth->gpu_seconds, 0.155, 1e-6);
  EXPECT_EQ(bench.engine.running(), 1U);
  bench.drain();
  EXPECT_EQ(bench.token_times(1).size(), 6U);
  EXPECT_EQ(bench.finished.at(2).admitted, EngineTime(155ms));
  EXPECT_EQ(bench.engine.counters().request_success[static_cast<std::size_t>(FinishReason::abort)], 1U);
  EXPECT_FALSE(bench.engine.abort(1, bench.now)) << "once only";
}

TEST(Engine, AnAbortInTheQueueUsedNothing) {
  EngineLimits limits = small();
  limits.slots = 1;
  Bench bench(limits);
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 10});
  bench.submit({.id = 2, .prompt_tokens = 100, .output_tokens = 10});
  bench.to(10ms);
  const auto truth = bench.engine.abort(2, bench.now);
  EXPECT_EQ(truth->gpu_seconds, 0);
  EXPECT_FALSE(truth->prompt_done);
  bench.drain();
  EXPECT_EQ(bench.engine.counters().prompt_tokens, 100U);
}

TEST(Engine, AnAbortInThePrefillHandsItOn) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 1000, .output_tokens = 10});
  bench.submit({.id = 2, .prompt_tokens = 100, .output_tokens = 1});
  bench.to(10ms);
  (void)bench.engine.abort(1, bench.now);
  bench.drain();
  EXPECT_NEAR(seconds(bench.finished.at(2).first_token), 0.110, 1e-6);
}

TEST(Engine, APrefixSeenBeforeIsNotComputedAgain) {
  Bench bench(small());
  const Job job{.id = 1, .prompt_tokens = 500, .output_tokens = 1, .prefix_hash = 77, .prefix_tokens = 405};
  bench.submit(job);
  bench.drain();
  Job again = job;
  again.id = 2;
  const EngineTime start = bench.now;
  bench.submit(again);
  bench.drain();
  EXPECT_EQ(bench.finished.at(1).cached_tokens, 0U);
  EXPECT_EQ(bench.finished.at(2).cached_tokens, 400U) << "whole blocks of 16";
  EXPECT_NEAR(seconds(bench.finished.at(2).first_token - start), 0.1, 1e-6);
  EXPECT_EQ(bench.engine.counters().prefix_cache_queries, 1000U);
  EXPECT_EQ(bench.engine.counters().prefix_cache_hits, 400U);
  EXPECT_EQ(bench.engine.counters().prompt_tokens, 1000U) << "cached tokens are prompt tokens";
}

TEST(Engine, AWholePromptInTheCacheStillComputesOneToken) {
  Bench bench(small());
  for (SequenceId id = 1; id <= 2; ++id) {
    bench.submit({.id = id, .prompt_tokens = 32, .output_tokens = 1, .prefix_hash = 5, .prefix_tokens = 32});
    bench.drain();
  }
  EXPECT_EQ(bench.finished.at(2).cached_tokens, 16U);
}

TEST(Engine, EmbeddingsArePrefillOnly) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 0});
  bench.drain();
  EXPECT_EQ(bench.finished.at(1).generated, 0U);
  EXPECT_NEAR(bench.finished.at(1).gpu_seconds, 0.1, 1e-6);
  EXPECT_EQ(bench.engine.counters().prompt_tokens, 100U);
}

TEST(Engine, IdleTimeIsNobodys) {
  Bench bench(small());
  bench.submit({.id = 1, .prompt_tokens = 100, .output_tokens = 1});
  bench.to(1h);
  bench.submit({.id = 2, .prompt_tokens = 100, .output_tokens = 1});
  bench.drain();
  EXPECT_NEAR(bench.engine.busy_seconds(), 0.2, 1e-6);
}

std::uint64_t property_seed() {
  const char* given = std::getenv("TOLLGATE_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

TEST(Engine, WhateverHappensGpuTimeIsBusyTimeAndCountersAddUp) {
  const std::uint64_t seed = property_seed();
  SCOPED_TRACE("TOLLGATE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t bound) { return static_cast<std::uint32_t>(random() % bound); };
  for (int round = 0; round < 20; ++round) {
    EngineLimits limits = small();
    limits.slots = 1 + below(8);
    limits.kv_tokens_max = 400 + below(2000);
    Bench bench(limits);
    std::map<SequenceId, SequenceTruth> aborted;
    std::map<SequenceId, std::uint32_t> prompts;
    for (SequenceId id = 1; id <= 60; ++id) {
      bench.to(bench.now + std::chrono::milliseconds(below(400)));
      const Job job{.id = id,
                    .prompt_tokens = 1 + below(200),
                    .output_tokens = below(180),
                    .prefix_hash = below(3),
                    .prefix_tokens = below(100)};
      prompts[id] = job.prompt_tokens;
      bench.submit(job);
      if (below(4) == 0) {
        bench.to(bench.now + std::chrono::milliseconds(below(50)));
        const SequenceId victim = 1 + below(id);
        if (const auto truth = bench.engine.abort(victim, bench.now)) aborted[victim] = *truth;
      }
      EXPECT_LE(bench.engine.running(), limits.slots);
      EXPECT_LE(bench.engine.kv_tokens(), limits.kv_tokens_max);
      EXPECT_NEAR(bench.engine.gpu_seconds(), bench.engine.busy_seconds(), 1e-6);
    }
    bench.drain();
    double gpu = 0, work = 0;
    std::uint64_t generated = 0, processed = 0;
    for (const auto* truths : {&bench.finished, &aborted})
      for (const auto& [id, truth] : *truths) {
        gpu += truth.gpu_seconds;
        work += truth.work_seconds;
        generated += truth.generated;
        processed += truth.prompt_done ? prompts[id] : 0;
        EXPECT_EQ(bench.token_times(id).size(), truth.generated);
      }
    const Counters& counters = bench.engine.counters();
    EXPECT_EQ(bench.finished.size() + aborted.size(), 60U);
    EXPECT_NEAR(gpu, bench.engine.busy_seconds(), 1e-6);
    EXPECT_NEAR(work, bench.engine.busy_seconds(), 1e-6);
    EXPECT_EQ(counters.generation_tokens, generated);
    EXPECT_EQ(counters.prompt_tokens, processed);
    EXPECT_EQ(counters.e2e.count(), 60U);
    EXPECT_EQ(counters.request_success[static_cast<std::size_t>(FinishReason::abort)], aborted.size());
    EXPECT_EQ(counters.inter_token.count() + counters.time_to_first_token.count(), generated);
    EXPECT_EQ(bench.engine.kv_tokens(), 0U);
  }
}

TEST(Counters, TheExpositionHasVllmsNamesAndCumulativeBuckets) {
  Counters counters;
  counters.generation_tokens = 42;
  counters.request_choices.observe(1);
  counters.request_choices.observe(5);
  const std::string text = exposition(counters, {}, "a\"b");
  EXPECT_NE(text.find("vllm:generation_tokens_total{engine=\"0\",model_name=\"a\\\"b\"} 42\n"), std::string::npos);
  EXPECT_NE(text.find("vllm:request_params_n_bucket{engine=\"0\",model_name=\"a\\\"b\",le=\"1\"} 1\n"),
            std::string::npos);
  EXPECT_NE(text.find("vllm:request_params_n_bucket{engine=\"0\",model_name=\"a\\\"b\",le=\"5\"} 2\n"),
            std::string::npos);
  EXPECT_NE(text.find("vllm:request_params_n_sum{engine=\"0\",model_name=\"a\\\"b\"} 6\n"), std::string::npos);
  EXPECT_NE(text.find("# TYPE vllm:num_requests_running gauge\n"), std::string::npos);
}

}  // namespace
}  // namespace tollgate::simulator
