// How far the shares of a pool's bill are from what the engine really did for each request. The simulated engine knows
// (SequenceTruth::work_seconds); the pool sees what a gateway sees: when requests go out, roughly how long their
// prompts are, when tokens come. Published in docs/money/pools.md.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <random>

#include "backends/simulator/engine.hpp"
#include "metrics/gpu_pool.hpp"

namespace tollgate::simulator {
namespace {

using namespace std::chrono_literals;

constexpr double dollar = 1e12;                  // picodollars; the engine costs one a second
constexpr EngineTime progress_interval = 250ms;  // as the gateway's relay notes running counts
constexpr std::uint32_t long_prompt = 30'000;

struct Workload {
  const char* name;
  double requests_per_second;
  double long_share;  // of requests with a prompt of 30,000 tokens and a short answer
  double stream_share;
  double calibration = 1;  // what the pool is told of the decode speed, over what it is
  double wrong_max = 0.10, long_off_max = 0.15;
};

struct Shares {
  double wrong = 0;      // share of the money that stands at the wrong request
  double long_paid = 0;  // what the long prompts paid over what they cost
  std::size_t requests = 0, long_requests = 0;
};

EngineLimits h100() {
  EngineLimits limits;
  limits.slots = 64;
  limits.prefill_tokens_per_second = 12'000;
  limits.decode_tokens_per_second = 70;
  limits.decode_tokens_per_second_total = 2'000;
  return limits;
}

/// One gateway with one pool before one engine.
class Measurement {
 public:
  Measurement(const Workload& workload, bool by_tokens)
      : workload_(workload), pool_(pool_of(workload, by_tokens), at(0ns)) {}

  Shares run(EngineTime span) {
    EngineTime next_arrival = 0ns;
    for (;;) {
      const auto due = engine_.next_event();
      if (next_arrival < span && (!due || next_arrival <= *due)) {
        live(next_arrival);
        arrive(next_arrival);
        std::exponential_distribution<double> gap(workload_.requests_per_second);
        next_arrival += std::chrono::duration_cast<EngineTime>(std::chrono::duration<double>(gap(random_)));
      } else if (due) {
        live(*due);
      } else {
        return result();
      }
    }
  }

 private:
  struct Asked {
    Job job;
    bool stream = false;
    GpuPool::Run run;
    std::uint32_t tokens = 0, noted = 0;
    EngineTime noted_at{0};
    double charged = 0, truth = 0;
  };

  static MonoTime at(EngineTime time) { return MonoTime{} + 1h + time; }
  static Pool pool_of(const Workload& workload, bool by_tokens) {
    Pool pool;
    pool.name = Names::global().intern("h100");
    pool.gpus = 1;
    pool.rate_picodollars = Int128{3600} * 1'000'000'000'000;
    const EngineLimits limits = h100();
    if (by_tokens) {
      pool.token_weights.prefill_per_second = static_cast<std::int64_t>(limits.prefill_tokens_per_second);
      pool.token_weights.decode_per_second =
          static_cast<std::int64_t>(limits.decode_tokens_per_second_total * workload.calibration);
    }
    return pool;
  }
  double uniform(double from, double to) { return std::uniform_real_distribution<double>(from, to)(random_); }

