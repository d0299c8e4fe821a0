#pragma once
// The OpenAI dialect and its kin: same bodies, same streams. Engines of the vLLM family differ in what they may be asked for.

#include <forward_list>

#include "backends/dialect.hpp"
#include "backends/splice.hpp"
#include "backends/sse.hpp"
#include "backends/usage_scanner.hpp"

namespace tollgate {

class OpenAiDialect : public Dialect {
 public:
  /// `continuous`: the engine takes stream_options.continuous_usage_stats; api.openai.com refuses what it does not know.
  explicit OpenAiDialect(bool continuous) : continuous_(continuous) {}
  [[nodiscard]] std::string_view path(Surface surface) const noexcept override;
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  Result<std::string> passed_path(Surface, std::string_view path, const Backend&, const Target&) const override { return std::string(path); }
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;

 private:
  bool continuous_;
};

class OpenAiStreamReader final : public StreamReader {
 public:
  /// `continuous`: the upstream was asked for running counts, each of the chunk's own choice; else any usage is of the whole answer.
  OpenAiStreamReader(const ClientBody& client, bool continuous);
  Result<void> feed(std::string_view bytes, Pieces& out) override;
  Result<void> finish(Pieces& out) override;
  [[nodiscard]] bool complete() const noexcept override { return complete_; }
  [[nodiscard]] bool content_seen() const noexcept override { return content_seen_; }
  [[nodiscard]] std::pair<Usage, UsageSource> usage() override { return usage_.usage(); }
  [[nodiscard]] std::string_view usage_object() const noexcept override { return usage_.last_object(); }
  [[nodiscard]] std::string_view service_tier() const noexcept override { return service_tier_; }
  [[nodiscard]] std::uint64_t content_bytes() const noexcept override { return content_bytes_; }
  [[nodiscard]] bool holding() const noexcept override { return !held_.empty(); }
  void release(std::string_view cost_usd, Pieces& out) override;
  [[nodiscard]] const EngineTimings& timings() const noexcept override { return timings_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept override;

 private:
  void take(std::string_view raw, Pieces& out);
  /// Whether an event may go to the client: text, and at the beginning one that an answer can begin with.
  [[nodiscard]] bool is_event(std::string_view raw, std::string_view data) const noexcept;
  void take_usage(std::string_view raw, std::string_view json, const UsageMember& member, Pieces& out);
  void note_content(std::string_view json) noexcept;
  /// Passes an error event on in OpenAI's form; keeps its message where nothing was passed on yet. False: it is none.
  bool pass_error_on(std::string_view json, Pieces& out);
  void hold(std::string_view raw, std::size_t usage_close);
  /// Reads the engine's timings off an event; takes them out if the client did not ask. True: it did, the event is passed on anew.
  bool take_metrics(std::string_view data, Pieces& out);

  const bool include_usage_, continuous_usage_, wants_cost_;   // what the client asked for
  const bool one_choice_, upstream_continuous_;
  const bool reads_metrics_, strips_metrics_;
  EngineTimings timings_;
  bool complete_ = false, content_seen_ = false, finish_seen_ = false, error_seen_ = false;
  bool begun_ = false, garbage_seen_ = false;   // an event was passed on; one came that is none
  std::uint64_t content_bytes_ = 0;
  SseSplitter splitter_;
  RunningUsage usage_;
  std::string service_tier_;
  std::string held_;                 // last usage event and end mark, until their cost is known
  std::size_t held_usage_close_ = 0; // of held_: the closing brace of the usage object
  std::string first_error_;          // of an answer that is nothing but an error
  std::string own_;                  // events written here rather than passed on
  std::forward_list<std::string> joined_;   // events that came on several data lines, on one; views of them are given out
};

}  // namespace tollgate
