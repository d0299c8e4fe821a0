#pragma once
// Targets that speak the client's own protocol: Messages to Anthropic's API, Responses to backends that have `responses: true`. The request
// goes as it came but for the model's name, and answer and stream come back as they are: what this program has never heard of survives.
// What is read on the way is usage, and what a stream's end and errors are.
//
// ClientBody::text is the client's body in its own form; of the other members only `stream` counts.

#include "backends/dialect.hpp"
#include "backends/inbound.hpp"

namespace tollgate {

/// nullptr: the backend does not speak it, the request is put as a chat completion.
[[nodiscard]] const Dialect* native_dialect(ClientForm form, const Backend& backend) noexcept;

/// A whole answer in the client's own form, as a chat completion; for those who check answers. "" if it cannot be read.
[[nodiscard]] std::string native_answer_as_chat(ClientForm form, std::string_view body);

/// All events of a stream in the client's own form, as the chunks that a chat completion would have been streamed in; what cannot be read is
/// left out.
[[nodiscard]] std::string native_stream_as_chat(ClientForm form, std::string_view events);

}  // namespace tollgate
