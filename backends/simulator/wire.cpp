#include "backends/simulator/wire.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "backends/simulator/foreign_ask.hpp"
#include "backends/simulator/foreign_wire.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, error == std::errc{} ? end : digits);
}

std::string_view object_of(Surface surface, bool chunk) noexcept {
  if (surface == Surface::chat) return chunk ? "chat.completion.chunk" : "chat.completion";
  return "text_completion";
}

Json choice_of(const Identity& identity, std::size_t index, const Answer& answer) {
  Json choice{{"index", index}};
  if (identity.surface == Surface::completions) {
    choice["text"] = answer.text;
  } else {
    Json message{{"role", "assistant"}, {"content", answer.text}};
    if (!answer.calls.empty()) {
      message["content"] = nullptr;
      for (const Call& call : answer.calls) {
        message["tool_calls"].push_back({{"id", call.id},
                                         {"type", "function"},
                                         {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
      }
    }
    message["refusal"] = nullptr;
    if (identity.personality == DialectName::openai) message["annotations"] = Json::array();
    if (identity.personality == DialectName::vllm && answer.calls.empty()) message["tool_calls"] = Json::array();
    choice["message"] = std::move(message);
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = answer.finish_reason;
  if (identity.personality == DialectName::vllm) choice["stop_reason"] = nullptr;
  return choice;
}

std::string_view error_type(DialectName personality, int status) noexcept {
  if (personality == DialectName::openai) {
    if (status == 429) return "rate_limit_error";
    return status >= 500 ? "server_error" : "invalid_request_error";
  }
  switch (status) {
    case 404:
      return "NotFoundError";
    case 422:
      return "UnprocessableEntityError";
    case 429:
      return "RateLimitError";
    case 501:
      return "NotImplementedError";
    default:
      return status >= 500 ? "InternalServerError" : "BadRequestError";
  }
}

std::string_view error_code(int status) noexcept {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 404:
      return "model_not_found";
    case 429:
      return "rate_limit_exceeded";
    default:
      return status >= 500 ? "server_error" : "";
  }
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          out += c;
        } else {
          out += "\\u00";
          out += "0123456789abcdef"[c >> 4];
          out += "0123456789abcdef"[c & 15];
        }
    }
  }
}

Wire::Wire(Identity identity) : identity_(std::move(identity)) {
  prefix_ = "{\"id\":\"";
  append_escaped(prefix_, identity_.id);
  prefix_.append("\",\"object\":\"").append(object_of(identity_.surface, true)).append("\",\"created\":");
  append_number(prefix_, static_cast<std::uint64_t>(identity_.created));
  prefix_ += ",\"model\":\"";
  append_escaped(prefix_, identity_.model);
  prefix_ += '"';
  if (identity_.personality == DialectName::openai) prefix_ += ",\"service_tier\":\"default\"";
  if (!identity_.fingerprint.empty()) {
    prefix_ += ",\"system_fingerprint\":\"";
    append_escaped(prefix_, identity_.fingerprint);
    prefix_ += '"';
  }
  prefix_ += ",\"choices\":[";
}

void Wire::open(std::string& out, std::uint32_t choice) const {
  out += prefix_;
  out += "{\"index\":";
  append_number(out, choice);
  out += identity_.surface == Surface::chat ? ",\"delta\":{" : ",\"text\":\"";
}

void Wire::close(std::string& out, std::string_view reason, const UsageCounts* running) const {
  out += identity_.surface == Surface::chat ? "}" : "\"";
  out += ",\"logprobs\":null,\"finish_reason\":";
  if (reason.empty()) {
    out += "null";
  } else {
    out.append("\"").append(reason).append("\"");
    if (identity_.personality == DialectName::vllm) out += ",\"stop_reason\":null";
  }
  out += "}]";
  const std::string usage = running == nullptr ? std::string() : usage_object(*running, false);
  if (!usage.empty()) {
    out.append(",\"usage\":").append(usage);
  } else if (null_usage_) {
    out += ",\"usage\":null";
  }
  out += '}';
}

void Wire::append_role(std::string& out, std::uint32_t choice, const UsageCounts* running) {
  open(out, choice);
  out += "\"role\":\"assistant\",\"content\":\"\"";
  if (identity_.personality == DialectName::openai) out += ",\"refusal\":null";
  close(out, {}, running);
}

void Wire::append_text(std::string& out, std::uint32_t choice, std::string_view piece,
                       const UsageCounts* running) {
  open(out, choice);
  if (identity_.surface == Surface::chat) out += "\"content\":\"";
  append_escaped(out, piece);
  if (identity_.surface == Surface::chat) out += '"';
  close(out, {}, running);
}

