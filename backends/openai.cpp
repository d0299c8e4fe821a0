#include "backends/openai.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "backends/upstream_error.hpp"

namespace tollgate {

namespace sj = simdjson::ondemand;

namespace {

bool contains(std::string_view text, std::string_view part) noexcept {
  return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

// Adjacent views become one piece: what was not touched is sent as it came.
void append(Pieces& out, std::string_view piece) {
  if (piece.empty()) return;
  if (!out.empty() && out.back().data() + out.back().size() == piece.data()) {
    out.back() = {out.back().data(), out.back().size() + piece.size()};
  } else {
    out.push_back(piece);
  }
}

// The first string at this key, escapes and all; "" if it is empty, no string, or absent.
std::string_view string_value(std::string_view json, std::string_view quoted_key) noexcept {
  const std::size_t quote = value_of_key(json, quoted_key);
  if (quote >= json.size() || json[quote] != '"') return {};
  std::size_t at = quote + 1;
  while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2U : 1U;
  return json.substr(quote + 1, std::min(at, json.size()) - quote - 1);
}

// What stands in the quotes of a string that a JSON text begins with; "" if it begins with something else.
std::string_view unquoted(std::string_view token) noexcept {
  if (token.empty() || token.front() != '"') return {};
  const std::size_t close = token.find('"', 1);
  return close == std::string_view::npos ? std::string_view{} : token.substr(1, close - 1);
}

std::size_t string_bytes(std::string_view json, std::string_view quoted_key) noexcept {
  return string_value(json, quoted_key).size();
}

// True if the value at this key is an array, and empty or not as asked.
bool is_array(std::string_view json, std::string_view quoted_key, bool empty) noexcept {
  const std::size_t open = value_of_key(json, quoted_key);
  if (open >= json.size() || json[open] != '[') return false;
  const std::size_t next = json.find_first_not_of(" \t\r\n", open + 1);
  return next != std::string_view::npos && (json[next] == ']') == empty;
}

sj::parser& parser() {
  thread_local sj::parser kept;
  return kept;
}

// Bytes of a value's text; null is nothing.
bool add_text(sj::value value, std::uint64_t& bytes) {
  std::string_view raw;
  sj::json_type type{};
  if (value.type().get(type)) return false;
  if (type == sj::json_type::string) {
    raw = value.raw_json_token();
    bytes += raw.size() - std::min<std::size_t>(raw.size(), 2);
    return true;
  }
  sj::array array;
  if (type != sj::json_type::array) return true;
  if (value.get_array().get(array) || array.raw_json().get(raw)) return false;
  bytes += raw.size() - std::min<std::size_t>(raw.size(), 2);
  return true;
}

// Calls use(name, value) for each member. False: the text is not valid, or `use` said so.
template <class Use>
bool each_member(sj::object object, Use&& use) {
  for (auto member : object) {
    sj::field field;
    std::string_view name;
    if (std::move(member).get(field) || field.unescaped_key().get(name) || !use(name, field.value())) return false;
  }
  return true;
}

// Adds the bytes of answer text in choices[].
bool add_choices(sj::value value, std::uint64_t& bytes) {
  sj::array choices;
  if (value.get_array().get(choices)) return false;
  for (auto each : choices) {
    sj::object choice;
    if (std::move(each).get_object().get(choice)) return false;
    const bool valid = each_member(choice, [&](std::string_view name, sj::value member) {
      if (name == "text") return add_text(member, bytes);
      sj::object message;
      if (name != "message" || member.get_object().get(message)) return true;
      return each_member(message, [&](std::string_view part, sj::value text) {
        const bool counts = part == "content" || part == "reasoning" || part == "reasoning_content" || part == "tool_calls" || part == "refusal";
        return !counts || add_text(text, bytes);
      });
    });
    if (!valid) return false;
  }
  return true;
}

// Where the engine's own timings stand, and what they say.
void read_metrics(std::string_view body, Answer& answer) {
  const std::optional<MemberSpan> member = find_member(body, "metrics");
  if (!member) return;
  answer.timings = read_timings(body.substr(member->value, member->end - member->value));
  answer.metrics_begin = member->cut_begin;
  answer.metrics_end = member->cut_end;
}

// Where an error stands that is one: `null`, false and {} are none.
bool tells_error(const nlohmann::json& body) {
  if (!body.is_object()) return false;
  const auto error = body.find("error");
  if (error != body.end()) return (error->is_object() && !error->empty()) || (error->is_string() && *error != "");
  return body.value("object", nlohmann::json()) == "error";
}

}  // namespace

std::string_view OpenAiDialect::path(Surface surface) const noexcept {
  switch (surface) {
    case Surface::chat: return "/v1/chat/completions";
    case Surface::completions: return "/v1/completions";
    case Surface::embeddings: return "/v1/embeddings";
    default: break;                                   // passed_path()
  }
  return "/v1/chat/completions";
}

Result<void> OpenAiDialect::write(const ClientBody& client, const Backend&, const Target& target, WireBody& out) const {
  const bool usage = client.surface != Surface::embeddings;
  splice(client, target.upstream, StreamUsage{usage, usage && continuous_}, out);
  return success();
}

std::unique_ptr<StreamReader> OpenAiDialect::stream_reader(const ClientBody& client) const { 
  return std::make_unique<OpenAiStreamReader>(client, continuous_);
}

Result<Answer> OpenAiDialect::read_answer(Surface surface, std::string_view body) const {
  constexpr std::string_view invalid = "the upstream's answer is not valid JSON";
  Answer answer;
  std::string_view usage_text;
  sj::document document;
  sj::object object;
  if (parser().iterate(body.data(), body.size(), body.size() + simdjson::SIMDJSON_PADDING).get(document) || document.get_object().get(object)) {
    return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a JSON object");
  }
  bool has_error = false, has_metrics = false, has_answer = false;
  const bool valid = each_member(object, [&](std::string_view name, sj::value value) {
    has_answer = has_answer || name == (surface == Surface::embeddings ? "data" : "choices");
    if (name == "choices") return add_choices(value, answer.content_bytes);
    if (name == "error") has_error = true;
    if (name == "metrics") has_metrics = true;
    if (name == "service_tier") answer.service_tier = unquoted(value.raw_json_token());
    if (name != "usage") return true;
    sj::object usage;
    std::string_view raw;
    if (value.get_object().get(usage)) return true;
    if (usage.raw_json().get(raw)) return false;
    while (raw.back() != '}') raw.remove_suffix(1);   // blanks behind it
    usage_text = answer.usage_object = raw;
    // Into an empty object nothing could be put with a comma before it.
    const bool empty = raw.find_first_not_of(" \t\r\n", 1) == raw.size() - 1;
    answer.usage_close = empty ? 0 : static_cast<std::size_t>(raw.data() - body.data()) + raw.size() - 1;
    return true;
  });
  if (has_error && tells_error(nlohmann::json::parse(body, nullptr, false))) {
    return fail(Fault::upstream_status, "the upstream answered 200 with an error: " + read_error(500, body).message);
  }
  const char* behind = nullptr;
  if (!valid || !document.current_location().get(behind)) return fail(Fault::upstream_garbage, std::string(invalid));
  if (!has_answer) return fail(Fault::upstream_garbage, "the upstream answered 200 with JSON that is no answer");
  if (has_metrics) read_metrics(body, answer);
  if (usage_text.empty()) return answer;
  if (const auto usage = parse_usage(usage_text, surface != Surface::embeddings)) {
    answer.usage = *usage;
    answer.usage_source = UsageSource::exact;
  }
  return answer;
}

Error OpenAiDialect::read_error(int status, std::string_view body) const { return read_upstream_error(status, body); }

OpenAiStreamReader::OpenAiStreamReader(const ClientBody& client, bool continuous)
    : include_usage_(client.include_usage),
      continuous_usage_(client.continuous_usage),
      wants_cost_(client.wants_cost),
      one_choice_(client.choices <= 1),
      upstream_continuous_(continuous),
      reads_metrics_(client.ask_metrics || client.include_metrics),
      strips_metrics_(client.ask_metrics && !client.include_metrics),
      usage_(client.choices, continuous) {}

Result<void> OpenAiStreamReader::feed(std::string_view bytes, Pieces& out) {
  own_.clear();
  joined_.clear();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](std::string_view raw) { take(raw, out); }));
  if (error_seen_ && !first_error_.empty()) return fail(Fault::upstream_status, first_error_);
  if (error_seen_) return fail(Fault::upstream_status, "the upstream sent an error in the middle of its answer");
  if (garbage_seen_) return fail(Fault::upstream_garbage, "the upstream's stream holds something that is not an event of an answer");
  return success();
}

