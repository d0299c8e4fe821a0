// What is passed through, on its way: the request's bytes up, the answer's down, chunk by chunk; and what is noted of them for the books.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "backends/reported_cost.hpp"
#include "backends/splice.hpp"
#include "gateway/exchange.hpp"
#include "gateway/reply.hpp"
#include "gateway/unix_time.hpp"
#include "router/worst_case.hpp"

namespace tollgate {

namespace {

constexpr std::string_view last_chunk = "0\r\n\r\n";
constexpr std::size_t short_bytes_max = 64 * 1024;
constexpr std::size_t description_bytes_max = 16 * 1024 * 1024;   // of a file, a batch, or a list of them
constexpr std::size_t event_bytes_max = 64 * 1024 * 1024;         // a picture may stand in it
/// What of a request's head goes to the provider, beside content-type and accept. Never what says who the client is.
constexpr std::string_view passed_up[] = {"openai-beta", "idempotency-key"};

}  // namespace

Result<void> Exchange::write_passed(const Step& step, Outgoing& out) {
  const Backend& backend = serving_->config->backend_of(*step.target);
  PassedRequest& passed = *passed_;
  std::string path(head_.path());
  path.append(head_.query());
  TOLLGATE_TRY(passed.path, dialect_of(backend.dialect).passed_path(surface_, path, backend, *step.target));
  passed.headers.clear();
  for (const std::string_view name : passed_up) {
    if (const std::string_view value = head_.field(name); !value.empty()) passed.headers.emplace_back(name, value);
  }
  write_passed_body(*step.target, out.wire);
  Call& call = out.call;
  call.method = head_.method();
  call.path = passed.path;
  call.headers = passed.headers;
  call.body = std::span<const std::string_view>(out.wire.pieces.data(), out.wire.pieces.size());
  call.request_id = id_text_.view();
  call.connects = &serving_->health_of(*step.target).connects;
  call.once = true;
  call.fresh = !passed.place.may_repeat();
  call.content_type = passed.body.empty() ? std::string_view{} : head_.field("content-type");
  call.accept = head_.field("accept");
  if (call.accept.empty()) call.accept = "*/*";
  return success();
}

/// The body as it came, with the target's own name for the model; a body that names none gets it, for it is this target that answers and is paid.
void Exchange::write_passed_body(const Target& target, WireBody& wire) {
  PassedRequest& passed = *passed_;
  const std::string_view body = passed.body;
  const bool is_json = passed.spool == nullptr;
  if (body.empty() || !names_model(surface_)) {
    if (!body.empty()) wire.pieces.push_back(body);
    return;
  }
  std::size_t begin = passed.model_at, end = begin + passed.model_bytes;
  if (passed.model_bytes > 0) {
    passed.snippet = is_json ? json_quoted(target.upstream) : target.upstream;
  } else if (is_json) {
    begin = end = passed.put_at;
    const std::size_t next = body.find_first_not_of(" \t\r\n", begin);
    passed.snippet = "\"model\":" + json_quoted(target.upstream) + (next != std::string_view::npos && body[next] == '}' ? "" : ",");
  } else {
    begin = end = 0;
    passed.snippet = passed.delimiter.substr(2) + "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n" + target.upstream + "\r\n";
  }
  for (const std::string_view piece : {body.substr(0, begin), std::string_view(passed.snippet), body.substr(end)}) {
    if (!piece.empty()) wire.pieces.push_back(piece);
  }
}

/// Whether what failed so may be made again: only if nothing happened, where doing it twice would do two things.
bool Exchange::may_repeat(const Error& error) const {
  if (passed_->place.may_repeat()) return true;
  switch (error.fault) {
    case Fault::upstream_unreachable:
    case Fault::upstream_credentials:
    case Fault::unsupported:
      return true;
    case Fault::upstream_busy:
      return error.http_status != 409;      // that one may have begun
    default:
      return false;
  }
}

Task<Result<void>> Exchange::relay_passed(AttemptEnd& end) {
  const PassedPlace& place = passed_->place;
  passed_->scan = {};
  const bool describes = !names_model(surface_) && !place.content;
  Result<void> outcome = success();
  if (describes) {
    outcome = co_await relay_description(end);
  } else {
    outcome = co_await pump_passed(end);
  }
  silence_.clear();
  if (!outcome && outcome.error().fault != Fault::upstream_garbage) take_passed_usage(end);
  co_return outcome;
}

// What comes in one piece goes out with its length and its cost; the rest as it comes, and nothing is read while the client has bytes waiting.
Task<Result<void>> Exchange::pump_passed(AttemptEnd& end) {
  Result<void> outcome = success();
  std::string kept;                          // a short answer that is all there, until the transfer says so: its cost goes out with it
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) {
      outcome = bytes.error();
      break;
    }
    answered_at_ = std::chrono::steady_clock::now();
    if (end.first_token_us == 0) end.first_token_us = unix_micros();
    passed_->scan.feed(bytes.value());
    std::string_view piece = bytes.value();
    const bool over = piece.empty() || transfer_->ended();
    if (!over && kept.empty() && is_short_and_whole(piece)) {
      kept.assign(piece);
      continue;
    }
    if (!kept.empty()) piece = kept.append(piece);
    if (over) {
      take_passed_usage(end);
      end_attempt(end);
    }
    if (passed_->held.size() > event_bytes_max) {
      outcome = fail(Fault::upstream_garbage, "the upstream's stream holds an event of more than 64 MiB");
      break;
    }
    const bool sent = send_passed(piece, over);
    kept.clear();
    if (!sent) outcome = fail(Fault::client_gone, "");
    if (over || !sent) break;
    if (client_.has_backlog() && !co_await client_.flush(serving_->config->server.write_timeout)) {
      outcome = fail(Fault::client_gone, "");
      break;
    }
    const auto keepalive = serving_->config->server.keepalive_comment;
    if (streaming_ && keepalive.count() > 0) silence_.set(keepalive);
  }
  co_return outcome;
}