  void arrive(EngineTime now) {
    Asked& asked = asked_[++last_];
    const bool is_long = uniform(0, 1) < workload_.long_share;
    asked.job.id = last_;
    asked.job.prompt_tokens =
        is_long ? long_prompt : static_cast<std::uint32_t>(std::exp(uniform(std::log(100), std::log(3000))));
    asked.job.output_tokens =
        is_long ? 100 : static_cast<std::uint32_t>(std::exp(uniform(std::log(20), std::log(800))));
    asked.stream = uniform(0, 1) < workload_.stream_share;
    ExpectedWork work;
    work.prompt_tokens = static_cast<std::int64_t>(asked.job.prompt_tokens * uniform(0.85, 1.15));  // from bytes
    work.output_tokens = static_cast<std::int64_t>(mean_output_);
    work.stream = asked.stream;
    asked.run = pool_.begin(at(now), work);
    engine_.submit(asked.job, now);
  }
  void live(EngineTime now) {
    std::vector<EngineEvent> events;
    engine_.advance(now, events);
    for (const EngineEvent& event : events) {
      Asked& asked = asked_.at(event.id);
      if (event.kind == EngineEvent::Kind::finished) {
        asked.charged = static_cast<double>(pool_.end(asked.run, at(event.at)).charge.count()) / dollar;
        asked.truth = engine_.truth(event.id)->work_seconds;
        mean_output_ += (asked.tokens - mean_output_) / 16;  // as the books learn it
      } else {
        token(asked, event.at);
      }
    }
  }
  void token(Asked& asked, EngineTime now) {
    ++asked.tokens;
    if (!asked.stream) return;  // the gateway sees nothing before the end
    if (asked.tokens == 1) {
      (void)pool_.first_token(asked.run, at(now));
    } else if (now - asked.noted_at >= progress_interval) {
      (void)pool_.decoded(asked.run, asked.tokens - asked.noted, now - asked.noted_at, at(now));
    } else {
      return;
    }
    asked.noted = asked.tokens;
    asked.noted_at = now;
  }
  Shares result() {
    Shares shares;
    double all = 0, off = 0, long_charged = 0, long_truth = 0;
    for (const auto& [id, asked] : asked_) {
      all += asked.truth;
      off += std::abs(asked.charged - asked.truth);
      ++shares.requests;
      if (asked.job.prompt_tokens != long_prompt) continue;
      ++shares.long_requests;
      long_charged += asked.charged;
      long_truth += asked.truth;
    }
    EXPECT_NEAR(all, engine_.busy_seconds(), 1e-6);
    shares.wrong = off / 2 / all;  // what one pays too much, another pays too little
    shares.long_paid = long_truth > 0 ? long_charged / long_truth : 0;
    return shares;
  }

  const Workload workload_;
  Engine engine_{h100()};
  GpuPool pool_;
  std::mt19937_64 random_{20'261'121};
  std::map<SequenceId, Asked> asked_;
  SequenceId last_ = 0;
  double mean_output_ = 300;
};

TEST(Attribution, TokenWeightsMakeALongPromptPayForItsPrefill) {
  const Workload workloads[] = {
      {"chat, streamed", 3, 0, 1},
      {"chat and 5 % long prompts, streamed", 3, 0.05, 1},
      {"the same, nearly full", 5, 0.05, 1},
      {"the same, half of it streamed", 3, 0.05, 0.5, 1, 0.2, 0.35},
      {"the same, not streamed", 3, 0.05, 0, 1, 0.25, 0.5},
      {"decode taken to be 30 % faster", 3, 0.05, 1, 1.3},
  };
  std::printf("%-38s %9s | %13s %13s | %11s %11s\n", "workload", "requests", "wrong by time", "by tokens", "long, time",
              "tokens");
  for (const Workload& workload : workloads) {
    const Shares time = Measurement(workload, false).run(600s), tokens = Measurement(workload, true).run(600s);
    std::printf("%-38s %9zu | %12.1f%% %12.1f%% | %11.2f %11.2f\n", workload.name, tokens.requests, time.wrong * 100,
                tokens.wrong * 100, time.long_paid, tokens.long_paid);
    EXPECT_LT(tokens.wrong, time.wrong) << workload.name;
    EXPECT_LT(tokens.wrong, workload.wrong_max) << workload.name;
    if (workload.long_share == 0) continue;
    EXPECT_GT(tokens.long_requests, 50U);
    EXPECT_NEAR(tokens.long_paid, 1, workload.long_off_max) << workload.name;
  }
}

}  // namespace
}  // namespace tollgate::simulator
