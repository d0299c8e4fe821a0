#pragma once
// An answer in OpenAI's chat form, whole or in chunks, said in the protocol of a client that speaks another. The gateway's last step before
// the bytes go out: what was charged, checked and restored was the chat form. Pure.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "backends/dialect.hpp"
#include "backends/inbound.hpp"
#include "config/result.hpp"

namespace tollgate {

class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;
  AnswerWriter() = default;
  AnswerWriter(const AnswerWriter&) = delete;
  AnswerWriter& operator=(const AnswerWriter&) = delete;

  /// A whole chat completion. Fault: upstream_garbage.
  [[nodiscard]] Result<std::string> whole(std::string_view chat_completion, const Usage& usage);
  /// The input as estimated, for protocols that tell it before it is known.
  void expect_input(TokenCount estimate) noexcept { expected_input_ = estimate; }
  /// Whole events of a chat completion's stream; appends the client's. Fault: upstream_garbage.
  Result<void> feed(const Pieces& events, std::string& out);
  /// The answer is complete.
  virtual void finish(const Usage& usage, std::string& out) = 0;
  /// It broke off.
  virtual void fail(const Error& error, std::string& out) = 0;

 protected:
  using Json = nlohmann::ordered_json;
  /// An answer's one choice, whole.
  struct Said {
    std::string text, reasoning, refusal, finish, stop_text;
    Json thinking_blocks = Json::array(), calls = Json::array(), logprobs = Json::array();
  };
  [[nodiscard]] virtual Json write(const Said& said, const Usage& usage) = 0;

  // told by feed(), in the order of the chunks
  virtual void text(std::string_view piece, const Json& logprobs, std::string& out) = 0;
  virtual void refusal(std::string_view piece, std::string& out) = 0;
  virtual void reasoning(std::string_view piece, std::string& out) = 0;
  virtual void thinking_block(const Json& block, std::string& out) = 0;
  virtual void call(const std::string& id, const std::string& name, std::string& out) = 0;
  virtual void arguments(std::string_view piece, std::string& out) = 0;

  void identify(const Json& body);
  /// "event: type\ndata: …\n\n" for an object whose first member is its type.
  static void event(const Json& json, std::string& out);

  std::string id_, model_, service_tier_;
  std::int64_t created_ = 0;
  std::string finish_, stop_text_;   // finish_reason, and vLLM's word for which stop sequence it was
  TokenCount expected_input_;

 private:
  Result<void> chunk(const Json& json, std::string& out);
  Result<void> delta(const Json& delta, const Json& choice, std::string& out);
  Result<void> call_delta(const Json& call, std::string& out);

  std::int64_t open_call_ = -1, last_call_ = -1;
};

/// For one attempt. Null for ClientForm::openai, which needs none.
[[nodiscard]] std::unique_ptr<AnswerWriter> make_messages_writer(const nlohmann::ordered_json& request);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_responses_writer(const nlohmann::ordered_json& request);
[[nodiscard]] std::unique_ptr<AnswerWriter> make_answer_writer(const InboundRequest& request);

/// A refusal's body in the client's form, without a cost or an answer.
[[nodiscard]] std::string messages_error_body(const Error& error, std::string_view request_id);
/// The event that ends a stream which nobody translates.
void make_error_event(ClientForm form, const Error& error, std::string& out);

}  // namespace tollgate