bool Exchange::is_short_and_whole(std::string_view first) const {
  const AnswerHead& answer = passed_->answer;
  return !replied_ && !answer.event_stream && answer.content_coding.empty() && answer.content_length == first.size() && first.size() <= short_bytes_max;
}

/// Of a file, a batch, a list of them: short JSON, read whole, for whose it is must be known before the client knows its id.
Task<Result<void>> Exchange::relay_description(AttemptEnd& end) {
  std::string body;
  for (;;) {
    const Result<std::string_view> bytes = co_await transfer_->read();
    if (!bytes) co_return bytes.error();
    answered_at_ = std::chrono::steady_clock::now();
    if (bytes.value().empty()) break;
    if (body.size() + bytes.value().size() > description_bytes_max) co_return fail(Fault::upstream_garbage, "the upstream's answer is larger than 16 MiB");
    body.append(bytes.value());
  }
  end.first_token_us = unix_micros();
  take_passed_usage(end);
  note_objects(body);
  end_attempt(end);
  if (!send_passed(body, true)) co_return fail(Fault::client_gone, "");
  co_return success();
}

/// Writes down whose the things are that an answer names; of a list only those stay that are this team's.
void Exchange::note_objects(std::string& body) {
  nlohmann::json answer = nlohmann::json::parse(body, nullptr, false);
  if (!answer.is_object()) return;
  StoredObjects& objects = reactor_.guards().objects;
  const auto id_of = [](const nlohmann::json& thing, const char* member) {
    return thing.is_object() && thing.contains(member) && thing[member].is_string() ? thing[member].get<std::string>() : std::string();
  };
  const PassedPlace& place = passed_->place;
  if (place.does == PassedPlace::Does::list) {
    if (serving_->config->passthrough.objects_shared || !answer.contains("data") || !answer["data"].is_array()) return;
    nlohmann::json own = nlohmann::json::array();
    for (nlohmann::json& thing : answer["data"]) {
      const std::optional<StoredObject> object = objects.find(id_of(thing, "id"));
      if (object && object->team == caller_.team) own.push_back(std::move(thing));
    }
    answer["data"] = std::move(own);
    body = answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return;
  }
  if (head_.verb() == boost::beast::http::verb::delete_) {
    if (answer.value("deleted", false)) objects.remove(place.id);
    return;
  }
  for (const char* const member : {"id", "output_file_id", "error_file_id"}) note_object(id_of(answer, member));
  if (answer.contains("file")) note_object(id_of(answer["file"], "id"));   // what an upload became
}

void Exchange::note_object(std::string_view id) {
  if (id.empty()) return;
  StoredObject object;
  object.team = caller_.team;
  object.backend = serving_->config->backend_of(*plan_->steps[step_].target).name;
  reactor_.guards().objects.add(id, object);
}

