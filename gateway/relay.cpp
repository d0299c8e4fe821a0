// The answer's bytes, upstream to client: a whole answer in one write, a stream as it comes.

#include <algorithm>
#include <chrono>

#include "backends/reported_cost.hpp"
#include "backends/stream_of.hpp"
#include "config/decimal.hpp"
#include "gateway/exchange.hpp"
#include "gateway/reply.hpp"
#include "gateway/unix_time.hpp"

namespace tollgate {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;          // of a whole answer
constexpr std::chrono::milliseconds progress_interval{250};        // how often a stream's running count is put where a crash cannot lose it
constexpr std::string_view last_chunk = "0\r\n\r\n";
constexpr std::string_view comment = ": keep-alive\n\n";

}  // namespace

Task<Result<void>> Exchange::whole(const Dialect& dialect, AttemptEnd& end) {
  std::string body;
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) co_return bytes.error();
    answered_at_ = std::chrono::steady_clock::now();
    if (body.empty() && transfer_->ended() && !restorer_) co_return reply_whole(dialect, bytes.value(), end);   // in place: nothing is copied
    if (bytes.value().empty()) break;
    if (body.size() + bytes.value().size() > answer_bytes_max) co_return fail(Fault::upstream_garbage, "the upstream's answer is larger than 64 MiB");
    body.append(bytes.value());
  }
  if (restorer_) body = restorer_->whole(body);
  body.reserve(body.size() + ChatParser::padding);
  co_return reply_whole(dialect, body, end);
}

Result<void> Exchange::reply_whole(const Dialect& dialect, std::string_view body, AttemptEnd& end) {
  TOLLGATE_TRY(const Answer answer, dialect.read_answer(surface_, body));
  if (const BilledSeconds* const where = billed_json()) end.billed = billed_time_in(body, *where);
  if (!answer.owned.empty()) body = answer.owned;      // translated
  const NameId target = plan_->steps[step_].target->id;
  end.usage = answer.usage;
  end.usage_source = answer.usage_source;
  if (end.usage_source == UsageSource::none) {
    end.usage = estimated(answer.content_bytes);
    end.usage_source = UsageSource::estimated;
  }
  end.reported = reported_cost(serving_->config->backend_of(*plan_->steps[step_].target), answer.usage_object);
  end.first_token_us = unix_micros();
  end.service_tier = answer.service_tier;
  note_timings(answer.timings);
  if (answer.usage_source == UsageSource::exact) {
    reactor_.books().learn(target, static_cast<std::int64_t>(chat_.input_bytes()), static_cast<std::int64_t>(answer.content_bytes), answer.usage);
  }
  if (escalates(body)) {
    end.result = RowResult::of(Fault::escalated);
    end_attempt(end);                    // charged like any other
    return fail(Fault::escalated, "the answer failed its check");
  }
  end_attempt(end);
  if (body_map_.stream && surface_ != Surface::embeddings) return send_as_stream(body, end.usage);
  return inbound_ ? send_inbound(body, end.usage) : send_whole(answer, body);
}

// The client asked for a stream; this upstream answers in one piece.
Result<void> Exchange::send_as_stream(std::string_view body, const Usage& usage) {
  if (inbound_) begin_writing();
  if (inbound_ && !inbound_->writer) return send_inbound(body, usage);   // in the client's own protocol already, as the upstream chose to say it
  const std::string_view cost = cost_text_ == "unknown" ? "null" : std::string_view(cost_text_);
  TOLLGATE_TRY(const std::string events, stream_of(body, body_map_, body_map_.wants_cost ? cost : std::string_view{}));
  Pieces pieces{std::string_view(events)};
  std::string said;
  if (inbound_) {
    TOLLGATE_TRY(say_end(pieces, usage, said));
  }
  if (!send_events(std::span<const std::string_view>(pieces.data(), pieces.size()), true)) return fail(Fault::client_gone, "");
  return success();
}

