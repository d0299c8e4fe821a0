#pragma once
// Google's Gemini API (generateContent, streamGenerateContent), reached by clients that speak OpenAI's chat completions. Also serves
// Vertex AI, whose bodies are the same: its url ends in …/publishers/google and its key is an access token.
// Sources: the API reference of GenerateContentRequest and UsageMetadata; the table of efforts is that of Google's OpenAI endpoint.
//
// A prompt's count includes what was cached; the answer's leaves thoughts out (both are billed as output). Each event of a stream
// repeats the counts so far, and there is no end mark: the answer is complete when its finishReason came and the body ended.

#include "backends/chat_answer.hpp"
#include "backends/sse.hpp"

namespace tollgate {

class GeminiDialect final : public Dialect {
 public:
  /// `vertex`: paths without "/v1beta".
  explicit GeminiDialect(bool vertex) : vertex_(vertex) {}
  /// The whole path holds the model: see write().
  [[nodiscard]] std::string_view path(Surface) const noexcept override { return ""; }
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;

 private:
  bool vertex_;
};

class GeminiStreamReader final : public TranslatingReader {
 public:
  using TranslatingReader::TranslatingReader;
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

 private:
  using Json = nlohmann::ordered_json;
  Result<void> read(std::string_view bytes) override;
  bool ended_well() override;
  Result<void> take(std::string_view raw);
  void take_candidate(const Json& candidate);

  SseSplitter splitter_;
  std::vector<std::int64_t> calls_;   // told so far, by choice
  std::int64_t finished_ = 0;         // choices that have ended
  bool blocked_ = false;
};

/// Usage as Gemini tells it; nullopt if it is not usable.
[[nodiscard]] std::optional<Usage> gemini_usage(const nlohmann::ordered_json& metadata);

}  // namespace tollgate
