#include "backends/simulator/engine.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace tollgate::simulator {
namespace {

constexpr int share_bits = 32;        // fraction of a nanosecond that share_ keeps
constexpr double duration_max = 1e9;  // seconds; longer is for ever, and would not fit nanoseconds
constexpr double decode_epsilon =
    1e-7;  // tokens: smaller than any distance between two tokens that are not meant to be one

double seconds(EngineTime time) noexcept { return std::chrono::duration<double>(time).count(); }
double share_seconds(Int128 share) noexcept {
  return static_cast<double>(share) / (1e9 * (std::uint64_t{1} << share_bits));
}
EngineTime duration_of(double seconds_long) noexcept {
  return EngineTime(static_cast<std::int64_t>(std::ceil(std::min(seconds_long, duration_max) * 1e9)));
}

}  // namespace

struct Engine::Sequence {
  Job job;
  SequenceTruth truth;
  std::uint64_t order = 0;
  double target = 0;            // decode clock at which its next token comes
  Int128 share_at_start = 0;    // share_ when it last began to run
  Int128 share_before = 0;      // gpu time of earlier residencies
  double work_at_start = 0;     // prefill_work_ or decode_work_ when it began that
  double work_before = 0;       // work time of what it did before
  std::uint64_t kv_tokens = 0;  // what it holds now
  std::uint32_t prefill_tokens = 0;
  EngineTime last_token{0};
  bool is_running = false, is_decoding = false;
};

bool Engine::ByTarget::operator()(const Sequence* a, const Sequence* b) const noexcept {
  return a->target != b->target ? a->target < b->target : a->order < b->order;
}

Engine::Engine(const EngineLimits& limits) : limits_(limits) {}
Engine::~Engine() = default;

bool Engine::fits(std::uint64_t prompt_tokens, std::uint64_t output_tokens) const noexcept {
  return prompt_tokens + output_tokens <= limits_.kv_tokens_max;
}

double Engine::decode_speed() const noexcept {
  const double sharing = static_cast<double>(std::max<std::size_t>(running_.size(), 1));
  return std::min(limits_.decode_tokens_per_second, limits_.decode_tokens_per_second_total / sharing);
}

double Engine::busy_seconds() const noexcept { return seconds(busy_); }

double Engine::gpu_seconds() const noexcept {
  Int128 total = gpu_finished_;
  for (const auto& [order, sequence] : running_) total += share_ - sequence->share_at_start + sequence->share_before;
  for (const auto& [order, sequence] : waiting_) total += sequence->share_before;
  return share_seconds(total);
}

/// Its work time with what it is doing now.
double Engine::work_of(const Sequence& sequence) const noexcept {
  double work = sequence.work_before;
  if (in_prefill_ == &sequence) work += prefill_work_ - sequence.work_at_start;
  if (sequence.is_decoding) work += decode_work_ - sequence.work_at_start;
  return work;
}

void Engine::move_clock(EngineTime to) noexcept {
  if (to <= now_) return;
  const EngineTime step = to - now_;
  if (!running_.empty()) {
    busy_ += step;
    share_ += (static_cast<Int128>(step.count()) << share_bits) / static_cast<Int128>(running_.size());
    decoded_ += seconds(step) * decode_speed();
    const double prefill = in_prefill_ != nullptr ? 1 : 0;
    const double decode = decode_speed() / limits_.decode_tokens_per_second_total;
    const double work = prefill + decode * static_cast<double>(decoding_.size());
    if (work > 0) {
      prefill_work_ += seconds(step) * prefill / work;
      decode_work_ += seconds(step) * decode / work;
    }
  }
  now_ = to;
}

void Engine::submit(const Job& job, EngineTime now) {
  assert(fits(job.prompt_tokens, job.output_tokens));
  move_clock(now);
  auto sequence = std::make_unique<Sequence>();
  sequence->job = job;
  sequence->order = ++arrivals_;
  sequence->truth.arrived = now_;
  waiting_.emplace(sequence->order, sequence.get());
  sequences_[job.id] = std::move(sequence);
  admit();
}

void Engine::admit() {
  while (!waiting_.empty() && running_.size() < limits_.slots) {
    Sequence& sequence = *waiting_.begin()->second;
    const std::uint64_t context =
        (sequence.job.shares_prompt ? 0 : sequence.job.prompt_tokens) + sequence.truth.generated;
    // One token of room beside the context: its prefill yields a token at once. Alone, a sequence that fits() always
    // gets in.
    if (!running_.empty() && kv_tokens_ + context + 1 > limits_.kv_tokens_max) break;
    waiting_.erase(waiting_.begin());
    sequence.kv_tokens = context;
    kv_tokens_ += context;
    start_prefill(sequence);
  }
}

