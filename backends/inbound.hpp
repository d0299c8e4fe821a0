#pragma once
// Clients that speak another protocol than OpenAI's chat completions: Anthropic's Messages and OpenAI's Responses. What they ask is
// said once more as a chat completion, and that is what rules, classification, budgets and targets of other dialects read; a target that
// speaks the client's own protocol gets the client's own words instead (native.hpp). Pure: text in, text out.
//
// The answer goes the other way: whatever dialect answered, it is OpenAI's chat completion by the time the gateway holds it, and an
// AnswerWriter says it in the client's protocol.

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

/// What a client speaks.
enum class ClientForm : std::uint8_t {
  openai,     ///< chat completions, completions, embeddings: the gateway's own form
  messages,   ///< Anthropic's /v1/messages
  responses   ///< OpenAI's /v1/responses
};

/// What keeps an idle stream open: nothing that a reader takes for content.
[[nodiscard]] std::string_view keep_alive_of(ClientForm form) noexcept;

/// How a chat completion is put for those who read it: dialects know different members of it.
struct ChatFlavour {
  bool extras = true;         ///< cache_control, thinking_blocks: what chat_request.hpp reads beside OpenAI's members
  bool thinking = true;       ///< Anthropic's `thinking` as it is; else as reasoning_effort
  bool effort = true;         ///< knows reasoning_effort
  bool top_k = true;
  bool metadata = true;
  bool plain_texts = false;   ///< several texts of a system, assistant or tool message as one: engines' templates want strings there
  bool completion_tokens = false;   ///< the limit is called max_completion_tokens
  bool openai_own = true;     ///< prompt_cache_key, service_tier "auto": many refuse what they do not know, and these say nothing
};
/// What routing reads: everything.
inline constexpr ChatFlavour routing_flavour{};
[[nodiscard]] ChatFlavour flavour_of(DialectName dialect) noexcept;

/// A request said as a chat completion.
struct InboundChat {
  std::string body;                  ///< the chat completion; "model" is its first member
  std::vector<std::string> unsaid;   ///< what a chat completion has no words for, by the names the client gave them
};

/// The client's request, read once.
class InboundRequest {
 public:
  InboundRequest(ClientForm form, std::unique_ptr<nlohmann::ordered_json> json);
  InboundRequest(InboundRequest&&) noexcept;
  InboundRequest& operator=(InboundRequest&&) noexcept;
  ~InboundRequest();
  [[nodiscard]] ClientForm form() const noexcept { return form_; }
  [[nodiscard]] const nlohmann::ordered_json& json() const noexcept { return *json_; }
  /// Its text. Written anew rather than kept: what is screened and what is sent then cannot be read in two ways.
  [[nodiscard]] std::string text() const;
  /// The text in which personal data and keywords are looked for: pictures are marked as such.
  [[nodiscard]] std::string screened() const;
  [[nodiscard]] bool has_pictures() const;
  void set_model(std::string_view model);
  /// Takes the marks of screened() off again.
  void unmark_pictures();
  /// Faults: bad_request with the member in `param`; unsupported for what needs a memory that the gateway does not have.
  [[nodiscard]] Result<InboundChat> chat(const ChatFlavour& flavour) const;

 private:
  ClientForm form_;
  std::unique_ptr<nlohmann::ordered_json> json_;
};

/// Faults: bad_request; what is not JSON, no object, or holds a member twice at the top.
[[nodiscard]] Result<InboundRequest> read_inbound(ClientForm form, std::string_view body, std::size_t nesting_max);
/// What a body of unknown origin is written in, by its members; for tools that get a body without a path.
[[nodiscard]] ClientForm guess_form(std::string_view body);

/// The signature of thinking that nobody signed, because no Anthropic model thought it; taken out again before one reads it.
inline constexpr std::string_view unsigned_thinking = "tollgate-unsigned";
/// What a reasoning item's encrypted_content begins with that holds another provider's thinking blocks.
inline constexpr std::string_view sealed_thinking = "tollgate-thinking:";

namespace inbound {
[[nodiscard]] Result<InboundChat> chat_of_messages(const nlohmann::ordered_json& body, const ChatFlavour& flavour);
[[nodiscard]] Result<InboundChat> chat_of_responses(const nlohmann::ordered_json& body, const ChatFlavour& flavour);
}  // namespace inbound

}  // namespace tollgate
