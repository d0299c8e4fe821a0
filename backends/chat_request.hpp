#pragma once
// A body of /v1/chat/completions taken apart, for dialects that say the same in other words. Pure; off the hot path of the
// OpenAI-like dialects, which change bytes instead (splice.hpp). What it holds is checked for type, not for sense: that is the
// upstream's business.
//
// Beside OpenAI's own members it reads what its users already send through other gateways and SDKs, so that nothing is lost on the way to
// a provider that knows it: `cache_control` on content parts and tools (OpenRouter, LiteLLM), `thinking_blocks` on assistant messages
// (LiteLLM), `extra_content.google.thought_signature` on tool calls (Google's own OpenAI endpoint), `top_k`, `thinking`.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"

namespace tollgate {

/// One thing in a message.
struct ContentBlock {
  enum class Kind : std::uint8_t { text, image, file, tool_call, tool_result, thinking, redacted_thinking };
  Kind kind = Kind::text;
  std::string text;             ///< text; a tool's result; thinking; redacted thinking's data; a refusal of an earlier answer
  std::string media_type;       ///< image or file that came as a data URL: "image/png"
  std::string data;             ///< … its base64 text
  std::string url;              ///< image by address
  std::string file_name;
  std::string id, name;         ///< tool call and result: tool_call_id; the tool's name (of a result, if an earlier call tells it)
  nlohmann::ordered_json arguments;  ///< tool call: always an object
  std::string signature;        ///< of thinking, and of a tool call where the provider gave one
  nlohmann::ordered_json cache_control;  ///< null: none
};

struct ChatTurn {
  enum class Role : std::uint8_t { user, assistant };
  Role role = Role::user;
  std::vector<ContentBlock> blocks;   ///< tool results stand in user turns
};

struct ChatTool {
  std::string name, description;
  nlohmann::ordered_json parameters;  ///< JSON Schema; null if none was given
  std::optional<bool> strict;
  nlohmann::ordered_json cache_control;
};

struct ChatRequest {
  enum class ToolChoice : std::uint8_t { unset, automatic, none, required, named };
  enum class Format : std::uint8_t { text, json_object, json_schema };

  std::vector<ContentBlock> system;   ///< texts of system and developer messages, in order
  std::vector<ChatTurn> turns;        ///< neighbours of one role are one turn
  std::vector<ChatTool> tools;
  ToolChoice tool_choice = ToolChoice::unset;
  std::string tool_name;              ///< of ToolChoice::named
  std::optional<bool> parallel_tool_calls;
  std::optional<std::int64_t> max_tokens;    ///< max_completion_tokens, else max_tokens
  std::optional<double> temperature, top_p, presence_penalty, frequency_penalty;
  std::optional<std::int64_t> top_k, seed, top_logprobs;
  bool logprobs = false;
  std::int64_t choices = 1;
  std::vector<std::string> stop;
  Format format = Format::text;
  nlohmann::ordered_json schema;      ///< of Format::json_schema
  std::string reasoning_effort;       ///< "": not set
  nlohmann::ordered_json thinking;    ///< Anthropic's own member, passed through; null: not set
  std::string user;
  std::string service_tier;
  bool stream = false;
  /// Members that change the answer and that no field above holds ("logit_bias", "audio"), by their paths.
  std::vector<std::string> others;
};

/// Faults: bad_request with the member in `param`. `body` is JSON text that has passed the gateway's own parser.
[[nodiscard]] Result<ChatRequest> read_chat_request(std::string_view body);

/// What a dialect could not put into its own words, gathered while it writes.
class Unsupported {
 public:
  explicit Unsupported(bool drop) noexcept : drop_(drop) {}
  void add(std::string_view member) { members_.emplace_back(member); }
  /// Fault unsupported naming the first, unless they are to be dropped; `upstream` is the provider's name for the message.
  [[nodiscard]] Result<void> verdict(std::string_view upstream) const;
  [[nodiscard]] const std::vector<std::string>& members() const noexcept { return members_; }

 private:
  bool drop_;
  std::vector<std::string> members_;
};

}  // namespace tollgate