void OpenAiStreamReader::take(std::string_view raw, Pieces& out) {
  if (complete_ || error_seen_ || garbage_seen_) return;        // nothing belongs behind the end
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  if (data.starts_with("[DONE]")) {
    complete_ = true;
    if (wants_cost_) {
      held_.append(raw);
    } else {
      append(out, raw);
    }
    return;
  }
  if (!is_event(raw, data)) {
    garbage_seen_ = true;
    return;
  }
  if (data.empty()) {                          // a comment; before the answer it would only bind us to this target
    if (begun_) append(out, raw);
    return;
  }
  if (contains(data, "\"error\"") && pass_error_on(data, out)) return;
  begun_ = true;
  if (!joined.empty() && contains(data, "\"usage\"")) {
    // To change an event its JSON must stand on one line; between lines there are only blanks in JSON, never text.
    std::replace(joined.begin(), joined.end(), '\n', ' ');
    return take(joined_.emplace_front("data: " + joined + "\n\n"), out);
  }
  if (reads_metrics_ && contains(data, "\"metrics\"") && take_metrics(data, out)) return;
  note_content(data);
  const std::optional<UsageMember> member = find_usage(data);
  if (!member) return append(out, raw);
  take_usage(raw, data, *member, out);
}

bool OpenAiStreamReader::is_event(std::string_view raw, std::string_view data) const noexcept {
  if (!simdjson::validate_utf8(raw.data(), raw.size())) return false;
  if (data.empty()) return true;
  const std::size_t first = data.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || data[first] != '{') return false;
  return begun_ || contains(data, "\"choices\"") || contains(data, "\"object\"") || contains(data, "\"error\"") || contains(data, "\"usage\"");
}