void Engine::start_prefill(Sequence& sequence) {
  const Job& job = sequence.job;
  if (sequence.truth.admitted.count() < 0) sequence.truth.admitted = now_;
  const bool again = sequence.truth.prompt_done;
  if (job.shares_prompt) {
    sequence.prefill_tokens = 1 + sequence.truth.generated;  // the choice before it has computed the rest
  } else {
    const std::uint32_t cached = cached_part(job);
    if (!again) sequence.truth.cached_tokens = cached;
    sequence.prefill_tokens = job.prompt_tokens - cached + sequence.truth.generated;
    if (limits_.prefix_cache && !again) {
      counters_.prefix_cache_queries += job.prompt_tokens;
      counters_.prefix_cache_hits += cached;
    }
  }
  sequence.is_running = true;
  sequence.share_at_start = share_;
  running_.emplace(sequence.order, &sequence);
  prefilling_.emplace(sequence.order, &sequence);
  schedule_prefill();
}

/// Gives the prefill speed to the oldest that needs it. One that has begun is finished first.
void Engine::schedule_prefill() {
  if (in_prefill_ != nullptr || prefilling_.empty()) return;
  in_prefill_ = prefilling_.begin()->second;
  in_prefill_->work_at_start = prefill_work_;
  prefill_due_ = now_ + duration_of(in_prefill_->prefill_tokens / limits_.prefill_tokens_per_second);
}

void Engine::finish_prefill(std::vector<EngineEvent>& out) {
  Sequence& sequence = *in_prefill_;
  sequence.work_before = work_of(sequence);
  in_prefill_ = nullptr;
  prefilling_.erase(sequence.order);
  if (sequence.truth.prompt_done) {
    counters_.prompt_tokens_recomputed += sequence.prefill_tokens;
  } else {
    sequence.truth.prompt_done = true;
    if (!sequence.job.shares_prompt) {
      counters_.prompt_tokens += sequence.job.prompt_tokens;
      counters_.prompt_tokens_cached += sequence.truth.cached_tokens;
    }
    remember_prefix(sequence.job);
  }
  schedule_prefill();
  if (sequence.job.output_tokens == 0) {
    sequence.truth.first_token = now_;
    out.push_back({sequence.job.id, EngineEvent::Kind::finished, now_});
    finish(sequence, sequence.job.reason);
    return;
  }
  sequence.is_decoding = true;
  sequence.work_at_start = decode_work_;
  sequence.target = decoded_;
  decoding_.insert(&sequence);
  give_token(sequence, out);
}

void Engine::give_token(Sequence& sequence, std::vector<EngineEvent>& out) {
  SequenceTruth& truth = sequence.truth;
  if (truth.generated++ == 0) {
    truth.first_token = now_;
    counters_.time_to_first_token.observe(seconds(now_ - truth.arrived));
  } else {
    counters_.inter_token.observe(seconds(now_ - sequence.last_token));
  }
  sequence.last_token = now_;
  ++counters_.generation_tokens;
  ++kv_tokens_;
  ++sequence.kv_tokens;
  out.push_back({sequence.job.id, EngineEvent::Kind::token, now_});
  if (truth.generated == sequence.job.output_tokens) {
    out.push_back({sequence.job.id, EngineEvent::Kind::finished, now_});
    finish(sequence, sequence.job.reason);
    return;
  }
  auto node = decoding_.extract(&sequence);
  sequence.target += 1;
  decoding_.insert(std::move(node));
  keep_within_cache();
}

void Engine::keep_within_cache() {
  while (kv_tokens_ > limits_.kv_tokens_max && running_.size() > 1) {
    Sequence& youngest = *running_.rbegin()->second;
    ++counters_.preemptions;
    ++youngest.truth.preemptions;
    take_off(youngest);
    waiting_.emplace(youngest.order, &youngest);
  }
}

/// Ends a residency: slot and cache are free again, its gpu time is kept.
void Engine::take_off(Sequence& sequence) {
  if (!sequence.is_running) return;
  sequence.work_before = work_of(sequence);
  if (sequence.is_decoding) decoding_.erase(&sequence);
  prefilling_.erase(sequence.order);
  if (in_prefill_ == &sequence) in_prefill_ = nullptr;
  running_.erase(sequence.order);
  kv_tokens_ -= sequence.kv_tokens;
  sequence.kv_tokens = 0;
  sequence.share_before += share_ - sequence.share_at_start;
  sequence.is_running = sequence.is_decoding = false;
  schedule_prefill();
}

