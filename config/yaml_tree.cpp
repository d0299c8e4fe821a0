#include "config/yaml_tree.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "config/utf8.hpp"

namespace tollgate {
namespace {

/// Thrown out of yaml-cpp's event loop, caught in parse_yaml; never leaves this file.
struct Refusal {
  YamlProblem problem;
};

[[noreturn]] void refuse(Place place, std::string message) { throw Refusal{{place, std::move(message)}}; }

Place place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

/// What a finished subtree weighs; asked before an alias copies it.
struct Weight {
  std::size_t nodes = 1, bytes = 0, depth = 1;
};

Weight weight_of(const YamlNode& node) {
  Weight weight{1, node.text.size(), 1};
  for (const YamlKey& key : node.keys) weight.bytes += key.text.size();
  for (const YamlNode& child : node.children) {
    const Weight below = weight_of(child);
    weight.nodes += below.nodes;
    weight.bytes += below.bytes;
    weight.depth = std::max(weight.depth, below.depth + 1);
  }
  return weight;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  std::optional<YamlNode> take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root_)
      refuse(place_of(mark), "a second document begins here; a configuration is one document, remove the line '---'");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add({YamlNode::Kind::null, place_of(mark), {}, {}, {}}, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    add({YamlNode::Kind::scalar, place_of(mark), value, {}, {}}, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchored_.find(anchor);
    if (found == anchored_.end())
      refuse(place_of(mark), "an alias inside the value it stands for has no end; write the value out");
    const Weight weight = weight_of(found->second);
    if (open_.size() + weight.depth > yaml_limits::depth_max) refuse_depth(place_of(mark));
    count(weight, place_of(mark));
    YamlNode copy = found->second;
    place_node(std::move(copy));
  }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor;
    bool awaits_value;  // of a map: a key was read, its value was not
  };

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    refuse(place_of(mark), "tags such as '!!str' are not accepted; the type follows from the key");
  }
  [[noreturn]] static void refuse_depth(Place place) {
    refuse(place, fmt::format("nested more than {} levels deep", yaml_limits::depth_max));
  }

  void count(const Weight& weight, Place place) {
    nodes_ += weight.nodes;
    bytes_ += weight.bytes;
    if (nodes_ > yaml_limits::nodes_max)
      refuse(place, fmt::format("more than {} values (aliases counted)", yaml_limits::nodes_max));
    if (bytes_ > yaml_limits::scalar_bytes_max) refuse(place, "aliases repeat too much text; write shorter values");
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    refuse_tag(mark, tag);
    if (open_.size() >= yaml_limits::depth_max) refuse_depth(place);
    count({}, place);
    open_.push_back({{kind, place, {}, {}, {}}, anchor, false});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    remember(done.node, done.anchor);
    place_node(std::move(done.node));
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    count({1, node.text.size(), 1}, node.place);
    remember(node, anchor);
    place_node(std::move(node));
  }

  void remember(const YamlNode& node, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    count(weight_of(node), node.place);  // the kept copy takes memory as well
    anchored_.insert_or_assign(anchor, node);
  }

  void place_node(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::map && !parent.awaits_value) {
      if (node.kind != YamlNode::Kind::scalar) refuse(node.place, "a key must be plain text");
      parent.node.keys.push_back({std::move(node.text), node.place});
      parent.awaits_value = true;
      return;
    }
    // A value that is not there has no place of its own; its key has.
    if (node.kind == YamlNode::Kind::null && !parent.node.keys.empty()) node.place = parent.node.keys.back().place;
    parent.node.children.push_back(std::move(node));
    parent.awaits_value = false;
  }

  std::optional<YamlNode> root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, YamlNode> anchored_;
  std::size_t nodes_ = 0, bytes_ = 0;
};

/// What yaml-cpp would misread or pass on: checked on the text itself. Returns the text without a byte order mark.
std::string_view refuse_odd_bytes(std::string_view text) {
  if (text.size() > yaml_limits::text_bytes_max) {
    refuse({}, fmt::format("the file is larger than {} KiB", yaml_limits::text_bytes_max / 1024));
  }
  if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE"))
    refuse({1, 1}, "the file is UTF-16; save it as UTF-8");
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Place place{1, 1};
  bool indentation = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) refuse(place, "this byte is not UTF-8; save the file as UTF-8");
    const char c = text[at];
    if (c == '\t' && indentation) refuse(place, "a tab stands in the indentation; YAML indents with spaces");
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f) {
      refuse(place, fmt::format("control character 0x{:02x}; remove it", byte));
    }
    indentation = c == '\n' || (indentation && (c == ' ' || c == '\t'));
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      ++place.column;
    }
    at += length;
  }
  return text;
}

YamlNode parse_or_refuse(std::string_view text) {
  std::istringstream in{std::string(refuse_odd_bytes(text))};
  YAML::Parser parser(in);
  TreeBuilder builder;
  while (parser.HandleNextDocument(builder)) {
  }
  std::optional<YamlNode> root = builder.take();
  if (!root || root->kind == YamlNode::Kind::null)
    refuse({1, 1}, "the file is empty; a configuration begins with 'version: 1'");
  return std::move(*root);
}

}  // namespace

std::optional<YamlNode> parse_yaml(std::string_view text, YamlProblem& problem) {
  try {
    return parse_or_refuse(text);
  } catch (const Refusal& refusal) {
    problem = refusal.problem;
  } catch (const YAML::Exception& broken) {
    problem = {place_of(broken.mark),
               fmt::format("this is not YAML: {}; look for a missing colon, quote or bracket", broken.msg)};
  }
  return std::nullopt;
}

}  // namespace tollgate
