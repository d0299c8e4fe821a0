#include "backends/openai.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace tollgate {

namespace sj = simdjson::ondemand;

namespace {

constexpr std::size_t message_bytes_max = 300;   // of what an upstream says in an error

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

// The first of `"key":"` with something in the string: its raw bytes, else 0.
std::size_t string_bytes(std::string_view json, std::string_view key) noexcept {
  const void* const found = ::memmem(json.data(), json.size(), key.data(), key.size());
  if (found == nullptr) return 0;
  const auto begin = static_cast<std::size_t>(static_cast<const char*>(found) - json.data()) + key.size();
  std::size_t at = begin;
  while (at < json.size() && json[at] != '"') at += json[at] == '\\' ? 2U : 1U;
  return at - begin;
}

// The object at "error", or the older vLLM form {"object":"error","message":…}, with `code` as a string.
nlohmann::json normal_error(const nlohmann::json& body) {
  const nlohmann::json* error = &body;
  if (body.contains("error")) error = &body["error"];
  nlohmann::json out{{"message", ""}, {"type", "server_error"}, {"param", nullptr}, {"code", nullptr}};
  if (error->is_string()) out["message"] = *error;
  if (!error->is_object()) return out;
  for (const char* member : {"message", "type", "param"}) {
    if (error->contains(member) && (*error)[member].is_string()) out[member] = (*error)[member];
  }
  if (error->contains("code") && !(*error)["code"].is_null()) {
    const nlohmann::json& code = (*error)["code"];
    out["code"] = code.is_string() ? code.get<std::string>() : code.dump();
  }
  return out;
}

// What a page or a plain text says, in one short printable line.
std::string shortened(std::string_view text) {
  std::string out;
  bool in_tag = false;
  for (const char c : text) {
    if (out.size() >= message_bytes_max) break;
    if (c == '<') in_tag = true;
    if (!in_tag) {
      const bool blank = static_cast<unsigned char>(c) <= 0x20;
      if (!blank) out += c;
      if (blank && !out.empty() && out.back() != ' ') out += ' ';
    }
    if (c == '>') in_tag = false;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Fault fault_of(int status) {
  switch (status) {
    case 401: case 403: return Fault::upstream_credentials;
    case 408: case 504: return Fault::upstream_timeout;
    case 429: case 503: case 529: return Fault::upstream_busy;
    default: break;
  }
  if (status >= 400 && status < 500) return Fault::upstream_refused;
  return status >= 500 ? Fault::upstream_status : Fault::upstream_garbage;
}

sj::parser& parser() {
  thread_local sj::parser kept;
  return kept;
}

// Bytes of answer text in choices[].
std::uint64_t text_bytes_of(sj::array& choices) {
  std::uint64_t bytes = 0;
  for (auto each : choices) {
    sj::object choice;
    if (each.get_object().get(choice)) return bytes;
    for (auto member : choice) {
      sj::field field;
      std::string_view name;
      if (std::move(member).get(field) || field.unescaped_key().get(name)) return bytes;
      if (name == "text") bytes += field.value().raw_json_token().size();
      if (name != "message") continue;
      sj::object message;
      if (field.value().get_object().get(message)) return bytes;
      sj::value content;
      if (!message.find_field_unordered("content").get(content)) bytes += std::string_view(content.raw_json_token()).size();
    }
  }
  return bytes;
}

}  // namespace

std::string_view OpenAiDialect::path(Surface surface) const noexcept {
  switch (surface) {
    case Surface::chat: return "/v1/chat/completions";
    case Surface::completions: return "/v1/completions";
    case Surface::embeddings: return "/v1/embeddings";
  }
  return "/v1/chat/completions";
}

Result<void> OpenAiDialect::write(const ClientBody& client, const Target& target, WireBody& out) const {
  const bool usage = client.surface != Surface::embeddings;
  splice(client, target.upstream, StreamUsage{usage, usage && continuous_}, out);
  return success();
}

std::unique_ptr<StreamReader> OpenAiDialect::stream_reader(const ClientBody& client) const { return std::make_unique<OpenAiStreamReader>(client); }

Result<Answer> OpenAiDialect::read_answer(Surface, std::string_view body) const {
  Answer answer;
  std::string_view usage_text;
  sj::document document;
  sj::object object;
  if (parser().iterate(body.data(), body.size(), body.size() + simdjson::SIMDJSON_PADDING).get(document) || document.get_object().get(object)) {
    return fail(Fault::upstream_garbage, "the upstream answered 200 with something that is not a JSON object");
  }
  for (auto member : object) {
    sj::field field;
    std::string_view name;
    if (std::move(member).get(field) || field.unescaped_key().get(name)) return fail(Fault::upstream_garbage, "the upstream's answer is not valid JSON");
    sj::value value = field.value();
    if (name == "choices") {
      sj::array choices;
      if (!value.get_array().get(choices)) answer.content_bytes = text_bytes_of(choices);
    } else if (name == "usage") {
      sj::object usage;
      std::string_view raw;
      if (value.get_object().get(usage) || usage.raw_json().get(raw)) continue;
      while (raw.back() != '}') raw.remove_suffix(1);   // blanks behind it
      usage_text = raw;
      answer.usage_close = static_cast<std::size_t>(raw.data() - body.data()) + raw.size() - 1;
    } else if (name == "error") {
      bool null = false;
      if (!value.is_null().get(null) && null) continue;
      return fail(Fault::upstream_status, "the upstream answered 200 with an error: " + read_error(500, body).message);
    }
  }
  if (usage_text.empty()) return answer;
  if (const auto usage = parse_usage(usage_text)) {
    answer.usage = *usage;
    answer.usage_source = UsageSource::exact;
  }
  return answer;
}

Error OpenAiDialect::read_error(int status, std::string_view body) const {
  const Fault fault = fault_of(status);
  const std::string number = std::to_string(status);
  // What an upstream says about our key may repeat it: never passed on.
  if (fault == Fault::upstream_credentials) return fail(fault, "the upstream refused the gateway's own credentials (status " + number + "); check this backend's api_key");
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  Error error = fail(fault, "");
  if (json.is_object()) {
    const nlohmann::json normal = normal_error(json);
    error.message = normal["message"].get<std::string>();
    if (normal["param"].is_string()) error.param = normal["param"].get<std::string>();
    if (normal["code"].is_string() && normal["code"] != number) error.code = normal["code"].get<std::string>();
  } else {
    error.message = shortened(body);
  }
  if (error.message.empty()) error.message = "the upstream answered with status " + number;
  if (fault == Fault::upstream_refused || fault == Fault::upstream_busy) error.http_status = status == 529 ? 503 : status;
  return error;
}

OpenAiStreamReader::OpenAiStreamReader(const ClientBody& client)
    : include_usage_(client.include_usage), continuous_usage_(client.continuous_usage), wants_cost_(client.wants_cost), usage_(client.choices) {}

Result<void> OpenAiStreamReader::feed(std::string_view bytes, Pieces& out) {
  own_.clear();
  TOLLGATE_TRY(splitter_.feed(bytes, [&](std::string_view raw) { take(raw, out); }));
  if (error_seen_) return fail(Fault::upstream_status, "the upstream sent an error in the middle of its answer");
  return success();
}

void OpenAiStreamReader::take(std::string_view raw, Pieces& out) {
  if (complete_ || error_seen_) return;        // nothing belongs behind the end
  std::string joined;
  const std::string_view data = event_data(raw, joined);
  if (data == "[DONE]") {
    complete_ = true;
    if (wants_cost_) {
      held_.append(raw);
    } else {
      append(out, raw);
    }
    return;
  }
  if (data.empty()) return append(out, raw);   // a comment
  if (!contains(data, "\"choices\"") && (contains(data, "\"error\"") || contains(data, "\"object\":\"error\""))) return pass_error_on(data, out);
  note_content(data);
  const std::optional<UsageMember> member = joined.empty() ? find_usage(data) : std::nullopt;
  if (!member) return append(out, raw);
  take_usage(raw, data, *member, out);
}

// `json` lies in `raw`, so offsets of one are offsets of the other.
void OpenAiStreamReader::take_usage(std::string_view raw, std::string_view json, const UsageMember& member, Pieces& out) {
  const auto at = static_cast<std::size_t>(json.data() - raw.data());
  const std::string_view object = json.substr(member.value, member.end - member.value);
  const bool last = member.is_object && (contains(json, "\"choices\":[]") || contains(json, "\"choices\": []"));
  if (last) {
    usage_.final(object);
    if (wants_cost_) {
      held_usage_close_ = held_.size() + at + member.end - 1;
      held_.append(raw);
    } else if (include_usage_) {
      append(out, raw);
    }
    return;
  }
  if (member.is_object) usage_.running(object, json);
  if (continuous_usage_) return append(out, raw);
  if (include_usage_) {                        // as OpenAI sends it: null until the end
    append(out, raw.substr(0, at + member.value));
    append(out, "null");
    return append(out, raw.substr(at + member.end));
  }
  append(out, raw.substr(0, at + member.begin));
  append(out, raw.substr(at + member.end));
}

void OpenAiStreamReader::note_content(std::string_view json) noexcept {
  if (!finish_seen_) finish_seen_ = contains(json, "\"finish_reason\":\"") || contains(json, "\"finish_reason\": \"");
  std::size_t bytes = string_bytes(json, "\"content\":\"");
  if (bytes == 0) bytes = string_bytes(json, "\"text\":\"");
  if (bytes == 0) bytes = string_bytes(json, "\"arguments\":\"");
  if (bytes == 0) bytes = string_bytes(json, "\"reasoning\":\"");
  if (bytes == 0) bytes = string_bytes(json, "\"reasoning_content\":\"");
  content_bytes_ += bytes;
  if (!content_seen_) content_seen_ = bytes > 0 || contains(json, "\"tool_calls\":[{");
}

void OpenAiStreamReader::pass_error_on(std::string_view json, Pieces& out) {
  error_seen_ = true;
  const nlohmann::json body = nlohmann::json::parse(json, nullptr, false);
  const nlohmann::json event{{"error", normal_error(body.is_object() ? body : nlohmann::json::object())}};
  own_ = "data: " + event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n\n";
  append(out, own_);
}

Result<void> OpenAiStreamReader::finish(Pieces& out) {
  if (!complete_ && !error_seen_ && !splitter_.rest().empty()) {   // a last event without its blank line
    const std::string last = std::string(splitter_.rest()) + "\n\n";
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
  if (held_usage_close_ != 0 && !cost_usd.empty()) held_.insert(held_usage_close_, ",\"cost\":" + std::string(cost_usd));
  own_ = std::move(held_);
  held_.clear();
  held_usage_close_ = 0;
  append(out, own_);
}

std::size_t OpenAiStreamReader::memory_bytes() const noexcept {
  return sizeof *this + splitter_.memory_bytes() + usage_.memory_bytes() + held_.capacity() + own_.capacity();
}

const Dialect& dialect_of(DialectName name) noexcept {
  static const OpenAiDialect openai("openai", false);
  static const OpenAiDialect vllm("vllm", true);
  switch (name) {
    case DialectName::openai: return openai;
    case DialectName::vllm: return vllm;
  }
  return openai;
}

}  // namespace tollgate
