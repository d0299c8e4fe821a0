#pragma once
// Shadow evaluation: some answers of self-hosted targets are asked for again of a strong target, and a judge scores the
// first by the second. It happens after the client was served, costs what any attempt costs, and stands in the ledger
// as requests of its own, on the routes `(shadow)` and `(judge)`. docs/routing/learning.md
//
//    shadows.submit(std::move(job));     // on the reactor that served the request; bounded, drops what is too much
//
// Prompts and answers are kept in memory until their evaluation has ended, and written nowhere. Evaluations never feed
// what routing has learned of targets, their breakers, baselines, or the histograms of what clients saw.

#include <array>
#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backends/inbound.hpp"
#include "gateway/serving.hpp"
#include "metrics/metrics.hpp"
#include "router/router.hpp"

namespace prometheus {
struct MetricFamily;
}

namespace tollgate {

class Reactor;

/// What became of an answer that was chosen to be evaluated.
enum class ShadowEnd : std::uint8_t {
  judged,       ///< its score is recorded
  unreadable,   ///< the judge's answer holds no score: nothing is known of the answer
  failed,       ///< the strong target or the judge gave no answer
  unavailable,  ///< one of them is down or full, or the ledger takes no more
  forbidden,    ///< a constraint keeps the request from one of them, or would have it masked
  over_budget,  ///< a budget is used up or would be
  unsuitable,   ///< pictures, sound, no text, or too large
  left_out,     ///< too many waited
  stopped       ///< the gateway shuts down, or another configuration took effect meanwhile
};
inline constexpr std::size_t shadow_end_count = 9;
[[nodiscard]] std::string_view name_of(ShadowEnd end) noexcept;

/// The routes of the ledger's rows; no route of a configuration can have these names.
inline constexpr std::string_view shadow_route = "(shadow)", judge_route = "(judge)";

/// All that is kept of a request that was served.
struct ShadowJob {
  static constexpr std::size_t body_bytes_max = 512 * 1024;

  ServingPtr serving;
  RequestId id{};
  std::int64_t arrived_us = 0;
  NameId model, team{}, key{};
  Complexity complexity;
  std::vector<std::pair<std::string, std::string>> headers;  ///< constraints ask for them
  std::string body;                         ///< a chat completion; capacity as ChatParser wants it
  ClientForm form = ClientForm::openai;     ///< what the client speaks …
  std::string own_words;                    ///< … and said; "" if that is `body`
  std::string answer;                       ///< see whole_answer() for this and the next two
  ClientForm answered_in = ClientForm::openai;
  bool streamed = false;

  [[nodiscard]] std::size_t bytes() const noexcept { return body.size() + own_words.size() + answer.size(); }
};

/// Whether evaluation is about this target's answers: it runs on hardware of one's own, and is not the strong one
/// itself.
[[nodiscard]] bool is_shadowed(const Config& config, const Target& target) noexcept;

/// One for all reactors.
class Shadows {
 public:
  static constexpr std::size_t bytes_max = 32 * 1024 * 1024;  ///< of what waits

  Shadows();
  ~Shadows();  ///< after the reactors have stopped
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  // -- any thread --
  /// Starts it on its reactor, at once or when its turn comes.
  void submit(Reactor& reactor, std::unique_ptr<ShadowJob> job);
  /// One has ended; the next begins.
  void ended(ShadowEnd end);
  /// Counts one that never was submitted.
  void count(ShadowEnd end) noexcept { ends_[static_cast<std::size_t>(end)].fetch_add(1, std::memory_order_relaxed); }
  /// What waits is dropped, what comes is refused.
  void close();
  [[nodiscard]] std::uint64_t count_of(ShadowEnd end) const noexcept {
    return ends_[static_cast<std::size_t>(end)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t running() const;
  /// Where texts are taken apart and put together, so that no reactor waits for it.
  [[nodiscard]] asio::thread_pool& worker() noexcept { return worker_; }

 private:
  struct Waiting {
    Reactor* reactor;
    std::unique_ptr<ShadowJob> job;
  };
  static void start(Waiting next);

  mutable std::mutex mutex_;  // guards the next four
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::size_t running_ = 0;
  bool closed_ = false;
  std::array<std::atomic<std::uint64_t>, shadow_end_count> ends_{};
  asio::thread_pool worker_{1};
};

void collect_shadows(const Shadows& shadows, std::vector<prometheus::MetricFamily>& families);

}  // namespace tollgate
