#pragma once
// YAML text as a tree in which every value and every key knows its line and column.
//
//    std::optional<YamlNode> root = parse_yaml(text, problem);
//
// Built from yaml-cpp's events rather than its nodes: keys keep their places and their duplicates, aliases are counted
// before they are copied, and nothing throws. Limits: text_bytes_max, depth_max, nodes_max. Refused besides broken
// YAML: text that is not UTF-8, control characters, tabs as indentation, tags (`!!binary`), several documents, keys
// that are not plain text.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate {

/// Line and column from 1; 0 when the place is the file as a whole.
struct Place {
  std::size_t line = 0;
  std::size_t column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};

struct YamlKey {
  std::string text;
  Place place;
};

struct YamlNode {
  enum class Kind : unsigned char { null, scalar, sequence, map };
  Kind kind = Kind::null;
  Place place;
  std::string text;                ///< of a scalar, as written, quotes and escapes undone
  std::vector<YamlKey> keys;       ///< of a map, in order, duplicates kept
  std::vector<YamlNode> children;  ///< of a sequence, or the values of a map: children[i] belongs to keys[i]
};

/// Why a text is no YAML that can be read, and where.
struct YamlProblem {
  Place place;
  std::string message;
};

namespace yaml_limits {
inline constexpr std::size_t text_bytes_max = 1024 * 1024;
inline constexpr std::size_t depth_max = 32;
inline constexpr std::size_t nodes_max = 50'000;                  ///< after aliases are followed
inline constexpr std::size_t scalar_bytes_max = 4 * 1024 * 1024;  ///< all together, after aliases are followed
}  // namespace yaml_limits

/// The tree, or nullopt with `problem` filled in.
[[nodiscard]] std::optional<YamlNode> parse_yaml(std::string_view text, YamlProblem& problem);

}  // namespace tollgate
