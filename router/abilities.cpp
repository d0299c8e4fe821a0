#include "router/abilities.hpp"

#include <algorithm>

#include "router/forecast.hpp"

namespace tollgate {
namespace {

bool fits_context(const ChatView& chat, const Target& target, const TargetState& state) noexcept {
  const std::int64_t wanted = chat.output_tokens_max.value_or(0);
  if (target.output_tokens_max > 0 && wanted > target.output_tokens_max) return false;
  if (target.context_tokens <= 0) return true;
  const std::int64_t input = input_tokens_of(chat, state).count();
  // Written so that no client's max_tokens overflows the sum. Without max_tokens there must be room for one token of an
  // answer.
  const std::int64_t output = chat.surface == Surface::embeddings ? 0 : std::max<std::int64_t>(wanted, 1);
  return input <= target.context_tokens && output <= target.context_tokens - input;
}

}  // namespace

std::optional<Why> lacking(const ChatView& chat, const Target& target, const TargetState& state) noexcept {
  if (!target.serves(chat.surface)) return Why::surface;
  if (passes_through(chat.surface)) return std::nullopt;  // what it holds is for the target to judge
  if (!target.tools && (chat.tools > 0 || chat.tool_calls > 0 || chat.tool_results > 0)) return Why::tools;
  if (!target.images && chat.images > 0) return Why::images;
  if (!target.json_schema && chat.json_schema) return Why::schema;
  if (!fits_context(chat, target, state)) return Why::context;
  return std::nullopt;
}

std::string_view ability_text(Why why) noexcept {
  switch (why) {
    case Why::surface:
      return "serves this endpoint";
    case Why::tools:
      return "takes tools";
    case Why::images:
      return "takes images";
    case Why::schema:
      return "takes a JSON schema";
    case Why::context:
      return "has a context long enough for the input and max_tokens";
    default:
      return "can do this";
  }
}

}  // namespace tollgate
