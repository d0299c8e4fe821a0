#pragma once
// Looking into JSON that may be of any shape: what is missing or of another type is nothing, never an exception.

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "config/units.hpp"

namespace tollgate::json {

/// The member; null if it is not there or `object` is none.
[[nodiscard]] inline const nlohmann::ordered_json& at(const nlohmann::ordered_json& object, const char* name) {
  static const nlohmann::ordered_json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

/// The text of a member; "" for anything else.
[[nodiscard]] inline std::string text_at(const nlohmann::ordered_json& object, const char* name) {
  const nlohmann::ordered_json& value = at(object, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// Reads a count into `out`; one that is absent or null leaves it. False: it is no count.
[[nodiscard]] inline bool count_at(const nlohmann::ordered_json& object, const char* name, TokenCount& out) {
  const nlohmann::ordered_json& value = at(object, name);
  if (value.is_null()) return true;
  // Past this no model's counts go, and sums stay far from overflow.
  constexpr std::int64_t count_max = std::numeric_limits<std::int32_t>::max();
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > count_max) return false;
  out = TokenCount{value.get<std::int64_t>()};
  return true;
}

/// JSON text; bytes that are not UTF-8 become replacement characters.
[[nodiscard]] inline std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tollgate::json
