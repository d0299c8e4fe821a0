#pragma once
// The JSON that goes over the wire, as the imitated service writes it. Pure: text in, text out.
//
//    Wire wire(identity);
//    wire.append_text(out, choice, piece, usage);     // one chunk of a stream, without its SSE frame

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/simulator/answer.hpp"
#include "backends/simulator/faults.hpp"

namespace tollgate::simulator {

struct UsageCounts {
  std::uint32_t prompt = 0, completion = 0, cached = 0;
};

/// What an answer says of itself.
struct Identity {
  DialectName personality = DialectName::vllm;
  Surface surface = Surface::chat;
  std::string id;  ///< "chatcmpl-…"
  std::int64_t created = 0;
  std::string model;        ///< as the client asked for it
  std::string fingerprint;  ///< system_fingerprint; "" none
  UsageFault usage_fault = UsageFault::right;
  std::uint32_t prompt_tokens = 0;
  std::string usage_members{};  ///< JSON members for the usage object, beside its own
};

/// OpenAI's and vLLM's; others derive from it (foreign_wire.hpp).
class Wire {
 public:
  explicit Wire(Identity identity);
  virtual ~Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Chunks. `running` is the usage so far, written if it is not null; with `null_usage` they carry "usage":null.
  virtual void append_role(std::string& out, std::uint32_t choice, const UsageCounts* running);
  virtual void append_text(std::string& out, std::uint32_t choice, std::string_view piece, const UsageCounts* running);
  virtual void append_call(std::string& out, std::uint32_t choice, std::size_t index, const Call& call,
                           const UsageCounts* running);
  virtual void append_arguments(std::string& out, std::uint32_t choice, std::size_t index, std::string_view piece,
                                const UsageCounts* running);
  virtual void append_finish(std::string& out, std::uint32_t choice, std::string_view reason,
                             const UsageCounts* running);
  /// `metrics`: the object of the engine's own timings, or null; "" none were asked for.
  virtual void append_usage(std::string& out, const UsageCounts& usage, std::string_view metrics = {});
  /// What comes behind the last choice's end, where it is not the usage and [DONE].
  virtual void append_end(std::string&, const UsageCounts&) {}
  /// The usage and [DONE] end a stream.
  [[nodiscard]] virtual bool has_end_mark() const noexcept { return true; }
  [[nodiscard]] virtual std::string_view stream_type() const noexcept { return "text/event-stream; charset=utf-8"; }
  /// A chunk as it goes over the wire. `garbage`: it is none, but stands in the place of one.
  [[nodiscard]] virtual std::string framed(std::string_view text, bool garbage) const;
  /// Chunks carry "usage":null where they carry no count: what include_usage does.
  void set_null_usage(bool on) noexcept { null_usage_ = on; }

  /// A whole answer.
  [[nodiscard]] virtual std::string whole(std::span<const Answer> answers, const UsageCounts& usage,
                                          std::string_view metrics = {}) const;
  /// The usage object, as the fault has it; "" if it is left out. A running count has no details.
  [[nodiscard]] std::string usage_object(const UsageCounts& usage, bool details = true) const;
  [[nodiscard]] const Identity& identity() const noexcept { return identity_; }

 protected:
  /// The counts as the fault has them; nullopt: they are left out.
  [[nodiscard]] std::optional<UsageCounts> told_of(const UsageCounts& usage) const noexcept;

 private:
  void open(std::string& out, std::uint32_t choice) const;
  void close(std::string& out, std::string_view reason, const UsageCounts* running) const;

  Identity identity_;
  std::string prefix_;  // {"id":…,"choices":[
  bool null_usage_ = false;
};

/// Appends `text` as the inside of a JSON string. UTF-8 goes through as it is.
void append_escaped(std::string& out, std::string_view text);

/// An error body. `code` "" is the status (vLLM writes it as a number, the managed API null).
struct ErrorText {
  int status = 400;
  std::string message, param, code;
};
[[nodiscard]] std::string error_body(DialectName personality, const ErrorText& error);

/// The answer to an embeddings ask.
[[nodiscard]] std::string embeddings_body(const Ask& ask, std::uint32_t dimensions, const std::string& usage_object);
/// The vector of one prompt: unit length, texts that share words are near each other.
[[nodiscard]] std::vector<float> embed(const Prompt& prompt, std::uint32_t dimensions);

}  // namespace tollgate::simulator
