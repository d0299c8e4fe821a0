#include <algorithm>
#include <nlohmann/json.hpp>

#include "backends/simulator/answer.hpp"
#include "backends/simulator/tokens.hpp"

namespace tollgate::simulator {
namespace {

using Json = nlohmann::ordered_json;

constexpr int depth_max = 24;          // a schema that refers to itself ends in nulls and empty lists here
constexpr unsigned values_max = 2000;  // … and one that does so many times over, here

class Inventor {
 public:
  Inventor(const Json& root, std::uint64_t seed) : root_(root), random_(seed) {}

  Json value(const Json& schema, int depth) {
    if (!schema.is_object()) return write_words(random_, 2);
    if (depth > depth_max || ++values_ > values_max) return {};
    if (const auto found = schema.find("$ref"); found != schema.end() && found->is_string())
      return referred(*found, depth);
    if (const auto found = schema.find("const"); found != schema.end()) return *found;
    if (const auto found = schema.find("enum"); found != schema.end() && found->is_array() && !found->empty()) {
      return (*found)[random_.below(found->size())];
    }
    for (const char* several : {"anyOf", "oneOf"}) {
      if (const auto found = schema.find(several); found != schema.end() && found->is_array() && !found->empty()) {
        return value(found->front(), depth + 1);
      }
    }
    if (const auto found = schema.find("allOf"); found != schema.end() && found->is_array())
      return merged(schema, *found, depth);
    const std::string type = type_of(schema);
    if (type == "object") return object(schema, depth);
    if (type == "array") return array(schema, depth);
    if (type == "integer" || type == "number") return number(schema, type == "integer");
    if (type == "boolean") return random_.chance(500);
    if (type == "null") return {};
    return text(schema);
  }

 private:
  static std::string type_of(const Json& schema) {
    const auto type = schema.find("type");
    if (type != schema.end() && type->is_string()) return *type;
    if (type != schema.end() && type->is_array() && !type->empty() && type->front().is_string()) return type->front();
    if (schema.contains("properties")) return "object";
    return schema.contains("items") ? "array" : "string";
  }

  Json referred(const Json& reference, int depth) {
    const std::string& text = reference.get_ref<const std::string&>();
    if (!text.starts_with('#')) return {};
    try {
      return value(root_.at(Json::json_pointer(text.substr(1))), depth + 1);
    } catch (const Json::exception&) {
      return {};  // a reference to nothing: null is as good as any value
    }
  }

  Json merged(const Json& schema, const Json& parts, int depth) {
    Json whole = schema;
    whole.erase("allOf");
    for (const Json& part : parts)
      if (part.is_object()) whole.merge_patch(part);
    return value(whole, depth + 1);
  }

  Json object(const Json& schema, int depth) {
    Json result = Json::object();
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->is_object()) return result;
    for (const auto& [name, property] : properties->items()) result[name] = value(property, depth + 1);
    return result;
  }

  Json array(const Json& schema, int depth) {
    Json result = Json::array();
    const auto items = schema.find("items");
    std::size_t count = depth < depth_max ? 2 : 0;
    if (const auto min = schema.find("minItems"); min != schema.end() && min->is_number_unsigned()) {
      count = std::clamp<std::size_t>(min->get<std::size_t>(), 1, 64);
    } else if (const auto max = schema.find("maxItems"); max != schema.end() && max->is_number_unsigned()) {
      count = std::min(count, max->get<std::size_t>());
    }
    if (depth > depth_max / 3) count = std::min<std::size_t>(count, 1);  // lists of lists of lists stay small
    for (std::size_t i = 0; i < count; ++i)
      result.push_back(items == schema.end() ? Json(write_words(random_, 1)) : value(*items, depth + 1));
    return result;
  }

  Json number(const Json& schema, bool whole) {
    const auto bound = [&schema](const char* name, double otherwise) {
      const auto found = schema.find(name);
      return found != schema.end() && found->is_number() ? found->get<double>() : otherwise;
    };
    const double min = std::clamp(
        bound("minimum", bound("exclusiveMinimum", 0) + (schema.contains("exclusiveMinimum") ? 1 : 0)), -1e15, 1e15);
    const double max = std::clamp(
        bound("maximum", bound("exclusiveMaximum", min + 101) - (schema.contains("exclusiveMaximum") ? 1 : 0)), min,
        1e15);
    if (whole) {
      const auto low = static_cast<std::int64_t>(min), high = static_cast<std::int64_t>(max);
      return low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low) + 1));
    }
    return min + (max - min) * static_cast<double>(random_.below(100)) / 100.0;
  }

  Json text(const Json& schema) {
    const auto format = schema.find("format");
    if (format != schema.end() && format->is_string()) {
      const std::string& kind = format->get_ref<const std::string&>();
      const std::string day =
          "2026-0" + std::to_string(1 + random_.below(9)) + "-1" + std::to_string(random_.below(10));
      if (kind == "date") return day;
      if (kind == "date-time") return day + "T12:00:00Z";
      if (kind == "time") return "12:00:00Z";
      if (kind == "email") return write_words(random_, 1) + "@example.com";
      if (kind == "uri") return "https://example.com/" + write_words(random_, 1);
      if (kind == "uuid")
        return "00000000-0000-4000-8000-" + std::to_string(100'000'000'000 + random_.below(899'999'999'999));
    }
    std::string words = write_words(random_, 2);
    const auto min = schema.find("minLength");
    const std::size_t least =
        min != schema.end() && min->is_number_unsigned() ? std::min<std::size_t>(min->get<std::size_t>(), 4096) : 0;
    while (words.size() < least) words += " " + write_words(random_, 1);
    const auto max = schema.find("maxLength");
    if (max != schema.end() && max->is_number_unsigned() && max->get<std::size_t>() < words.size())
      words.resize(max->get<std::size_t>());
    return words;
  }

  const Json& root_;
  Random random_;
  unsigned values_ = 0;
};

}  // namespace

std::string invent_json(std::string_view schema_text, std::uint64_t seed) {
  const Json schema = Json::parse(schema_text, nullptr, false);
  Inventor inventor(schema, seed);
  if (schema.is_object() && !schema.empty()) return inventor.value(schema, 0).dump();
  Random random(seed);
  return Json{{"answer", write_words(random, 6)},
              {"items", {write_words(random, 1), write_words(random, 1)}},
              {"count", random.below(100)}}
      .dump();
}

}  // namespace tollgate::simulator
