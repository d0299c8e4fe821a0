#pragma once
// JSON against a JSON Schema: the keywords that structured output uses. Understood: type, enum, const, properties,
// required, additionalProperties, items, prefixItems, minItems, maxItems, minimum, maximum, exclusiveMinimum,
// exclusiveMaximum, minLength, maxLength, anyOf, oneOf, allOf, not, and $ref within the schema. Others (format,
// pattern, if …) are passed over: what they would forbid is let through, never the reverse. No Debian package holds a
// validator for nlohmann's JSON.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace tollgate {

/// Where and how `value` breaks `schema`: "/items/3: a string was expected"; nullopt if it does not. Never quotes
/// values. A schema that refers to itself without end, or nests past 64 levels, is not held against the value.
[[nodiscard]] std::optional<std::string> schema_violation(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace tollgate
