#pragma once
// What is known of the engine behind each backend, as all threads see it: what passes through this gateway (counted by
// the reactors), what the engine says of itself (told by the scraper), and how the two compare.
//
//    EngineState& engine = board.of(backend);                      // once per snapshot
//    const EngineLoad::Ticket ticket = engine.load.begin(1, true); // a reactor, around an attempt
//    engine.load.end(ticket, usage, exact);
//
// Entries live as long as the board, so that a reload keeps what is known.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backends/engine_account.hpp"
#include "backends/engine_timings.hpp"
#include "config/config.hpp"
#include "metrics/counter.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

/// What passes through the gateway to one backend, and the last the engine said that routing asks for. Lock-free.
class alignas(64) EngineLoad {
 public:
  struct Ticket {
    std::uint32_t sequences = 0;
    std::uint8_t phase = 0;
    bool sure = true;
  };

  /// Before anything is sent. `sequences`: n times prompts; not `sure`: at least that many.
  [[nodiscard]] Ticket begin(std::uint32_t sequences, bool sure) noexcept;
  /// After the answer. `exact`: the usage is what the engine itself must have counted.
  void end(const Ticket& ticket, const Usage& usage, bool exact) noexcept;
  [[nodiscard]] OwnCounts counts() const noexcept;
  /// Attempts that begin from now on belong to the other phase (EngineAccount::take).
  void turn_phase() noexcept { phase_.fetch_xor(1, std::memory_order_acq_rel); }

  /// As the engine last said; -1: not known.
  std::atomic<std::int32_t> running{-1}, waiting{-1};
  std::atomic<float> kv_cache_usage{-1};
  /// What a million tokens cost lately, the pool's whole bill over them, in picodollars; 0: not known.
  std::atomic<std::int64_t> loaded_picodollars_per_million{0};
  /// Of a serverless pool, by its rules: workers (booting ones included), those that boot, and requests under way; -1: not known.
  std::atomic<std::int32_t> workers_up{-1}, workers_booting{0}, pool_in_flight{0};

 private:
  std::atomic<std::uint8_t> phase_{0};
  std::array<std::atomic<std::uint32_t>, 2> in_flight_{};
  std::atomic<std::uint64_t> begun_{0}, ended_{0}, inexact_{0}, sequences_begun_{0};
  std::atomic<std::int64_t> sequences_{0};
  std::atomic<std::uint32_t> unsure_{0};
  struct Tokens {
    std::atomic<std::uint64_t> prompt{0}, uncached_prompt{0}, generation{0};
  };
  std::array<Tokens, 2> tokens_{};
};

/// Bounds of the histograms of engine timings, in microseconds.
inline constexpr std::array<std::int64_t, 16> timing_bounds{
    1'000,   5'000,     10'000,    25'000,    50'000,     100'000,    250'000,    500'000,
    750'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 20'000'000, 60'000'000, 300'000'000};
using TimingTotals = HistogramTotals<timing_bounds.size()>;

/// A histogram that several reactors write, once per request.
class TimingHistogram {
 public:
  void observe(std::chrono::microseconds time) noexcept;
  [[nodiscard]] TimingTotals totals() const noexcept;
  [[nodiscard]] bool empty() const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, timing_bounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

/// What engines said of single requests, by target.
struct TimingsSeen {
  TimingHistogram first_token, generation, queue;
  void observe(const EngineTimings& timings) noexcept;
};

/// The scraper's words, for pages and metrics.
struct EngineStatus {
  NameId backend;
  bool scraped = false;  ///< it is configured to be
  std::string kind;      ///< "vllm" …; "" before the first answer
  std::string error;     ///< of the last scrape; "" it worked
  std::uint64_t scrapes = 0, failures = 0;
  std::chrono::steady_clock::time_point last_success{};  ///< epoch: never
  std::optional<std::int64_t> running, waiting, foreign_requests;
  std::optional<double> kv_cache_usage;
  TokenAccount prompt, generation;
  std::uint64_t restarts = 0;
};

class EngineState {
 public:
  explicit EngineState(NameId backend) { status_.backend = backend; }
  EngineState(const EngineState&) = delete;
  EngineState& operator=(const EngineState&) = delete;

  using Now = std::chrono::steady_clock::time_point;
  EngineLoad load;

  // The scraper:
  void succeeded(const EngineSample& sample, const OwnCounts& before, const OwnCounts& after, Now now);
  /// True if this is news: it worked before, or failed in another way.
  [[nodiscard]] bool failed(const std::string& why);
  /// `url` is what is behind the backend from now on; another than before is another engine. `scraped`: whether it is
  /// asked.
  void watch(const std::string& url, bool scraped);

  [[nodiscard]] EngineStatus status() const;

 private:
  void publish(const EngineSample& sample) noexcept;
  void unknown() noexcept;

  mutable std::mutex mutex_;  // guards what follows
  EngineAccount account_;
  EngineStatus status_;
  std::string url_;
};

class EngineBoard {
 public:
  [[nodiscard]] EngineState& of(NameId backend);         ///< takes a lock: resolve once per snapshot
  [[nodiscard]] TimingsSeen& timings_of(NameId target);  ///< likewise

 private:
  std::mutex mutex_;
  std::map<NameId, std::unique_ptr<EngineState>> engines_;
  std::map<NameId, std::unique_ptr<TimingsSeen>> timings_;
};

}  // namespace tollgate
