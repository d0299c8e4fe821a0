#pragma once
// What a target can do, against what a request needs. Capability is apart: it is a matter of trust, and bends where
// nothing else would be left (decide.cpp). Pure, no heap, any thread.

#include <optional>

#include "router/router.hpp"

namespace tollgate {

/// The first thing that the target lacks (surface, context, tools, images, schema); nullopt if it lacks nothing.
[[nodiscard]] std::optional<Why> lacking(const ChatView& chat, const Target& target, const TargetState& state) noexcept;

/// Whether the target is trusted with this complexity.
[[nodiscard]] inline bool is_trusted_with(const Target& target, float score) noexcept {
  return static_cast<float>(target.capability) >= score;
}

/// "offers tools": what a target of which `why` holds does not do, for "no target …".
[[nodiscard]] std::string_view ability_text(Why why) noexcept;

}  // namespace tollgate
