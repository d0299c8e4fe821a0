#include "gateway/schema_check.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace {

using Json = nlohmann::json;
constexpr int depth_max = 64;
constexpr int steps_max = 100'000;  // of anyOf within anyOf …: past it the rest is let through

bool is_of_type(const Json& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "integer") {
    if (value.is_number_integer()) return true;
    if (!value.is_number_float()) return false;
    const auto number = value.get<double>();  // 1.0 is an integer to JSON Schema
    return number >= -9e15 && number <= 9e15 && number == static_cast<double>(static_cast<std::int64_t>(number));
  }
  return true;  // a type this does not know
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 64)) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

class Checker {
 public:
  explicit Checker(const Json& root) : root_(root) {}

  std::optional<std::string> check(const Json& schema, const Json& value, const std::string& at, int depth) {
    if (schema.is_boolean()) return schema.get<bool>() ? std::nullopt : fails(at, "nothing is allowed here");
    if (!schema.is_object() || depth > depth_max || ++steps_ > steps_max) return std::nullopt;
    if (const Json* const referred = reference(schema)) {
      if (auto wrong = check(*referred, value, at, depth + 1)) return wrong;
    }
    if (auto wrong = check_kind(schema, value, at)) return wrong;
    if (auto wrong = check_several(schema, value, at, depth)) return wrong;
    if (value.is_object()) return check_object(schema, value, at, depth);
    if (value.is_array()) return check_array(schema, value, at, depth);
    if (value.is_string()) return check_string(schema, value, at);
    if (value.is_number()) return check_number(schema, value, at);
    return std::nullopt;
  }

 private:
  static std::optional<std::string> fails(const std::string& at, std::string what) {
    return (at.empty() ? "/" : at) + ": " + std::move(what);
  }

  static const Json* member(const Json& schema, const char* name) {
    const auto found = schema.find(name);
    return found == schema.end() ? nullptr : &*found;
  }

  const Json* reference(const Json& schema) const {
    const Json* const ref = member(schema, "$ref");
    if (ref == nullptr || !ref->is_string()) return nullptr;
    const auto& text = ref->get_ref<const std::string&>();
    if (!text.starts_with('#')) return nullptr;  // another document: not fetched
    try {
      const Json::json_pointer pointer(text.substr(1));
      return root_.contains(pointer) ? &root_.at(pointer) : nullptr;
    } catch (const Json::exception&) {  // the client's pointer is none
      return nullptr;
    }
  }

  static std::optional<std::string> check_kind(const Json& schema, const Json& value, const std::string& at) {
    if (const Json* const type = member(schema, "type")) {
      bool fits = !type->is_string() && !type->is_array();
      if (type->is_string()) fits = is_of_type(value, type->get_ref<const std::string&>());
      if (type->is_array()) {
        fits = std::any_of(type->begin(), type->end(), [&](const Json& each) {
          return !each.is_string() || is_of_type(value, each.get_ref<const std::string&>());
        });
      }
      if (!fits) return fails(at, "another type was expected than " + std::string(value.type_name()));
    }
    const Json* const choices = member(schema, "enum");
    if (choices != nullptr && choices->is_array() &&
        std::find(choices->begin(), choices->end(), value) == choices->end())
      return fails(at, "not one of enum");
    if (const Json* const only = member(schema, "const"); only != nullptr && *only != value)
      return fails(at, "not the const");
    return std::nullopt;
  }

