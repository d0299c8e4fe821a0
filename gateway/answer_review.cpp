#include "gateway/answer_review.hpp"

#include <chrono>

#include "gateway/answer_check.hpp"
#include "gateway/answer_copy.hpp"
#include "gateway/unix_time.hpp"

namespace tollgate {
namespace {

OutcomeVerdict verdict_of(AnswerCheck check) noexcept {
  constexpr auto first = static_cast<std::uint8_t>(OutcomeVerdict::ok);
  static_assert(static_cast<std::uint8_t>(OutcomeVerdict::schema) - first ==
                static_cast<std::uint8_t>(AnswerCheck::schema));
  static_assert(static_cast<std::uint8_t>(OutcomeVerdict::garbage) - first ==
                static_cast<std::uint8_t>(AnswerCheck::garbage));
  return static_cast<OutcomeVerdict>(first + static_cast<std::uint8_t>(check));
}

}  // namespace

OutcomeVerdict review(const AnswerReview::Job& job) {
  ChatView asked;
  asked.surface = job.surface;
  asked.json_output = job.json_output;
  asked.json_schema = job.json_schema;
  asked.output_tokens_max = job.output_tokens_max;
  asked.response_schema = job.response_schema;
  if (!job.streamed && job.written_in == ClientForm::openai) return verdict_of(check_answer(job.answer, asked));
  return verdict_of(check_answer(whole_answer(job.answer, job.written_in, job.streamed), asked));
}

AnswerReview::AnswerReview() : thread_([this] { run(); }) {}

bool AnswerReview::submit(Job job) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && jobs_.size() < jobs_max && bytes_ + job.answer.size() <= bytes_max) {
      bytes_ += job.answer.size();
      jobs_.push_back(std::move(job));
      changed_.notify_one();
      return true;
    }
  }
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void AnswerReview::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void AnswerReview::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      bytes_ -= job.answer.size();
    }
    Outcome outcome;
    outcome.request = job.id;
    outcome.source = OutcomeSource::format;
    outcome.verdict = review(job);
    outcome.at_us = unix_micros();
    if (!job.books->record(std::move(outcome), {})) left_out_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace tollgate