void Wire::append_call(std::string& out, std::uint32_t choice, std::size_t index, const Call& call,
                       const UsageCounts* running) {
  open(out, choice);
  out += "\"tool_calls\":[{\"index\":";
  append_number(out, index);
  out.append(",\"id\":\"").append(call.id).append("\",\"type\":\"function\",\"function\":{\"name\":\"");
  append_escaped(out, call.name);
  out += "\",\"arguments\":\"\"}}]";
  close(out, {}, running);
}

void Wire::append_arguments(std::string& out, std::uint32_t choice, std::size_t index, std::string_view piece,
                            const UsageCounts* running) {
  open(out, choice);
  out += "\"tool_calls\":[{\"index\":";
  append_number(out, index);
  out += ",\"function\":{\"arguments\":\"";
  append_escaped(out, piece);
  out += "\"}}]";
  close(out, {}, running);
}

void Wire::append_finish(std::string& out, std::uint32_t choice, std::string_view reason,
                         const UsageCounts* running) {
  open(out, choice);
  if (identity_.surface == Surface::chat && identity_.personality == DialectName::vllm) out += "\"content\":\"\"";
  close(out, reason, running);
}

void Wire::append_usage(std::string& out, const UsageCounts& usage, std::string_view metrics) {
  const std::string object = usage_object(usage);
  out.append(prefix_).append("],\"usage\":").append(object.empty() ? "null" : object);
  if (!metrics.empty()) out.append(",\"metrics\":").append(metrics);
  out += '}';
}

std::string Wire::framed(std::string_view text, bool) const { return "data: " + std::string(text) + "\n\n"; }

std::optional<UsageCounts> Wire::told_of(const UsageCounts& usage) const noexcept {
  switch (identity_.usage_fault) {
    case UsageFault::right:
      return usage;
    case UsageFault::none:
      return std::nullopt;
    case UsageFault::zero:
      return UsageCounts{};
    case UsageFault::wrong:
      return UsageCounts{usage.prompt * 3 + 17, usage.completion * 5 + 29, usage.cached};
  }
  return usage;
}

std::string Wire::usage_object(const UsageCounts& true_usage, bool details) const {
  const std::optional<UsageCounts> told = told_of(true_usage);
  if (!told) return {};
  const UsageCounts& usage = *told;
  const bool openai = identity_.personality == DialectName::openai;
  std::string out = "{";
  if (!identity_.usage_members.empty()) out.append(identity_.usage_members) += ',';
  out += "\"prompt_tokens\":";
  append_number(out, usage.prompt);
  out += ",\"total_tokens\":";
  append_number(out, std::uint64_t{usage.prompt} + usage.completion);
  if (identity_.surface != Surface::embeddings || !openai) {
    out += ",\"completion_tokens\":";
    append_number(out, usage.completion);
  }
  if (identity_.surface == Surface::embeddings || !details) return out + "}";
  if (!openai && usage.cached == 0) return out + ",\"prompt_tokens_details\":null}";
  out += ",\"prompt_tokens_details\":{\"cached_tokens\":";
  append_number(out, usage.cached);
  if (!openai) return out + "}}";
  out += ",\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,";
  return out + "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}";
}

std::string Wire::whole(std::span<const Answer> answers, const UsageCounts& usage, std::string_view metrics) const {
  Json body{{"id", identity_.id},
            {"object", object_of(identity_.surface, false)},
            {"created", identity_.created},
            {"model", identity_.model},
            {"choices", Json::array()}};
  for (std::size_t i = 0; i < answers.size(); ++i) body["choices"].push_back(choice_of(identity_, i, answers[i]));
  if (const std::string object = usage_object(usage); !object.empty()) body["usage"] = Json::parse(object);
  if (!metrics.empty()) body["metrics"] = Json::parse(metrics);
  if (identity_.personality == DialectName::openai) body["service_tier"] = "default";
  if (!identity_.fingerprint.empty()) body["system_fingerprint"] = identity_.fingerprint;
  return body.dump();
}

std::string error_body(DialectName personality, const ErrorText& error) {
  if (!speaks_openai(personality)) return foreign_error_body(personality, error);
  Json inner{{"message", error.message},
             {"type", error_type(personality, error.status)},
             {"param", nullptr},
             {"code", nullptr}};
  if (!error.param.empty()) inner["param"] = error.param;
  if (personality == DialectName::vllm) {
    inner["code"] = error.status;
  } else if (!error.code.empty() || !error_code(error.status).empty()) {
    inner["code"] = error.code.empty() ? std::string(error_code(error.status)) : error.code;
  }
  return Json{{"error", std::move(inner)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tollgate::simulator