Result<void> Exchange::send_whole(const Answer& answer, std::string_view body) {
  std::string cost;
  if (body_map_.wants_cost && answer.usage_close != 0) cost = cost_member();
  std::string lines;
  append_tollgate_headers(lines, true);
  // Two places where the body is not passed on as it came: the cost goes in, timings that the client did not ask for go out.
  const bool strip = body_map_.ask_metrics && !body_map_.include_metrics;
  const std::size_t cut = strip ? answer.metrics_begin : body.size(), cut_end = strip ? answer.metrics_end : body.size();
  const std::size_t put = cost.empty() ? body.size() : answer.usage_close;
  const std::size_t first = std::min(cut, put), second = std::max(cut, put);
  const auto piece = [&](std::size_t from, std::size_t to) { return asio::const_buffer(body.data() + from, to - from); };
  ReplyHead head;
  head.length = body.size() + cost.size() - (cut_end - cut);
  head.keep_alive = keeps_alive();
  head.request_id = id_text_.view();
  head.extra = lines;
  std::string text;
  text.reserve(640);
  append_head(text, head, reactor_.date(arrived_us_ / 1'000'000));
  const bool cost_first = put <= cut;
  const std::array<asio::const_buffer, 6> buffers{asio::buffer(text),
                                                  piece(0, first),
                                                  asio::buffer(cost_first ? std::string_view(cost) : std::string_view{}),
                                                  piece(cost_first ? first : cut_end, second),
                                                  asio::buffer(cost_first ? std::string_view{} : std::string_view(cost)),
                                                  piece(cost_first ? cut_end : second, body.size())};
  replied_ = true;
  status_ = 200;
  if (copy_ && !inbound_) copy_->add(body);
  if (cache_ && cache_->stores) {
    cache_->fill(body.substr(0, cut));
    cache_->fill(body.substr(cut_end));
    cache_->cost_at = answer.usage_close <= cut ? answer.usage_close : answer.usage_close - (cut_end - cut);
  }
  const bool sent = client_.send_soon(buffers);
  first_byte_at_ = std::chrono::steady_clock::now();
  if (!sent) return fail(Fault::client_gone, "");
  return success();
}

/// Where the answer itself says what is billed for it; nullptr: nowhere.
const BilledSeconds* Exchange::billed_json() const {
  const Backend& backend = serving_->config->backend_of(*plan_->steps[step_].target);
  return backend.pool && !backend.pool->billed_seconds.json.empty() ? &backend.pool->billed_seconds : nullptr;
}

void Exchange::note_timings(const EngineTimings& timings) const {
  if (timings.known()) serving_->timings[serving_->index_of(*plan_->steps[step_].target)]->observe(timings);
}

void Exchange::append_tollgate_headers(std::string& lines, bool with_cost) const {
  append_header(lines, "x-tollgate-request-id", id_text_.view());
  if (form_ == ClientForm::messages) append_header(lines, "request-id", id_text_.view());
  append_admission_headers(lines);
  if (!plan_) return;
  append_header(lines, "x-tollgate-route", text(plan_->route));
  if (cache_) append_cache_headers(lines);
  const CachedAnswer* const given = cache_ && cache_->served ? cache_->answer.get() : nullptr;
  if (given == nullptr && step_ >= plan_->steps.size()) return;    // every target was ruled out
  append_header(lines, "x-tollgate-target", text(given != nullptr ? given->target : plan_->steps[step_].target->id));
  const auto thousandths = static_cast<std::int64_t>(complexity_.score * 1000 + 0.5F);
  append_header(lines, "x-tollgate-complexity", decimal_text(thousandths, 3) + " " + std::string(name_of(complexity_.tier)));
  append_header(lines, "x-tollgate-reason", reason());
  const std::string& dropped = given != nullptr ? given->dropped : dropped_;
  const bool masked = given != nullptr ? given->masked.any() : masks_;
  if (!dropped.empty()) append_header(lines, "x-tollgate-dropped", dropped);
  if (masked) append_header(lines, "x-tollgate-masked", std::to_string(given != nullptr ? given->swaps : masked_->masked.swaps.size()));
  if (with_cost || given != nullptr) append_header(lines, "x-tollgate-cost-usd", cost_text_);
}

