#pragma once
// One request and its answer: reads the ask, gives the engine its sequences, tells the answer as they go, misbehaves if
// it must, and leaves a record of the truth.
//
// The engine's events come in through on_token() and on_finished(); the connection says connection_over() when the
// client has gone or the connection was closed on it: what is still generating is then aborted at once.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/simulator/answer.hpp"
#include "backends/simulator/connection.hpp"
#include "backends/simulator/engine.hpp"
#include "backends/simulator/faults.hpp"
#include "backends/simulator/foreign_ask.hpp"
#include "backends/simulator/records.hpp"
#include "backends/simulator/wire.hpp"

namespace tollgate::simulator {

class Exchange {
 public:
  Exchange(Service& service, Connection& connection, HttpRequest request);
  ~Exchange();  // NOLINT(bugprone-exception-escape)
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void begin();
  void on_token(SequenceId id);
  void on_finished(SequenceId id);
  void connection_over();
  /// The record as it stands now.
  [[nodiscard]] Record truth_now();
  [[nodiscard]] const std::string& id() const noexcept { return record_.id; }

 private:
  struct Progress {
    AnswerReader reader;
    std::uint32_t generated = 0;
    bool finished = false;
  };
  struct Error {
    int status;
    std::string message, param = {}, code = {};
  };

  void queue_job();
  void answer_queue(const QueueCall& call);
  void count_tokens();
  void generate(Surface surface);
  [[nodiscard]] std::optional<Error> take(Ask ask);
  void act();
  void submit();
  [[nodiscard]] bool choose_fault(const std::string& prompt_fault);
  void fail_with(const Error& error);
  void answer_whole(int status, std::string_view content_type, std::string body, const std::string& headers = {});
  void finish_whole();
  void begin_stream();
  void emit(std::string_view json);
  void emit_done();
  void act_after_event();
  void tell(std::uint32_t choice, const Delta& delta);
  [[nodiscard]] std::string head(int status, std::string_view content_type, const std::string& more) const;
  void put_body(std::string_view bytes, bool chunk);
  void end(bool keep_alive);
  void add_truth(Record& record, const SequenceTruth& truth, bool first_of_prompt) const;
  void note_timings(const SequenceTruth& truth);
  void settle(std::string_view finish_reason, bool aborted);
  [[nodiscard]] UsageCounts usage() const;
  [[nodiscard]] const UsageCounts* running(std::uint32_t choice, UsageCounts& counts) const;
  [[nodiscard]] bool answers_vllm() const noexcept;

  Service& service_;
  Connection& connection_;
  HttpRequest request_;
  Record record_;
  FaultPlan plan_;
  std::chrono::steady_clock::time_point arrived_;

  // Of an endpoint that generates:
  std::unique_ptr<Ask> ask_;
  std::unique_ptr<Wire> wire_;
  std::optional<ForeignCall> foreign_;  // it came in another provider's words
  std::vector<Answer> answers_;  // by choice; n for each prompt
  std::vector<Progress> progress_;
  SequenceId first_sequence_ = 0;  // of progress_.size() in a row; 0: none submitted
  std::size_t unfinished_ = 0;
  std::unique_ptr<Timer> delay_;
  std::string metrics_;  // the engine's own timings of the answer, if they were asked for

  std::uint32_t events_ = 0;
  std::size_t body_sent_ = 0;
  bool head_sent_ = false;
  bool silent_ = false;   // a stall: nothing more is sent
  bool ended_ = false;    // the answer is complete, or broken off on purpose
  bool settled_ = false;  // the record is written
};

}  // namespace tollgate::simulator
