#include "router/model.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace tollgate {
namespace embedded {
extern const std::string_view model_json;
}  // namespace embedded
namespace {

constexpr int format_version = 1;
constexpr float logit_quarter = 1.0986123F;  // ln 3: the logit of 0.75, and of 0.25 with a minus
constexpr std::size_t trees_max = 2000;
constexpr std::string_view words_name = "the words themselves";

Error wrong(std::string_view source, std::string_view what) {
  return Error{Fault::bad_config, std::string(source) + ": " + std::string(what)};
}

/// Short and exact enough: six figures.
void append_number(std::string& out, float value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 6).ptr;
  out.append(buffer, end);
}

template <class Range>
void append_numbers(std::string& out, const Range& values) {
  out += '[';
  bool first = true;
  for (const auto value : values) {
    if (!first) out += ',';
    first = false;
    append_number(out, static_cast<float>(value));
  }
  out += ']';
}

/// Reads exactly `out.size()` finite numbers.
bool read_numbers(const nlohmann::json& from, std::span<float> out) {
  if (!from.is_array() || from.size() != out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!from[i].is_number()) return false;
    out[i] = from[i].get<float>();
    if (!std::isfinite(out[i])) return false;
  }
  return true;
}

/// A tree's JSON: {"split": [[node, term, threshold], …], "value": [of every node]}.
bool read_tree(const nlohmann::json& from, Tree& tree) {
  if (!from.is_object() || !from.contains("split") || !from["split"].is_array() || !from.contains("value"))
    return false;
  tree.threshold.fill(std::numeric_limits<float>::infinity());
  for (const nlohmann::json& split : from["split"]) {
    std::array<float, 3> numbers{};
    if (!read_numbers(split, numbers)) return false;
    const float node = numbers[0], term = numbers[1];
    if (node < 0 || node >= static_cast<float>(tree_inner) || term < 0 || term >= static_cast<float>(term_count))
      return false;
    tree.term[static_cast<std::size_t>(node)] = static_cast<std::uint8_t>(term);
    tree.threshold[static_cast<std::size_t>(node)] = numbers[2];
  }
  return read_numbers(from["value"], tree.value);
}

bool names_terms(const nlohmann::json& names) {
  if (!names.is_array() || names.size() != term_count) return false;
  for (std::size_t i = 0; i < term_count; ++i) {
    if (!names[i].is_string() || names[i].get<std::string>() != term_name(i)) return false;
  }
  return true;
}

}  // namespace

Model::Model(std::vector<Tree> trees, std::size_t question_trees, std::vector<float> words, Levels levels)
    : trees_(std::move(trees)),
      question_trees_(std::min(question_trees, trees_.size())),
      words_(std::move(words)),
      levels_(levels) {
  for (const Tree& tree : trees_) {
    Split split{tree.threshold, tree.term, {}};
    std::copy_n(tree.value.begin() + tree_inner, split.leaf.size(), split.leaf.begin());
    splits_.push_back(split);
    (splits_.size() > question_trees_ ? root_ : question_root_) += tree.value[0];
  }
}

Result<Model> Model::parse(std::string_view json, std::string_view source) {
  const nlohmann::json file = nlohmann::json::parse(json, nullptr, false);
  if (!file.is_object()) return wrong(source, "is not a complexity model: no JSON object");
  if (file.value("tollgate_complexity_model", 0) != format_version) {
    return wrong(source, "is no complexity model of version 1 (tollgate_complexity_model)");
  }
  if (!file.contains("terms") || !names_terms(file["terms"])) {
    return wrong(source,
                 "was trained for other terms than this program's: train it again with this version's tollgate-train");
  }
  Levels levels{};
  if (!file.contains("levels") || !read_numbers(file["levels"], levels) || levels[0] >= levels[1] ||
      levels[1] >= levels[2]) {
    return wrong(source, "levels must be three rising numbers");
  }
  std::vector<float> words;
  if (file.contains("words")) {
    words.resize(lexical_buckets);
    if (!read_numbers(file["words"], words))
      return wrong(source, "words must be " + std::to_string(lexical_buckets) + " numbers");
  }
  if (!file.contains("trees") || !file["trees"].is_array() || file["trees"].size() > trees_max) {
    return wrong(source, "trees must be a list of at most " + std::to_string(trees_max));
  }
  std::vector<Tree> trees;
  for (const nlohmann::json& entry : file["trees"]) {
    if (!read_tree(entry, trees.emplace_back()))
      return wrong(source, "trees[" + std::to_string(trees.size() - 1) + "] is broken");
  }
  const nlohmann::json count = file.value("question_trees", nlohmann::json(0));
  if (!count.is_number_unsigned() || count.get<std::size_t>() > trees.size())
    return wrong(source, "question_trees must be a number of trees");
  return Model(std::move(trees), count.get<std::size_t>(), std::move(words), levels);
}