bool OpenAiStreamReader::take_metrics(std::string_view data, Pieces& out) {
  const std::optional<MemberSpan> member = find_member(data, "metrics");
  if (!member) return false;
  const EngineTimings timings = read_timings(data.substr(member->value, member->end - member->value));
  if (timings.known()) timings_ = timings;
  if (!strips_metrics_) return false;
  std::string event = "data: ";
  event.append(data.substr(0, member->cut_begin)).append(data.substr(member->cut_end)).append("\n\n");
  take(joined_.emplace_front(std::move(event)), out);
  return true;
}

// `json` lies in `raw`, so offsets of one are offsets of the other.
void OpenAiStreamReader::take_usage(std::string_view raw, std::string_view json, const UsageMember& member, Pieces& out) {
  const auto at = static_cast<std::size_t>(json.data() - raw.data());
  const std::string_view object = json.substr(member.value, member.end - member.value);
  const bool alone = member.is_object && is_array(json, "\"choices\"", true);
  // Some providers send no chunk for usage alone but put it on the one that ends the answer.
  const bool with_the_end = member.is_object && !alone && !upstream_continuous_ && !continuous_usage_ && string_bytes(json, "\"finish_reason\"") > 0;
  if (alone || with_the_end) {
    usage_.final(object);
    service_tier_ = string_value(json, "\"service_tier\"");
    if (wants_cost_ && (alone || one_choice_)) return hold(raw, at + member.end - 1);
    if (include_usage_ || (wants_cost_ && with_the_end)) return append(out, raw);
    if (alone) return;
    append(out, raw.substr(0, at + member.begin));
    return append(out, raw.substr(at + member.cut_end));
  }
  if (member.is_object) usage_.running(object, json);
  if (continuous_usage_) return append(out, raw);
  if (include_usage_) {                        // as OpenAI sends it: null until the end
    append(out, raw.substr(0, at + member.value));
    append(out, "null");
    return append(out, raw.substr(at + member.end));
  }
  append(out, raw.substr(0, at + member.begin));
  append(out, raw.substr(at + member.cut_end));
}

