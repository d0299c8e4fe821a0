#pragma once
// Anthropic's Messages API, reached by clients that speak OpenAI's chat completions. Sources: the API reference of Messages and of
// its streaming events; figures and pitfalls in docs/dialects.md.
//
// Sent: POST /v1/messages with anthropic-version 2023-06-01 and the key as x-api-key. max_tokens is required there: the client's, else
// the target's output_tokens_max, else 4096. Usage counts are disjoint there (input_tokens leaves cached tokens out); those of a stream are
// cumulative, and only the last message_delta knows the output.

#include <map>

#include "backends/chat_answer.hpp"
#include "backends/sse.hpp"

namespace tollgate {

class AnthropicDialect final : public Dialect {
 public:
  [[nodiscard]] std::string_view path(Surface) const noexcept override { return "/v1/messages"; }
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;
};

class AnthropicStreamReader final : public TranslatingReader {
 public:
  using TranslatingReader::TranslatingReader;
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

 private:
  using Json = nlohmann::ordered_json;
  Result<void> read(std::string_view bytes) override;
  bool ended_well() override { return false; }   // message_stop is always sent
  Result<void> take(std::string_view raw);
  Result<void> take_event(const Json& event);
  void block_start(const Json& event);
  void block_delta(const Json& event);
  void block_stop(const Json& event);
  void message_delta(const Json& event);

  /// A content block that is being told.
  struct Block {
    Json thinking;                 // of a thinking block: what has come, to be given in one piece with its signature
    std::int64_t call = -1;        // of a tool_use: its index among the calls
    bool arguments_told = false;
  };
  SseSplitter splitter_;
  std::map<std::int64_t, Block> blocks_;
  std::int64_t calls_ = 0;
  std::string stop_reason_;
  Json usage_ = Json::object();    // as told so far: later values replace earlier ones, null leaves them
};

/// Usage as Anthropic tells it; nullopt if it is not usable (no input_tokens, a negative count). The output of a stream that has
/// not ended is a placeholder.
[[nodiscard]] std::optional<Usage> anthropic_usage(const nlohmann::ordered_json& usage);

}  // namespace tollgate
