#pragma once
// What Replicate, RunPod and fal are asked and what their jobs' results say (how the jobs are followed: jobs.hpp). Their language models
// take a prompt rather than a conversation; RunPod's vLLM worker takes OpenAI's own bodies within its job.

#include "backends/dialect.hpp"

namespace tollgate {

class JobDialect final : public Dialect {
 public:
  explicit JobDialect(DialectName name) : name_(name) {}
  [[nodiscard]] std::string_view path(Surface surface) const noexcept override;
  Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const override;
  /// Never asked for: results come whole.
  [[nodiscard]] std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const override;
  Result<Answer> read_answer(Surface surface, std::string_view body) const override;
  [[nodiscard]] Error read_error(int status, std::string_view body) const override;

 private:
  Result<void> write_prompt(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const;
  Result<void> write_worker(const ClientBody& client, const Target& target, WireBody& out) const;

  DialectName name_;
};

}  // namespace tollgate