std::string Model::text() const {
  std::string out = "{\"tollgate_complexity_model\":1,\n\"levels\":";
  append_numbers(out, levels_);
  out += ",\n\"question_trees\":" + std::to_string(question_trees_) + ",\n\"terms\":[";
  for (std::size_t i = 0; i < term_count; ++i) out.append(i == 0 ? "\"" : ",\"").append(term_name(i)).append("\"");
  out += "],\n\"trees\":[";
  for (std::size_t i = 0; i < trees_.size(); ++i) {
    out += i == 0 ? "\n{\"split\":[" : ",\n{\"split\":[";
    bool first = true;
    for (std::size_t node = 0; node < tree_inner; ++node) {
      if (std::isinf(trees_[i].threshold[node])) continue;
      if (!first) out += ',';
      first = false;
      append_numbers(out, std::array<float, 3>{static_cast<float>(node), static_cast<float>(trees_[i].term[node]),
                                               trees_[i].threshold[node]});
    }
    out += "],\"value\":";
    append_numbers(out, trees_[i].value);
    out += '}';
  }
  out += "]";
  if (!words_.empty()) {
    out += ",\n\"words\":";
    append_numbers(out, words_);
  }
  return out + "}\n";
}

float Model::words_add(const Lexical& words) const noexcept {
  if (words_.empty() || words.count == 0) return 0;
  float sum = 0;
  for (std::size_t i = 0; i < words.count; ++i) sum += words_[words.bucket[i]];
  return sum / std::sqrt(static_cast<float>(words.count));
}

float Model::sum(const TermValues& values, const Lexical& words) const noexcept {
  const bool question = values[bare_question_term()] > 0;
  const std::size_t first = question ? 0 : question_trees_, last = question ? question_trees_ : splits_.size();
  float sum = question ? 0 : words_add(words);
  for (std::size_t i = first; i < last; ++i) {
    const Split& split = splits_[i];
    std::size_t node = 0;
    for (std::size_t level = 0; level < tree_depth; ++level) {
      node = 2 * node + 1 + static_cast<std::size_t>(values[split.term[node]] > split.threshold[node]);
    }
    sum += split.leaf[node - tree_inner];
  }
  return sum;
}

/// Straight lines through the tiers' borders, going on as steep as they were.
float Model::logit(float sum) const noexcept {
  const std::size_t piece = sum < levels_[1] ? 0 : 1;
  const float from = piece == 0 ? -logit_quarter : 0;
  return from + (sum - levels_[piece]) * logit_quarter / (levels_[piece + 1] - levels_[piece]);
}

float Model::score(const TermValues& values, const Lexical& words) const noexcept {
  return 1 / (1 + std::exp(-logit(sum(values, words))));
}

/// A tree's way to its leaf changes what is expected at each step; the change belongs to the term that was asked there.
std::array<Part, part_count> Model::parts(const TermValues& values, const Lexical& words) const noexcept {
  std::array<Part, part_count> parts;
  for (std::size_t i = 0; i < term_count; ++i) parts[i] = {term_name(i), values[i], 0};
  const std::size_t bare = bare_question_term();
  const bool question = values[bare] > 0;
  const std::size_t first = question ? 0 : question_trees_, last = question ? question_trees_ : trees_.size();
  parts[term_count] = {words_name, static_cast<float>(words.count), question ? 0 : words_add(words)};
  if (question) parts[bare].weight = question_root_ - root_;  // that it is a bare question puts it into the other half
  float total = root_ + parts[bare].weight + parts[term_count].weight;
  for (std::size_t i = first; i < last; ++i) {
    const Tree& tree = trees_[i];
    std::size_t node = 0;
    for (std::size_t level = 0; level < tree_depth; ++level) {
      const std::size_t term = tree.term[node];
      const std::size_t next = 2 * node + 1 + static_cast<std::size_t>(values[term] > tree.threshold[node]);
      parts[term].weight += tree.value[next] - tree.value[node];
      node = next;
    }
    total += tree.value[node] - tree.value[0];
  }
  // The bend at the levels stretches all parts alike, so that they add up to the logit.
  constexpr float too_close = 1e-4F;
  const float moved = total - root_;
  const float stretch =
      std::abs(moved) < too_close ? logit_quarter / (levels_[1] - levels_[0]) : (logit(total) - logit(root_)) / moved;
  for (Part& part : parts) part.weight *= stretch;
  return parts;
}

const Model& base_model() noexcept {
  static const Model model = [] {
    Result<Model> parsed = Model::parse(embedded::model_json, "router/model.json");
    return std::move(parsed).value();  // the build embeds it and a test reads it: it cannot be wrong
  }();
  return model;
}

}  // namespace tollgate
