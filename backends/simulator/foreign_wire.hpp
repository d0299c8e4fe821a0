#pragma once
// Answers in the words of Anthropic, Gemini and Bedrock. See wire.hpp for what the calls mean.

#include <memory>

#include "backends/simulator/wire.hpp"

namespace tollgate::simulator {

/// The wire of a personality that does not speak OpenAI's protocol.
[[nodiscard]] std::unique_ptr<Wire> make_foreign_wire(Identity identity);
/// responses_wire.cpp: of a request to /v1/responses.
[[nodiscard]] std::unique_ptr<Wire> make_responses_wire(Identity identity);
[[nodiscard]] std::string responses_error_event(const ErrorText& error);
/// An error body of such a personality.
[[nodiscard]] std::string foreign_error_body(DialectName personality, const ErrorText& error);
/// An error in the middle of a stream, as any personality sends it.
[[nodiscard]] std::string error_event(DialectName personality, const ErrorText& error);

}  // namespace tollgate::simulator