// The frames of these two live as long as the stream: what is done between two waits has its locals elsewhere.
Task<Result<void>> Exchange::relay(StreamReader& reader, AttemptEnd& end) {
  if (const auto keepalive = serving_->config->server.keepalive_comment; keepalive.count() > 0) silence_.set(keepalive);
  if (const BilledSeconds* const where = billed_json()) billed_ = std::make_unique<BilledTimeScan>(*where);
  Result<void> outcome = co_await pump(reader);
  end_stream(reader, end, outcome);
  co_return outcome;
}

Task<Result<void>> Exchange::pump(StreamReader& reader) {
  Result<void> outcome = success();
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (pass_on(reader, bytes, outcome)) break;
    const ServerConfig& limits = serving_->config->server;
    if (client_.has_backlog() && !co_await client_.flush(limits.write_timeout)) {
      outcome = fail(Fault::client_gone, "");
      break;
    }
    if (limits.keepalive_comment.count() > 0) silence_.set(limits.keepalive_comment);
  }
  co_return outcome;
}

/// True: the stream is over, as `outcome` says.
bool Exchange::pass_on(StreamReader& reader, const Result<std::string_view>& read, Result<void>& outcome) {
  if (!read) {
    outcome = read.error();
    return true;
  }
  const std::string_view bytes = read.value();
  const bool at_end = bytes.empty();
  if (billed_) billed_->feed(bytes);
  Pieces out;
  Result<void> fed = at_end ? reader.finish(out) : reader.feed(bytes, out);
  if (first_token_us_ == 0 && reader.content_seen()) {
    first_token_us_ = unix_micros();
    reactor_.books().first_token(*record_, std::chrono::steady_clock::now(), number_);
    if (pass_ == TargetHealth::Pass::trial) serving_->health_of(*plan_->steps[step_].target).succeeded();   // others need not wait for the stream's end
  }
  std::string restored, said;
  outcome = restore(out, false, restored);
  if (outcome && inbound_) outcome = say(out, said);
  if (!outcome) return true;
  if (!out.empty() && !send_events(std::span<const std::string_view>(out.data(), out.size()), false)) {
    outcome = fail(Fault::client_gone, "");
    return true;
  }
  if (!fed) {
    error_passed_on_ = !at_end && fed.error().fault == Fault::upstream_status && !out.empty();
    outcome = std::move(fed);
    return true;
  }
  if (at_end || (reader.complete() && transfer_->ended())) return true;
  note_progress(reader);
  return false;
}

/// The attempt's end and the stream's: an answer that is complete counts as such whatever came after it.
void Exchange::end_stream(StreamReader& reader, AttemptEnd& end, Result<void>& outcome) {
  if (billed_) end.billed = billed_->billed();
  billed_.reset();
  silence_.clear();
  const bool finished = outcome.has_value() || reader.complete();
  take_usage(reader, finished, outcome, end);
  if (!finished) return;
  end_attempt(end);
  Pieces out;
  if (reader.holding()) reader.release(cost_text_ == "unknown" ? "null" : std::string_view(cost_text_), out);
  std::string restored, said;
  outcome = restore(out, true, restored);
  if (outcome && inbound_) outcome = say_end(out, end.usage, said);
  if (outcome && !send_events(std::span<const std::string_view>(out.data(), out.size()), true)) outcome = fail(Fault::client_gone, "");
}

// Whole events on their way to the client get masked values back; `memory` holds them.
Result<void> Exchange::restore(Pieces& events, bool at_end, std::string& memory) {
  if (!restorer_) return success();
  std::string bytes;
  for (const std::string_view piece : events) bytes.append(piece);
  memory.clear();
  TOLLGATE_TRY(restorer_->events(bytes, memory));
  if (at_end) restorer_->finish(memory);
  events.clear();
  if (!memory.empty()) events.push_back(memory);
  return success();
}

void Exchange::note_progress(StreamReader& reader) {
  const MonoTime now = std::chrono::steady_clock::now();
  if (progress_at_ != MonoTime{} && now - progress_at_ < progress_interval) return;
  auto [usage, source] = reader.usage();
  if (source == UsageSource::none) return;    // the first count is noted at once
  if (source == UsageSource::estimated) usage.output = estimated(reader.content_bytes()).output;
  progress_at_ = now;
  reactor_.books().progress(*record_, usage, source, number_);
}

