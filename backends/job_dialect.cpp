#include "backends/job_dialect.hpp"

#include "backends/chat_answer.hpp"
#include "backends/chat_request.hpp"
#include "backends/json_members.hpp"
#include "backends/openai.hpp"
#include "backends/upstream_error.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;
using json::at;
using json::count_at;
using json::dumped;
using json::text_at;

constexpr std::string_view wait_seconds_max = "60";   // Replicate holds a submission for so long at the most
constexpr std::size_t parse_padding = 64;

std::string text_of(const std::vector<ContentBlock>& blocks, Unsupported& unsupported) {
  std::string out;
  for (const ContentBlock& block : blocks) {
    switch (block.kind) {
      case ContentBlock::Kind::text:
        if (!out.empty()) out += '\n';
        out += block.text;
        break;
      case ContentBlock::Kind::image: unsupported.add("messages.content.image_url"); break;
      case ContentBlock::Kind::file: unsupported.add("messages.content.file"); break;
      case ContentBlock::Kind::tool_call:
      case ContentBlock::Kind::tool_result: unsupported.add("messages.tool_calls"); break;
      case ContentBlock::Kind::thinking:
      case ContentBlock::Kind::redacted_thinking: break;    // of an earlier answer: nothing that this model would know
    }
  }
  return out;
}

// One question stands for itself; a conversation is told with its roles, and ends where the model goes on.
std::string prompt_of(const ChatRequest& request, Unsupported& unsupported) {
  if (request.turns.size() == 1 && request.turns.front().role == ChatTurn::Role::user) return text_of(request.turns.front().blocks, unsupported);
  std::string out;
  for (const ChatTurn& turn : request.turns) {
    out += turn.role == ChatTurn::Role::user ? "User: " : "Assistant: ";
    out += text_of(turn.blocks, unsupported) + "\n\n";
  }
  return out + "Assistant:";
}

void refuse_what_prompts_lack(const ChatRequest& request, Unsupported& unsupported) {
  if (!request.tools.empty()) unsupported.add("tools");
  if (request.format != ChatRequest::Format::text) unsupported.add("response_format");
  if (request.choices != 1) unsupported.add("n");
  if (request.logprobs) unsupported.add("logprobs");
  if (!request.reasoning_effort.empty()) unsupported.add("reasoning_effort");
  if (!request.thinking.is_null()) unsupported.add("thinking");
  if (!request.service_tier.empty() && request.service_tier != "auto" && request.service_tier != "default") unsupported.add("service_tier");
  for (const std::string& other : request.others) unsupported.add(other);
}

std::string joined(const Json& output) {
  if (output.is_string()) return output.get<std::string>();
  std::string out;
  if (output.is_array()) {
    for (const Json& piece : output) out += piece.is_string() ? piece.get<std::string>() : std::string();
  }
  return out;
}

// "OWNER/NAME", "deployments/OWNER/NAME", or the version that a community model is asked for by.
std::string replicate_path(const std::string& upstream, Json& body) {
  if (upstream.starts_with("deployments/")) return "/v1/" + upstream + "/predictions";
  const std::size_t colon = upstream.find(':');
  if (colon == std::string::npos && upstream.find('/') != std::string::npos) return "/v1/models/" + upstream + "/predictions";
  body["version"] = colon == std::string::npos ? upstream : upstream.substr(colon + 1);
  return "/v1/predictions";
}

}  // namespace

std::string_view JobDialect::path(Surface) const noexcept { return "/"; }   // each target has a path of its own

Result<void> JobDialect::write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  return name_ == DialectName::runpod ? write_worker(client, target, out) : write_prompt(client, backend, target, out);
}

// {"input": {"openai_route": …, "openai_input": the client's body}}: what RunPod's vLLM worker takes.
Result<void> JobDialect::write_worker(const ClientBody& client, const Target& target, WireBody& out) const {
  const std::size_t slash = target.upstream.find('/');
  if (slash == std::string::npos) return fail(Fault::bad_config, "the upstream of a runpod target has the form ENDPOINT/MODEL");
  Json body = Json::parse(client.text, nullptr, false);
  if (!body.is_object()) return fail(Fault::bad_request, "the body is not a JSON object");
  body["model"] = target.upstream.substr(slash + 1);
  body["stream"] = false;
  body.erase("stream_options");
  if (client.usage_member.present()) body.erase("usage");
  Json job;
  job["input"]["openai_route"] = OpenAiDialect(false).path(client.surface);
  job["input"]["openai_input"] = std::move(body);
  out.path = "/" + target.upstream.substr(0, slash) + "/runsync";
  out.set(dumped(job), {});
  return success();
}