void Engine::finish(Sequence& sequence, FinishReason reason) {
  take_off(sequence);
  waiting_.erase(sequence.order);
  SequenceTruth& truth = sequence.truth;
  truth.finished = now_;
  truth.gpu_seconds = share_seconds(sequence.share_before);
  truth.work_seconds = sequence.work_before;
  gpu_finished_ += sequence.share_before;
  ++counters_.request_success[static_cast<std::size_t>(reason)];
  counters_.e2e.observe(seconds(now_ - truth.arrived));
  const EngineTime admitted = truth.admitted.count() < 0 ? now_ : truth.admitted;
  counters_.queue.observe(seconds(admitted - truth.arrived));
  counters_.inference.observe(seconds(now_ - admitted));
  counters_.request_choices.observe(sequence.job.choices);
  counters_.request_generation_tokens.observe(truth.generated);
  if (sequence.job.max_tokens != 0) counters_.request_max_tokens.observe(sequence.job.max_tokens);
  if (truth.prompt_done) {
    counters_.request_prompt_tokens.observe(sequence.job.prompt_tokens);
    counters_.prefill.observe(seconds(truth.first_token - admitted));
    counters_.decode.observe(seconds(now_ - truth.first_token));
    if (truth.generated > 1)
      counters_.time_per_output_token.observe(seconds(sequence.last_token - truth.first_token) / (truth.generated - 1));
  }
  const auto found = sequences_.find(sequence.job.id);
  just_finished_.push_back(std::move(found->second));
  sequences_.erase(found);
  admit();
}

std::optional<SequenceTruth> Engine::abort(SequenceId id, EngineTime now) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end()) return std::nullopt;
  move_clock(now);
  Sequence& sequence = *found->second;
  finish(sequence, FinishReason::abort);
  const SequenceTruth truth = just_finished_.back()->truth;
  just_finished_.pop_back();
  return truth;
}

EngineTime Engine::decode_due() const noexcept {
  const double missing = (*decoding_.begin())->target - decoded_;
  return missing <= decode_epsilon ? now_ : now_ + duration_of(missing / decode_speed());
}

std::optional<EngineTime> Engine::next_event() const noexcept {
  std::optional<EngineTime> due;
  if (in_prefill_ != nullptr) due = prefill_due_;
  if (!decoding_.empty()) due = due ? std::min(*due, decode_due()) : decode_due();
  return due;
}

void Engine::advance(EngineTime now, std::vector<EngineEvent>& out) {
  just_finished_.clear();
  while (true) {
    const bool decodes = !decoding_.empty();
    const EngineTime decode = decodes ? decode_due() : EngineTime::max();
    const EngineTime prefill = in_prefill_ != nullptr ? prefill_due_ : EngineTime::max();
    if (std::min(decode, prefill) > now || std::min(decode, prefill) == EngineTime::max()) break;
    if (prefill <= decode) {
      move_clock(prefill);
      finish_prefill(out);
    } else {
      Sequence& next = **decoding_.begin();
      move_clock(decode);
      decoded_ = std::max(decoded_,
                          next.target);  // a due time is rounded up to a nanosecond; the clock may still miss by an ulp
      give_token(next, out);
    }
  }
  move_clock(now);
}

const SequenceTruth* Engine::truth(SequenceId id) {
  if (const auto found = sequences_.find(id); found != sequences_.end()) {
    Sequence& sequence = *found->second;
    Int128 share = sequence.share_before;
    if (sequence.is_running) share += share_ - sequence.share_at_start;
    sequence.truth.gpu_seconds = share_seconds(share);
    sequence.truth.work_seconds = work_of(sequence);
    return &sequence.truth;
  }
  const auto found = std::find_if(just_finished_.begin(), just_finished_.end(),
                                  [id](const auto& sequence) { return sequence->job.id == id; });
  return found == just_finished_.end() ? nullptr : &(*found)->truth;
}

std::uint32_t Engine::cached_part(const Job& job) const {
  if (!limits_.prefix_cache || job.prefix_hash == 0 || job.prompt_tokens == 0) return 0;
  const auto found = prefixes_.find(job.prefix_hash);
  if (found == prefixes_.end()) return 0;
  // The last token of a prompt is always computed: its logits are the first answer token.
  const std::uint32_t blocks = std::min(found->second.tokens, job.prompt_tokens - 1) / limits_.cache_block_tokens;
  return blocks * limits_.cache_block_tokens;
}

void Engine::remember_prefix(const Job& job) {
  if (!limits_.prefix_cache || job.prefix_hash == 0 || job.prefix_tokens < limits_.cache_tokens_min) return;
  if (const auto found = prefixes_.find(job.prefix_hash); found != prefixes_.end()) {
    prefix_order_.splice(prefix_order_.end(), prefix_order_, found->second.place);
    return;
  }
  if (prefixes_.size() >= limits_.cached_prefixes_max) {
    prefixes_.erase(prefix_order_.front());
    prefix_order_.pop_front();
  }
  prefix_order_.push_back(job.prefix_hash);
  prefixes_.emplace(job.prefix_hash, Prefix{job.prefix_tokens, std::prev(prefix_order_.end())});
}

}  // namespace tollgate::simulator
