// One attempt of a race, from the call to its first token or its whole answer. Between two waits the exchange's members are not this attempt's:
// what needs them stands in a Within.

#include "backends/socket_poll.hpp"
#include "gateway/hedge_legs.hpp"

namespace tollgate {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;   // of a whole answer
constexpr std::size_t wordless_bytes_max = 1024 * 1024;      // of a stream without a token: then it counts as an answer

Error given_up() { return fail(Fault::hedge_lost, "the race was decided"); }

}  // namespace

Task<void> Exchange::run_leg(Leg& leg) {
  Result<void> outcome = co_await first_answer(leg);
  leg.outcome = std::move(outcome);
  leg.over = true;
  if (leg.settled) leg.transfer.reset();
  race_->wake();
}

Task<Result<void>> Exchange::first_answer(Leg& leg) {
  TOLLGATE_CO_TRY(const AnswerHead head, co_await start_leg_call(leg));
  if (leg.settled) co_return given_up();
  const Step& step = plan_->steps[leg.step];
  const Backend& backend = serving_->config->backend_of(*step.target);
  leg.has_head = true;
  leg.end.http_status = head.status;
  leg.event_stream = head.event_stream;
  note_billed_header(backend, head, leg.end);
  {
    const Within here(*this, leg);
    note_limits(*step.target, head);
  }
  if (head.status / 100 != 2) {
    const std::string said = co_await refusal_text(*leg.transfer);
    if (leg.settled) co_return given_up();
    const Within here(*this, leg);
    co_return refusal(head, dialect_for(backend), said);
  }
  if (!head.event_stream) co_return co_await until_whole(leg);
  race_->policy.head_came(leg.which, std::chrono::steady_clock::now());
  race_->wake();
  co_return co_await until_first_token(leg);
}

Task<Result<AnswerHead>> Exchange::start_leg_call(Leg& leg) {
  const Step& step = plan_->steps[leg.step];
  Outgoing out;
  {
    const Within here(*this, leg);
    TOLLGATE_CO_TRY(write_call(step, out));
  }
  if (reactor_.poll().in_batch()) co_await reactor_.poll().batch_end();
  if (leg.settled) co_return given_up();
  if (client_.gone()) co_return fail(Fault::client_gone, "");
  {
    const Within here(*this, leg);
    open_call(step);
  }
  co_return co_await leg.transfer->start(out.call);
}

Task<Result<void>> Exchange::until_first_token(Leg& leg) {
  {
    const Within here(*this, leg);
    leg.reader = dialect_for(serving_->config->backend_of(*plan_->steps[step_].target)).stream_reader(body_map_);
  }
  for (;;) {
    const Result<std::string_view> bytes = co_await leg.transfer->read();
    if (leg.settled) co_return given_up();
    if (!bytes) co_return bytes.error();
    Result<void> taken = take_chunk(leg, bytes.value());
    if (!taken) co_return taken;
    if (leg.complete || leg.reader->content_seen() || leg.received.size() > wordless_bytes_max) co_return success();
  }
}

/// What comes behind the first token is the relay's to judge.
Result<void> Exchange::take_chunk(Leg& leg, std::string_view bytes) {
  leg.received.append(bytes);
  Pieces unused;
  Result<void> fed = bytes.empty() ? leg.reader->finish(unused) : leg.reader->feed(bytes, unused);
  leg.complete = bytes.empty() || (leg.reader->complete() && leg.transfer->ended());
  if (fed || leg.reader->content_seen()) return success();
  return fed;
}

Task<Result<void>> Exchange::until_whole(Leg& leg) {
  for (;;) {
    const Result<std::string_view> bytes = co_await leg.transfer->read();
    if (leg.settled) co_return given_up();
    if (!bytes) co_return bytes.error();
    answered_at_ = std::chrono::steady_clock::now();
    if (bytes.value().empty()) break;
    race_->policy.producing(leg.which);
    if (leg.received.size() + bytes.value().size() > answer_bytes_max) co_return fail(Fault::upstream_garbage, "the upstream's answer is larger than 64 MiB");
    leg.received.append(bytes.value());
    if (leg.transfer->ended()) break;
  }
  leg.complete = true;
  if (!race_->policy.both_run()) co_return success();
  co_return check_whole(leg);
}

/// While another attempt runs, an answer that cannot be read does not win.
Result<void> Exchange::check_whole(Leg& leg) {
  leg.received.reserve(leg.received.size() + ChatParser::padding);
  const Dialect& dialect = dialect_for(serving_->config->backend_of(*plan_->steps[leg.step].target));
  const Result<Answer> answer = dialect.read_answer(surface_, leg.received);
  if (!answer) return answer.error();
  return success();
}

}  // namespace tollgate