Result<void> JobDialect::write_prompt(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const {
  TOLLGATE_TRY(const ChatRequest request, read_chat_request(client.text));
  Unsupported unsupported(backend.drop_unsupported);
  const bool replicate = name_ == DialectName::replicate;
  refuse_what_prompts_lack(request, unsupported);
  Json input{{"prompt", prompt_of(request, unsupported)}};
  if (const std::string system = text_of(request.system, unsupported); !system.empty()) input["system_prompt"] = system;
  if (request.max_tokens) input["max_tokens"] = *request.max_tokens;
  if (request.temperature) input["temperature"] = *request.temperature;
  if (request.top_p) input["top_p"] = *request.top_p;
  if (request.top_k) input["top_k"] = *request.top_k;
  if (request.seed) input["seed"] = *request.seed;
  if (request.presence_penalty.value_or(0) != 0) input["presence_penalty"] = *request.presence_penalty;
  if (request.frequency_penalty.value_or(0) != 0) input["frequency_penalty"] = *request.frequency_penalty;
  if (!request.stop.empty()) {
    std::string stops;                                    // Replicate's language models take one text with commas
    for (const std::string& stop : request.stop) {
      if (stop.find(',') != std::string::npos) unsupported.add("stop");
      stops += (stops.empty() ? "" : ",") + stop;
    }
    input["stop_sequences"] = stops;
  }
  TOLLGATE_TRY(unsupported.verdict(replicate ? "Replicate's API" : "fal's API"));
  Json body;
  if (replicate) {
    out.path = replicate_path(target.upstream, body);
    out.headers.emplace_back("prefer", "wait=" + std::string(wait_seconds_max));
    body["input"] = std::move(input);
  } else {
    out.path = "/" + target.upstream;
    body = std::move(input);
  }
  out.set(dumped(body), unsupported.members());
  return success();
}

std::unique_ptr<StreamReader> JobDialect::stream_reader(const ClientBody& client) const { return OpenAiDialect(false).stream_reader(client); }

Result<Answer> JobDialect::read_answer(Surface surface, std::string_view body) const {
  const Json job = Json::parse(body, nullptr, false);
  if (!job.is_object()) return fail(Fault::upstream_garbage, "the job's result is not a JSON object");
  const Json* output = &at(job, "output");
  if (name_ == DialectName::runpod) {
    if (output->is_array() && !output->empty()) output = &output->front();
    std::string owned = dumped(*output);
    owned.reserve(owned.size() + parse_padding);
    TOLLGATE_TRY(Answer answer, OpenAiDialect(false).read_answer(surface, owned));
    answer.service_tier = {};                             // a worker of one's own has none
    answer.owned = std::move(owned);
    return answer;
  }
  if (name_ == DialectName::fal) {
    if (!at(*output, "output").is_null()) output = &at(*output, "output");
    else if (!at(*output, "text").is_null()) output = &at(*output, "text");
  }
  if (!output->is_string() && !output->is_array()) return fail(Fault::upstream_garbage, "the job's result has no text");
  ChatAnswer answer;
  answer.id = text_at(job, "id");
  answer.model = text_at(job, "model");
  AnsweredChoice choice;
  choice.text = joined(*output);
  choice.finish_reason = "stop";                          // they do not say why an answer ended
  answer.choices.push_back(std::move(choice));
  const Json& metrics = at(job, "metrics");
  if (!at(metrics, "input_token_count").is_null() && !at(metrics, "output_token_count").is_null() && count_at(metrics, "input_token_count", answer.usage.input) &&
      count_at(metrics, "output_token_count", answer.usage.output)) {
    answer.usage_source = UsageSource::exact;
  }
  return write_answer(answer);
}

Error JobDialect::read_error(int status, std::string_view body) const { return read_upstream_error(status, body); }

}  // namespace tollgate
