#include "backends/job_transport.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <list>

#include "backends/jobs.hpp"

namespace tollgate {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds first_pause{100}, longest_pause{2'000};   // between two questions; each is half as long again as the one before
constexpr std::size_t status_bytes_max = 64 * 1024 * 1024;       // a result may stand in it
constexpr std::size_t cancels_max = 256;                         // at once; beyond them jobs end by themselves
constexpr std::size_t parse_padding = 64;
constexpr int failed_questions_max = 3;                          // in a row: the job runs on whether or not we may ask

class JobTransport final : public Transport {
 public:
  JobTransport(asio::io_context& context, SocketPoll& sockets, DeadlineWheel& deadlines, Transport& plain, Transport& tls)
      : poll(sockets), wheel(deadlines), context_(context), plain_(plain), tls_(tls) {}
  std::unique_ptr<Transfer> open(const Endpoint& endpoint) override;
  void close_idle() noexcept override {}
  [[nodiscard]] Transport& inner(const Endpoint& endpoint) noexcept { return endpoint.tls ? tls_ : plain_; }
  /// Ends a job at its provider; nobody waits for it.
  void cancel(const Endpoint& endpoint, const Job& job);

  SocketPoll& poll;
  DeadlineWheel& wheel;

 private:
  struct Cancel {
    Endpoint endpoint;          // a copy: the configuration may go before the call is done
    JobCancel what;
    std::unique_ptr<Transfer> transfer;
  };
  Task<void> run(std::list<Cancel>::iterator cancel);

  asio::io_context& context_;
  Transport& plain_;
  Transport& tls_;
  std::list<Cancel> cancels_;
};

class JobTransfer final : public Transfer {
 public:
  JobTransfer(JobTransport& transport, const Endpoint& endpoint)
      : transport_(transport), endpoint_(endpoint), wake_(transport.poll),
        pause_(transport.wheel, [](void* self) { static_cast<JobTransfer*>(self)->wake_.wake(); }, this) {
    job_.dialect = endpoint.dialect;
  }
  ~JobTransfer() override {
    if (!job_.id.empty() && !job_.over) transport_.cancel(endpoint_, job_);
  }

  Task<Result<AnswerHead>> start(const Call& call) override;
  Task<Result<std::string_view>> read() override;
  void abort(Fault why) noexcept override;

 private:
  Task<Result<void>> ask(const Call& call);
  Task<Result<void>> follow(std::string_view request_id);
  Task<Result<void>> read_body();
  Task<Result<void>> wait(milliseconds pause);

  JobTransport& transport_;
  const Endpoint& endpoint_;
  Job job_;
  Wakeup wake_;
  Deadline pause_;
  std::unique_ptr<Transfer> inner_;
  AnswerHead head_;
  std::string body_;
  bool given_ = false;
  std::optional<Fault> aborted_;
};

std::unique_ptr<Transfer> JobTransport::open(const Endpoint& endpoint) { return std::make_unique<JobTransfer>(*this, endpoint); }

void JobTransport::cancel(const Endpoint& endpoint, const Job& job) {
  if (cancels_.size() >= cancels_max) return;
  cancels_.push_front(Cancel{endpoint, cancel_of(job), nullptr});
  Cancel& made = cancels_.front();
  made.transfer = inner(made.endpoint).open(made.endpoint);
  asio::co_spawn(context_, run(cancels_.begin()), asio::detached);
}

Task<void> JobTransport::run(std::list<Cancel>::iterator cancel) {
  Call call;
  call.method = cancel->what.method;
  call.path = cancel->what.path;
  call.once = true;
  const Result<AnswerHead> ignored = co_await cancel->transfer->start(call);
  cancels_.erase(cancel);
}

void JobTransfer::abort(Fault why) noexcept {
  if (aborted_) return;
  aborted_ = why;
  pause_.clear();
  if (inner_) inner_->abort(why);
  wake_.wake();
}

// One call and its answer: the head in head_, the body in body_.
Task<Result<void>> JobTransfer::ask(const Call& call) {
  if (aborted_) co_return fail(*aborted_, "the job was given up");
  inner_ = transport_.inner(endpoint_).open(endpoint_);
  TOLLGATE_CO_TRY(head_, co_await inner_->start(call));
  co_return co_await read_body();
}

Task<Result<void>> JobTransfer::read_body() {
  body_.clear();
  for (;;) {
    TOLLGATE_CO_TRY(const std::string_view bytes, co_await inner_->read());
    if (bytes.empty()) break;
    if (body_.size() + bytes.size() > status_bytes_max) co_return fail(Fault::upstream_garbage, "the job's answer is larger than 64 MiB");
    body_.append(bytes);
  }
  co_return success();
}

Task<Result<void>> JobTransfer::wait(milliseconds pause) {
  pause_.set(pause);
  if (!aborted_) co_await wake_.wait();
  pause_.clear();
  if (aborted_) co_return fail(*aborted_, *aborted_ == Fault::upstream_timeout ? "the job did not end within its time limit" : "the job was given up");
  co_return success();
}

Task<Result<AnswerHead>> JobTransfer::start(const Call& call) {
  Call submission = call;
  submission.stream = false;
  job_.submitted_at = call.path;
  TOLLGATE_CO_TRY(co_await ask(submission));
  if (head_.status / 100 == 2) {
    TOLLGATE_CO_TRY(co_await follow(call.request_id));
  }
  inner_.reset();
  if (head_.status / 100 == 2) head_.status = 200;      // a submission is 201 or 202
  head_.event_stream = false;
  head_.content_length = body_.size();
  body_.reserve(body_.size() + parse_padding);
  co_return head_;
}

// From the answer to the submission to the result, in head_ and body_; or to a question that was refused.
Task<Result<void>> JobTransfer::follow(std::string_view request_id) {
  TOLLGATE_CO_TRY(JobStep step, next_step(job_, body_));
  int failures = 0;
  for (milliseconds pause = first_pause; step.kind != JobStep::Kind::done; pause = std::min(pause * 3 / 2, longest_pause)) {
    if (step.kind == JobStep::Kind::ask_again || failures > 0) {
      TOLLGATE_CO_TRY(co_await wait(pause));
    }
    Call question;
    question.method = "GET";
    question.path = step.path;
    question.request_id = request_id;
    question.once = true;
    const Result<void> asked = co_await ask(question);
    const bool passing = !asked || head_.status >= 500 || head_.status == 429;
    if (passing && !aborted_ && ++failures <= failed_questions_max) continue;
    if (!asked) co_return asked;
    if (head_.status / 100 != 2) break;
    failures = 0;
    if (step.kind == JobStep::Kind::fetch) {
      body_ = fetched(job_, body_);
      break;
    }
    TOLLGATE_CO_TRY(step, next_step(job_, body_));
  }
  co_return success();
}

Task<Result<std::string_view>> JobTransfer::read() {
  const bool first = !given_;
  given_ = true;
  co_return first ? std::string_view(body_) : std::string_view{};
}

}  // namespace

std::unique_ptr<Transport> make_job_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel, Transport& plain, Transport& tls) {
  return std::make_unique<JobTransport>(context, poll, wheel, plain, tls);
}

}  // namespace tollgate