/// An error or garbage in place of an answer: as little is known as of such a whole answer.
bool Exchange::nothing_answered(const StreamReader& reader, const Result<void>& outcome) {
  if (outcome || reader.content_bytes() > 0) return false;
  return outcome.error().fault == Fault::upstream_status || outcome.error().fault == Fault::upstream_garbage;
}

void Exchange::take_usage(StreamReader& reader, bool finished, const Result<void>& outcome, AttemptEnd& end) {
  std::tie(end.usage, end.usage_source) = reader.usage();
  // What was said in the middle is of a part.
  if (finished) end.reported = reported_cost(serving_->config->backend_of(*plan_->steps[step_].target), reader.usage_object());
  end.first_token_us = first_token_us_;
  note_timings(reader.timings());
  end.service_tier = reader.service_tier();
  if (end.usage_source == UsageSource::none && !finished && nothing_answered(reader, outcome)) return;
  if (end.usage_source == UsageSource::none) {
    end.usage = estimated(reader.content_bytes());
    end.usage_source = UsageSource::estimated;
  } else if (end.usage_source == UsageSource::estimated) {
    end.usage.output = estimated(reader.content_bytes()).output;
  } else if (finished && end.usage_source == UsageSource::exact) {
    reactor_.books().learn(plan_->steps[step_].target->id, static_cast<std::int64_t>(chat_.input_bytes()),
                           static_cast<std::int64_t>(reader.content_bytes()), end.usage);
  }
}

bool Exchange::send_events(std::span<const std::string_view> events, bool last) {
  if (copy_ && !inbound_) {
    for (const std::string_view event : events) copy_->add(event);
  }
  if (cache_) {
    for (const std::string_view event : events) cache_->fill(event);
  }
  return write_events(events, last);
}

// One write: the stream's head before the first events, the end mark of the chunked body behind the last.
bool Exchange::write_events(std::span<const std::string_view> events, bool last) {
  boost::container::small_vector<asio::const_buffer, 12> buffers;
  std::string head_text;
  if (!replied_) {
    replied_ = streaming_ = true;
    status_ = 200;
    std::string lines;
    append_tollgate_headers(lines, false);
    ReplyHead head;
    head.content_type = "text/event-stream";
    head.keep_alive = keeps_alive();
    head.request_id = id_text_.view();
    head.extra = lines;
    append_head(head_text, head, reactor_.date(arrived_us_ / 1'000'000));
    buffers.push_back(asio::buffer(head_text));
    first_byte_at_ = std::chrono::steady_clock::now();
    // No other target can be asked any more: the request's text has done its work, unless the answer is judged by it.
    if (!copy_ && !race_) body_ = std::string();
    chat_.texts.clear();
    chat_.texts.shrink_to_fit();
    if (screening_) screening_->forget_text();
    if (masked_) masked_->masked.body = std::string();
    if (masked_) masked_->inbound.reset();
    if (inbound_ && !copy_ && !race_) inbound_->forget_text();
  }
  std::size_t bytes = 0;
  for (const std::string_view event : events) bytes += event.size();
  char size_line[20];
  if (bytes > 0) {
    buffers.emplace_back(size_line, chunk_head(bytes, size_line));
    for (const std::string_view event : events) buffers.emplace_back(event.data(), event.size());
    buffers.emplace_back("\r\n", 2);
  }
  if (last) buffers.emplace_back(last_chunk.data(), last_chunk.size());
  return client_.send_soon(std::span<const asio::const_buffer>(buffers.data(), buffers.size()));
}

void Exchange::send_stream_error(const Error& error) {
  const std::string event = inbound_ ? stream_error(error) : "data: " + error_body(error) + "\n\n";
  const std::string_view events[] = {event};
  send_events(error_passed_on_ ? std::span<const std::string_view>{} : std::span<const std::string_view>(events), true);
}

// Nothing came from the upstream for a while: a comment keeps middleboxes from closing the connection.
void Exchange::silence(void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  if (!exchange.client_.has_backlog()) {
    const std::string_view events[] = {exchange.form_ == ClientForm::openai ? comment : keep_alive_of(exchange.form_)};
    exchange.write_events(events, false);
  }
  exchange.silence_.set(exchange.serving_->config->server.keepalive_comment);
}

}  // namespace tollgate
