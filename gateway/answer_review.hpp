#pragma once
// Looks at the form of served answers on a thread of its own, so that no reactor waits for it, and records what it
// found as an outcome (metrics/outcomes.hpp).
//
//    review.submit(std::move(job));      // after the request was settled
//    review.stop();                      // does what still waits, then ends
//
// Any thread may submit. What waits is bounded: when more answers come than can be looked at, the newest are left out
// and counted.

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "backends/inbound.hpp"
#include "metrics/metrics.hpp"
#include "router/chat_view.hpp"

namespace tollgate {

class AnswerReview {
 public:
  static constexpr std::size_t jobs_max = 1024, bytes_max = 32 * 1024 * 1024;

  struct Job {
    RequestId id{};
    Books* books = nullptr;  ///< what is recorded; outlives the review
    std::string answer;      ///< as the client got it, or the chat completion it was translated from
    ClientForm written_in = ClientForm::openai;  ///< `answer`, see whole_answer()
    bool streamed = false;
    // Of the request, what the check asks for.
    Surface surface = Surface::chat;
    bool json_output = false, json_schema = false;
    std::optional<std::int64_t> output_tokens_max;
    std::string response_schema;
  };

  AnswerReview();
  ~AnswerReview() { stop(); }
  AnswerReview(const AnswerReview&) = delete;
  AnswerReview& operator=(const AnswerReview&) = delete;

  /// False: too much waits already.
  bool submit(Job job);
  void stop();
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_.load(std::memory_order_relaxed); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // under mutex_, so the next two
  std::size_t bytes_ = 0;
  bool stopping_ = false;
  std::atomic<std::uint64_t> left_out_{0};
  std::thread thread_;
};

/// What the check says of a whole answer or a stream.
[[nodiscard]] OutcomeVerdict review(const AnswerReview::Job& job);

}  // namespace tollgate
