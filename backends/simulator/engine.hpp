#pragma once
// The engine model: what a batching inference server does with its time. Pure: no sockets, no text, no clock of its
// own.
//
//    Engine engine(limits);
//    engine.submit({.id = 7, .prompt_tokens = 900, .output_tokens = 120}, now);
//    engine.advance(now + 20ms, events);      // what happened up to then, in order, each with its exact time
//    engine.next_event();                     // when to call again
//
// The model. A sequence waits in order of arrival until a slot and KV cache for its prompt are free, then it is
// *running*. The oldest running sequence that still needs it gets the whole prefill speed; the end of its prefill
// yields the first token. Every decoding sequence then gets one token each 1/speed, speed = min(decode alone, decode
// together / running): more work in the batch, slower tokens for each. The KV cache holds prompt plus tokens so far;
// when it overflows, the youngest sequence is preempted: it goes back to its place in the queue and its prefill is
// computed again, as vLLM does it.
//
// Law: the sum of gpu time over all sequences is the time in which anything ran, for each sequence accrues 1/running
// while it runs. So is the sum of work time: there a sequence accrues its part of the work done at each moment, which is
// 1 for the one in prefill and speed / decode together for each that decodes (both as parts of a full engine). Tokens are counted when they are generated, prompt tokens when their prefill ends; both once, whatever
// is preempted. Threads: one. Time never goes back.

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backends/simulator/counters.hpp"
#include "config/units.hpp"

namespace tollgate::simulator {

/// Since the engine was made.
using EngineTime = std::chrono::nanoseconds;
using SequenceId = std::uint64_t;

struct EngineLimits {
  std::uint32_t slots = 16;                 ///< sequences running at once
  double prefill_tokens_per_second = 8000;  ///< all together
  double decode_tokens_per_second = 60;     ///< one sequence alone
  double decode_tokens_per_second_total = 600;
  std::uint64_t kv_tokens_max = 400'000;
  bool prefix_cache = true;
  std::uint32_t cache_block_tokens = 16;  ///< prefixes are cached in whole blocks
  std::uint32_t cache_tokens_min = 16;    ///< shorter prefixes are not cached
  std::size_t cached_prefixes_max = 4096;
};

/// One answer to generate. A request with n choices is n sequences.
struct Job {
  SequenceId id = 0;                ///< the caller's, unique among the living
  std::uint32_t prompt_tokens = 0;  ///< of which a part may turn out cached
  std::uint32_t output_tokens = 0;  ///< how many it will generate; 0: prefill only (embeddings)
  FinishReason reason = FinishReason::stop;
  std::uint64_t prefix_hash = 0;  ///< of the prompt's start that others may share; 0: none
  std::uint32_t prefix_tokens = 0;
  bool shares_prompt =
      false;  ///< a further choice of the sequence before it: its prompt is neither counted nor kept again
  std::uint32_t max_tokens = 0;  ///< as the request asked; 0: it did not
  std::uint32_t choices = 1;
};

struct EngineEvent {
  enum class Kind : std::uint8_t { token, finished };
  SequenceId id;
  Kind kind;
  EngineTime at;
};

/// What the engine knows of a sequence; the truth that accounting elsewhere is compared with.
struct SequenceTruth {
  std::uint32_t cached_tokens = 0;
  std::uint32_t generated = 0;
  bool prompt_done = false;
  EngineTime arrived{}, admitted{-1}, first_token{-1}, finished{-1};  ///< -1 ns: not yet
  std::uint32_t preemptions = 0;
  double gpu_seconds = 0;   ///< integral of 1/running over its residency
  double work_seconds = 0;  ///< the same by work: its part of what the engine computed at each moment
};

class Engine {
 public:
  explicit Engine(const EngineLimits& limits);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// True if the cache could ever hold it.
  [[nodiscard]] bool fits(std::uint64_t prompt_tokens, std::uint64_t output_tokens) const noexcept;
  /// Queues a job that fits(). Call advance(now) first: what happened before `now` must have been taken out.
  void submit(const Job& job, EngineTime now);
  /// Stops a sequence at `now` and gives its truth; nothing if it is not living. Call advance(now) first.
  std::optional<SequenceTruth> abort(SequenceId id, EngineTime now);
  /// Lives all events up to and including `now`; appends them in order.
  void advance(EngineTime now, std::vector<EngineEvent>& out);
  /// When the next event is due if nothing is submitted or aborted before; nothing if the engine is idle.
  [[nodiscard]] std::optional<EngineTime> next_event() const noexcept;

  /// Of a living sequence, or of one whose `finished` event came out of the last advance(); null for others.
  [[nodiscard]] const SequenceTruth* truth(SequenceId id);
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::size_t running() const noexcept { return running_.size(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t kv_tokens() const noexcept { return kv_tokens_; }
  [[nodiscard]] const EngineLimits& limits() const noexcept { return limits_; }
  /// Time in which anything ran, and the gpu time of all sequences, living ones included.
  [[nodiscard]] double busy_seconds() const noexcept;
  [[nodiscard]] double gpu_seconds() const noexcept;

 private:
  struct Sequence;
  struct ByTarget {
    bool operator()(const Sequence* a, const Sequence* b) const noexcept;
  };
  void move_clock(EngineTime to) noexcept;
  void admit();
  void start_prefill(Sequence& sequence);
  void finish_prefill(std::vector<EngineEvent>& out);
  void schedule_prefill();
  void give_token(Sequence& sequence, std::vector<EngineEvent>& out);
  void keep_within_cache();
  void take_off(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason);
  [[nodiscard]] EngineTime decode_due() const noexcept;
  [[nodiscard]] double decode_speed() const noexcept;
  [[nodiscard]] double work_of(const Sequence& sequence) const noexcept;
  [[nodiscard]] std::uint32_t cached_part(const Job& job) const;
  void remember_prefix(const Job& job);

  EngineLimits limits_;
  Counters counters_;
  EngineTime now_{0};
  std::unordered_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<std::unique_ptr<Sequence>> just_finished_;
  std::map<std::uint64_t, Sequence*> waiting_, running_, prefilling_;  // by order of arrival
  std::set<Sequence*, ByTarget> decoding_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t kv_tokens_ = 0;
  Sequence* in_prefill_ = nullptr;  // the oldest of prefilling_
  EngineTime prefill_due_{0};
  double decoded_ = 0;  // tokens a sequence that always decoded would have by now: the decode clock
  Int128 share_ = 0;    // integral of 1/running, in ns << share_bits
  Int128 gpu_finished_ = 0;
  EngineTime busy_{0};
  double prefill_work_ = 0, decode_work_ = 0;  // work time of one that was in prefill, that decoded, all the while
  struct Prefix {
    std::uint32_t tokens;
    std::list<std::uint64_t>::iterator place;
  };
  std::unordered_map<std::uint64_t, Prefix> prefixes_;
  std::list<std::uint64_t> prefix_order_;  // oldest first
};

}  // namespace tollgate::simulator
