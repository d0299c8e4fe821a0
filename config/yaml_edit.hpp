#pragma once
// Sets single values in the text of a YAML file and leaves every other byte as it stands: comments, order, blank lines,
// quotes.
//
//    Result<std::string> edited = edit_yaml(text, {{{"tiers", "complex"}, "0.54"}}, "tollgate.yaml");
//
// What it cannot do safely it refuses and says what to change by hand: values that hold variables, anchors and aliases,
// a section that is there but empty. Who writes the result loads it first and compares. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"

namespace tollgate {

struct YamlEdit {
  std::vector<std::string> path;  ///< keys from the root; of a list the `name` of its element
  std::string value;              ///< as it is to stand in the file
};

/// Keys that are missing are added where their section or the file begins or ends. Faults: bad_config.
[[nodiscard]] Result<std::string> edit_yaml(std::string_view text, const std::vector<YamlEdit>& edits,
                                            const std::string& source);

}  // namespace tollgate
