#include "config/yaml_edit.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "config/yaml_tree.hpp"

namespace tollgate {
namespace {

struct Change {
  std::size_t at = 0, length = 0;
  std::string text;
};

std::string dotted(const std::vector<std::string>& path) {
  std::string out;
  for (const std::string& each : path) out += (out.empty() ? "" : ".") + each;
  return out;
}

Error by_hand(const std::string& source, const YamlEdit& edit, std::string_view why) {
  return fail(Fault::bad_config, source + ": " + dotted(edit.path) + " cannot be set without risk (" +
                                     std::string(why) + "); write " + edit.path.back() + ": " + edit.value +
                                     " there by hand");
}

class Editor {
 public:
  Editor(std::string_view text, const std::string& source) : text_(text), source_(source) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
  }

  Result<void> set(const YamlNode& root, const YamlEdit& edit) {
    const YamlNode* node = &root;
    for (std::size_t depth = 0; depth < edit.path.size(); ++depth) {
      const YamlNode* const child = child_of(*node, edit.path[depth]);
      if (child == nullptr) return insert(*node, edit, depth);
      node = child;
    }
    return replace(*node, edit);
  }

  std::string take() {
    std::stable_sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.at > b.at; });
    std::string out(text_);
    for (const Change& change : changes_) out.replace(change.at, change.length, change.text);
    for (const auto& [section, members] : new_sections_) {
      if (!out.empty() && out.back() != '\n') out += '\n';
      out += section + ": {" + members + "}\n";
    }
    return out;
  }

 private:
  static const YamlNode* child_of(const YamlNode& node, const std::string& name) {
    if (node.kind == YamlNode::Kind::map) {
      for (std::size_t i = 0; i < node.keys.size(); ++i) {
        if (node.keys[i].text == name) return &node.children[i];
      }
    } else if (node.kind == YamlNode::Kind::sequence) {
      for (const YamlNode& element : node.children) {
        const YamlNode* const named = element.kind == YamlNode::Kind::map ? child_of(element, "name") : nullptr;
        if (named != nullptr && named->text == name) return &element;
      }
    }
    return nullptr;
  }

  [[nodiscard]] std::optional<std::size_t> offset_of(Place place) const {
    if (place.line == 0 || place.line > line_starts_.size() || place.column == 0) return std::nullopt;
    const std::size_t at = line_starts_[place.line - 1] + place.column - 1;
    return at < text_.size() ? std::optional(at) : std::nullopt;
  }

  Result<void> replace(const YamlNode& node, const YamlEdit& edit) {
    if (node.kind != YamlNode::Kind::scalar) return by_hand(source_, edit, "what stands there is no single value");
    const std::optional<std::size_t> at = offset_of(node.place);
    if (!at) return by_hand(source_, edit, "its place is not known");
    const char quote = text_[*at] == '"' || text_[*at] == '\'' ? text_[*at] : '\0';
    const std::size_t begin = *at + (quote != '\0' ? 1 : 0);
    // The value as the tree has it must stand there letter by letter: else it is an alias, a variable, or escaped.
    if (node.text.empty() || text_.substr(begin, node.text.size()) != node.text)
      return by_hand(source_, edit, "it is an alias, or written in another way");
    if (node.text.find('$') != std::string::npos) return by_hand(source_, edit, "it holds a variable");
    const std::size_t end = begin + node.text.size() + (quote != '\0' ? 1 : 0);
    if (*at > 0 && text_[*at - 1] == ' ' && preceded_by_anchor(*at))
      return by_hand(source_, edit, "it is an anchor that other values refer to");
    changes_.push_back({*at, end - *at, edit.value});
    return success();
  }

  [[nodiscard]] bool preceded_by_anchor(std::size_t at) const {
    const std::size_t word_end = text_.find_last_not_of(' ', at - 1);
    if (word_end == std::string_view::npos) return false;
    const std::size_t before = text_.find_last_of(" \n", word_end);
    return text_[before == std::string_view::npos ? 0 : before + 1] == '&';
  }

  /// Only the last key of a path may be missing, or, at the root, a whole section with that one key.
  Result<void> insert(const YamlNode& parent, const YamlEdit& edit, std::size_t depth) {
    if (parent.kind != YamlNode::Kind::map) return by_hand(source_, edit, "its section is empty or no map");
    if (depth == 0 && edit.path.size() == 2) {
      std::string& members = new_sections_[edit.path[0]];
      members += (members.empty() ? "" : ", ") + edit.path[1] + ": " + edit.value;
      return success();
    }
    if (depth + 1 != edit.path.size() || parent.keys.empty()) return by_hand(source_, edit, "its section is missing");
    const std::optional<std::size_t> at = offset_of(parent.keys.front().place);
    if (!at) return by_hand(source_, edit, "its place is not known");
    const std::size_t line = line_starts_[parent.keys.front().place.line - 1];
    const std::string_view indent = text_.substr(line, *at - line);
    const bool starts_line = indent.find_first_not_of(' ') == std::string_view::npos;
    const std::size_t previous = *at == 0 ? std::string_view::npos : text_.find_last_not_of(" \n", *at - 1);
    const bool flow = previous != std::string_view::npos && (text_[previous] == '{' || text_[previous] == ',');
    if (!flow && !starts_line) return by_hand(source_, edit, "it shares its line with other things");
    changes_.push_back({*at, 0, edit.path.back() + ": " + edit.value + (flow ? ", " : "\n" + std::string(indent))});
    return success();
  }

  std::string_view text_;
  const std::string& source_;
  std::vector<std::size_t> line_starts_;
  std::vector<Change> changes_;
  std::map<std::string, std::string> new_sections_;
};

}  // namespace

Result<std::string> edit_yaml(std::string_view text, const std::vector<YamlEdit>& edits, const std::string& source) {
  YamlProblem problem;
  const std::optional<YamlNode> tree = parse_yaml(text, problem);
  if (!tree) return fail(Fault::bad_config, source + ": " + problem.message);
  Editor editor(text, source);
  for (const YamlEdit& edit : edits) {
    TOLLGATE_TRY(editor.set(*tree, edit));
  }
  return editor.take();
}

}  // namespace tollgate