  std::optional<std::string> check_several(const Json& schema, const Json& value, const std::string& at, int depth) {
    if (const Json* const all = member(schema, "allOf"); all != nullptr && all->is_array()) {
      for (const Json& each : *all) {
        if (auto wrong = check(each, value, at, depth + 1)) return wrong;
      }
    }
    const auto fitting = [&](const Json& of) {
      return std::count_if(of.begin(), of.end(), [&](const Json& each) { return !check(each, value, at, depth + 1); });
    };
    if (const Json* const any = member(schema, "anyOf"); any != nullptr && any->is_array() && fitting(*any) == 0)
      return fails(at, "fits none of anyOf");
    if (const Json* const one = member(schema, "oneOf");
        one != nullptr && one->is_array() && steps_ < steps_max && fitting(*one) != 1) {
      return fails(at, "does not fit exactly one of oneOf");
    }
    const Json* const other = member(schema, "not");
    if (other != nullptr && steps_ < steps_max && depth < depth_max && !check(*other, value, at, depth + 1))
      return fails(at, "is what not forbids");
    return std::nullopt;
  }

  std::optional<std::string> check_object(const Json& schema, const Json& value, const std::string& at, int depth) {
    if (const Json* const required = member(schema, "required"); required != nullptr && required->is_array()) {
      for (const Json& name : *required) {
        if (name.is_string() && !value.contains(name.get_ref<const std::string&>()))
          return fails(at, "a required member is missing");
      }
    }
    const Json* const properties = member(schema, "properties");
    const Json* const others = member(schema, "additionalProperties");
    const bool patterns = schema.contains("patternProperties");  // not understood: any further member may be theirs
    for (const auto& [name, each] : value.items()) {
      const Json* const known =
          properties != nullptr && properties->is_object() ? member(*properties, name.c_str()) : nullptr;
      const Json* const rule = known != nullptr ? known : patterns ? nullptr : others;
      if (rule == nullptr) continue;
      if (auto wrong = check(*rule, each, at + "/" + escaped(name), depth + 1)) return wrong;
    }
    return std::nullopt;
  }

  std::optional<std::string> check_array(const Json& schema, const Json& value, const std::string& at, int depth) {
    if (auto wrong = check_size(schema, value.size(), "minItems", "maxItems", at)) return wrong;
    const Json* const first = member(schema, "prefixItems");
    const std::size_t apart = first != nullptr && first->is_array() ? first->size() : 0;
    const Json* const rest = member(schema, "items");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json* const rule = i < apart ? &(*first)[i] : rest;
      if (rule == nullptr) continue;
      if (auto wrong = check(*rule, value[i], at + "/" + std::to_string(i), depth + 1)) return wrong;
    }
    return std::nullopt;
  }

  static std::optional<std::string> check_size(const Json& schema, std::size_t size, const char* least,
                                               const char* most, const std::string& at) {
    const Json* const min = member(schema, least);
    const Json* const max = member(schema, most);
    const auto count = static_cast<double>(size);
    if (min != nullptr && min->is_number() && count < min->get<double>()) return fails(at, "too short");
    if (max != nullptr && max->is_number() && count > max->get<double>()) return fails(at, "too long");
    return std::nullopt;
  }

  static std::optional<std::string> check_string(const Json& schema, const Json& value, const std::string& at) {
    if (!schema.contains("minLength") && !schema.contains("maxLength")) return std::nullopt;
    return check_size(schema, characters_of(value.get_ref<const std::string&>()), "minLength", "maxLength", at);
  }

  static std::optional<std::string> check_number(const Json& schema, const Json& value, const std::string& at) {
    const auto number = value.get<double>();
    const auto limit = [&schema](const char* name) -> std::optional<double> {
      const Json* const found = member(schema, name);
      return found != nullptr && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
    };
    const auto min = limit("minimum"), max = limit("maximum"), above = limit("exclusiveMinimum"),
               below = limit("exclusiveMaximum");
    const bool outside =
        (min && number < *min) || (max && number > *max) || (above && number <= *above) || (below && number >= *below);
    return outside ? fails(at, "out of range") : std::nullopt;
  }

  const Json& root_;
  int steps_ = 0;
};

}  // namespace

std::optional<std::string> schema_violation(const nlohmann::json& schema, const nlohmann::json& value) {
  return Checker(schema).check(schema, value, "", 0);
}

}  // namespace tollgate
