#pragma once
// What passes streams of Messages and of Responses on as they are, and reads along.

#include "backends/anthropic.hpp"
#include "backends/native.hpp"
#include "backends/openai.hpp"
#include "backends/sse.hpp"

namespace tollgate {

class MessagesDialect final : public Dialect {
 public:
  [[nodiscard]] std::string_view path(Surface) const noexcept override { return "/v1/messages"; }
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;
};

class ResponsesDialect final : public Dialect {
 public:
  [[nodiscard]] std::string_view path(Surface) const noexcept override { return "/v1/responses"; }
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;
};

/// Base: whole events go on as they came. Those before the first that says something wait for it, so that another target may still be
/// asked when an error follows.
class NativeReader : public StreamReader {
 public:
  Result<void> feed(std::string_view bytes, Pieces& out) final;
  [[nodiscard]] bool holding() const noexcept final { return false; }   // no protocol but chat completions carries a cost
  void release(std::string_view, Pieces&) final {}
  [[nodiscard]] const EngineTimings& timings() const noexcept final {
    static const EngineTimings none;
    return none;
  }

 protected:
  enum class Told : std::uint8_t { preamble, content, error_passed };
  /// Reads one event. A fault ends the stream; it is passed on as it came only if `told` says so.
  virtual Result<void> take(std::string_view raw, Told& told) = 0;
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  [[nodiscard]] std::size_t own_bytes() const noexcept { return splitter_.memory_bytes() + held_.capacity() + given_.capacity(); }

 private:
  SseSplitter splitter_;
  std::string held_, given_;
  bool begun_ = false;
};

class NativeMessagesReader final : public NativeReader {
 public:
  explicit NativeMessagesReader(const ClientBody& client) : reader_(client) {}
  Result<void> finish(Pieces& out) override;
  [[nodiscard]] bool complete() const noexcept override { return reader_.complete(); }
  [[nodiscard]] bool content_seen() const noexcept override { return reader_.content_seen(); }
  [[nodiscard]] std::pair<Usage, UsageSource> usage() override { return reader_.usage(); }
  [[nodiscard]] std::string_view service_tier() const noexcept override { return reader_.service_tier(); }
  [[nodiscard]] std::uint64_t content_bytes() const noexcept override { return reader_.content_bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override { return sizeof *this + own_bytes() + reader_.memory_bytes(); }

 private:
  Result<void> take(std::string_view raw, Told& told) override;
  AnthropicStreamReader reader_;   // reads along; what it writes is dropped
};

class NativeResponsesReader final : public NativeReader {
 public:
  Result<void> finish(Pieces& out) override;
  [[nodiscard]] bool complete() const noexcept override { return complete_; }
  [[nodiscard]] bool content_seen() const noexcept override { return content_bytes_ > 0; }
  [[nodiscard]] std::pair<Usage, UsageSource> usage() override { return {usage_, usage_source_}; }
  [[nodiscard]] std::string_view service_tier() const noexcept override { return service_tier_; }
  [[nodiscard]] std::uint64_t content_bytes() const noexcept override { return content_bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override { return sizeof *this + own_bytes(); }

 private:
  Result<void> take(std::string_view raw, Told& told) override;

  bool complete_ = false;
  std::uint64_t content_bytes_ = 0;
  Usage usage_;
  UsageSource usage_source_ = UsageSource::none;
  std::string service_tier_;
};

/// A Response's usage in normal form; nullopt: not usable.
[[nodiscard]] std::optional<Usage> responses_usage(const nlohmann::ordered_json& response);

}  // namespace tollgate