void OpenAiStreamReader::hold(std::string_view raw, std::size_t usage_close) {
  held_usage_close_ = held_.size() + usage_close;
  held_.append(raw);
}

void OpenAiStreamReader::note_content(std::string_view json) noexcept {
  if (!finish_seen_) finish_seen_ = string_bytes(json, "\"finish_reason\"") > 0;
  std::size_t bytes = 0;
  for (const std::string_view key : {"\"content\"", "\"text\"", "\"arguments\"", "\"reasoning\"", "\"reasoning_content\""}) {
    bytes = string_bytes(json, key);
    if (bytes > 0) break;
  }
  content_bytes_ += bytes;
  if (!content_seen_) content_seen_ = bytes > 0 || is_array(json, "\"tool_calls\"", false);
}

bool OpenAiStreamReader::pass_error_on(std::string_view json, Pieces& out) {
  const nlohmann::json body = nlohmann::json::parse(json, nullptr, false);
  if (!tells_error(body)) return false;
  error_seen_ = true;
  const nlohmann::json event{{"error", normal_error(body)}};
  if (!begun_) {
    first_error_ = "the upstream answered 200 with an error: " + event["error"]["message"].get<std::string>();
    return true;
  }
  own_ = "data: " + event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n\n";
  append(out, own_);
  return true;
}

Result<void> OpenAiStreamReader::finish(Pieces& out) {
  if (!complete_ && !error_seen_ && !splitter_.rest().empty()) {   // a last event without its blank line
    const std::string last = std::string(splitter_.rest()) + "\n\n";
    std::string joined;
    const std::string_view data = event_data(last, joined);
    const bool half = !data.empty() && !data.starts_with("[DONE]") && !nlohmann::json::accept(data);
    if (half) return fail(Fault::upstream_broke_off, "the upstream's stream ended in the middle of an event");
    std::string written;
    SseSplitter again;
    TOLLGATE_TRY(again.feed(last, [&](std::string_view raw) {
      Pieces pieces;
      take(raw, pieces);
      for (const std::string_view piece : pieces) written.append(piece);
    }));
    own_ = std::move(written);
    append(out, own_);
  }
  if (complete_) return success();
  if (finish_seen_ && !error_seen_) {          // some servers close without [DONE]
    complete_ = true;
    return success();
  }
  return fail(Fault::upstream_broke_off, "the upstream's stream ended before its answer was complete");
}

void OpenAiStreamReader::release(std::string_view cost_usd, Pieces& out) {
  if (held_usage_close_ != 0 && !cost_usd.empty()) {
    const bool empty = held_[held_.find_last_not_of(" \t\r\n", held_usage_close_ - 1)] == '{';
    held_.insert(held_usage_close_, (empty ? "\"cost\":" : ",\"cost\":") + std::string(cost_usd));
  }
  own_ = std::move(held_);
  held_.clear();
  held_usage_close_ = 0;
  append(out, own_);
}

std::size_t OpenAiStreamReader::memory_bytes() const noexcept {
  return sizeof *this + splitter_.memory_bytes() + usage_.memory_bytes() + held_.capacity() + own_.capacity();
}

}  // namespace tollgate