/// By tokens if the answer counts them, else by other units. What a batch will cost is not known when it is made, and an answer about
/// something that was done before is not paid for again.
void Exchange::take_passed_usage(AttemptEnd& end) const {
  const Target& target = *plan_->steps[step_].target;
  const PassedPlace& place = passed_->place;
  const std::string object = place.does == PassedPlace::Does::work ? passed_->scan.usage_object() : std::string();
  if (!object.empty() && surface_ != Surface::moderations) {
    const bool priced_as_sound = target.prices && target.prices->rare[static_cast<std::size_t>(RareClass::output_audio)].has_value();
    if (const std::optional<Usage> usage = passed_usage(object, surface_, surface_ == Surface::speech && priced_as_sound)) {
      end.usage = *usage;
      end.usage_source = UsageSource::exact;
    }
  }
  end.reported = reported_cost(serving_->config->backend_of(target), object);
  const bool makes_batch = surface_ == Surface::batches && place.does == PassedPlace::Does::make;
  if (!target.unit_prices || makes_batch) return;
  UnitsUsed units = units_of(chat_);
  units.heard_us = surface_ == Surface::transcriptions ? heard_micros(object, passed_->scan.begin()) : std::nullopt;
  end.by_units = target.unit_prices->charge(units);
}

/// Of a stream, what may go now: whole events. What was held already has no end of one but for a blank line that lies across: an event of
/// megabytes is not searched again with each chunk.
std::string_view Exchange::whole_events(std::string_view bytes, bool last) {
  constexpr std::string_view blank_lines[] = {"\n\n", "\r\n\r\n", "\r\r"};
  constexpr std::size_t overlap = 3;
  std::string& held = passed_->held;
  const std::size_t from = held.size() - std::min(held.size(), overlap);
  held.append(bytes);
  std::size_t end = last ? held.size() : 0;
  const std::string_view fresh = std::string_view(held).substr(from);
  for (const std::string_view blank : blank_lines) {
    if (const std::size_t at = fresh.rfind(blank); at != std::string_view::npos) end = std::max(end, from + at + blank.size());
  }
  return std::string_view(held).substr(0, end);
}

bool Exchange::send_passed(std::string_view bytes, bool last) {
  const bool events = passed_->answer.event_stream;
  if (events) bytes = whole_events(bytes, last);
  if (bytes.empty() && !last) return true;
  boost::container::small_vector<asio::const_buffer, 6> buffers;
  std::string text;
  char size_line[20];
  if (!replied_) {
    const std::optional<std::uint64_t> told = passed_->answer.content_coding.empty() && !events ? passed_->answer.content_length : std::nullopt;
    std::optional<std::size_t> length = last ? std::optional<std::size_t>(bytes.size()) : std::nullopt;
    if (!last && told) length = static_cast<std::size_t>(*told);
    begin_passed_reply(text, length, last);
    buffers.push_back(asio::buffer(text));
  }
  const bool chunked = passed_->chunked;
  if (!bytes.empty()) {
    if (chunked) buffers.emplace_back(size_line, chunk_head(bytes.size(), size_line));
    buffers.emplace_back(bytes.data(), bytes.size());
    if (chunked) buffers.emplace_back("\r\n", 2);
  }
  if (last && chunked) buffers.emplace_back(last_chunk.data(), last_chunk.size());
  const bool sent = client_.send(std::span<const asio::const_buffer>(buffers.data(), buffers.size()));
  if (events) passed_->held.erase(0, bytes.size());
  return sent;
}

void Exchange::begin_passed_reply(std::string& text, std::optional<std::size_t> length, bool with_cost) {
  const AnswerHead& answer = passed_->answer;
  replied_ = true;
  status_ = answer.status;
  passed_->chunked = !length.has_value();
  streaming_ = answer.event_stream && passed_->chunked;    // else an error cannot be told in the client's protocol any more
  std::string lines;
  append_tollgate_headers(lines, with_cost);
  ReplyHead head;
  head.status = answer.status;
  head.content_type = answer.content_type.empty() ? std::string_view("application/octet-stream") : std::string_view(answer.content_type);
  head.length = length;
  head.keep_alive = keeps_alive();
  head.request_id = id_text_.view();
  head.extra = lines;
  append_head(text, head, reactor_.date(arrived_us_ / 1'000'000));
  first_byte_at_ = std::chrono::steady_clock::now();
  passed_->body = {};                        // no attempt can follow any more: what was kept of the request is given back
  passed_->spool.reset();
  body_ = std::string();
  chat_.texts.clear();
  screening_->forget_text();
}

}  // namespace tollgate
