#pragma once
// AWS Bedrock's Converse and ConverseStream, reached by clients that speak OpenAI's chat completions. Sources: the API reference of
// both, botocore's service model. Streams come as binary frames (event_frames.hpp); the usage comes in `metadata`, behind messageStop.
// Requests carry a bearer key (api_key) or are signed (aws). inputTokens leaves cached tokens out.

#include <map>

#include "backends/chat_answer.hpp"
#include "backends/event_frames.hpp"

namespace tollgate {

class BedrockDialect final : public Dialect {
 public:
  /// The whole path holds the model: see write().
  [[nodiscard]] std::string_view path(Surface) const noexcept override { return ""; }
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  void sign(const Endpoint& endpoint, const Backend& backend, std::chrono::system_clock::time_point now, WireBody& out) const override;
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;
};

class BedrockStreamReader final : public TranslatingReader {
 public:
  /// `model`: answers do not name it.
  BedrockStreamReader(const ClientBody& client, std::string model);
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

 private:
  using Json = nlohmann::ordered_json;
  Result<void> read(std::string_view bytes) override;
  /// Without `metadata` there is no usage, but the answer is whole.
  bool ended_well() override { return stopped_; }
  Result<void> take(const EventFrame& frame);
  void block_delta(const Json& event);
  void block_stop(const Json& event);

  struct Block {
    Json thinking;                 // {"type":"thinking",…} of a reasoning block
    std::int64_t call = -1;
    bool arguments_told = false;
  };
  FrameSplitter splitter_;
  std::map<std::int64_t, Block> blocks_;
  std::int64_t calls_ = 0;
  bool stopped_ = false;
};

/// Usage as Bedrock tells it; nullopt if it is not usable.
[[nodiscard]] std::optional<Usage> bedrock_usage(const nlohmann::ordered_json& usage);

}  // namespace tollgate
