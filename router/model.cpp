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

constexpr int format_version = 3;
constexpr float logit_quarter = 1.0986123F;  // ln 3: the logit of 0.75, and of 0.25 with a minus
constexpr std::size_t trees_max = 2000;      // of one head
constexpr std::string_view words_name = "the words themselves";
constexpr std::array<std::string_view, head_count> head_names = {"multiple-choice questions", "word problems",
                                                                 "other bare questions", "other requests"};

Error wrong(std::string_view source, std::string_view what) {
  return Error{Fault::bad_config, std::string(source) + ": " + std::string(what)};
}

std::uint32_t hash_of(std::string_view text) noexcept {
  std::uint32_t hash = 0x811C9DC5U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return hash;
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

/// An empty text if all is well, else what is wrong.
std::string read_head(const nlohmann::json& from, std::string_view name, Head& head) {
  const std::string where = "the head of " + std::string(name);
  if (!from.is_object() || from.value("of", "") != name) return where + " is missing";
  if (!from.contains("levels") || !read_numbers(from["levels"], head.levels) || head.levels[0] >= head.levels[1] ||
      head.levels[1] >= head.levels[2]) {
    return where + ": levels must be three rising numbers";
  }
  if (!from.contains("trees") || !from["trees"].is_array() || from["trees"].size() > trees_max) {
    return where + ": trees must be a list of at most " + std::to_string(trees_max);
  }
  for (const nlohmann::json& entry : from["trees"]) {
    if (!read_tree(entry, head.trees.emplace_back()))
      return where + ": trees[" + std::to_string(head.trees.size() - 1) + "] is broken";
  }
  return {};
}

bool names_terms(const nlohmann::json& names) {
  if (!names.is_array() || names.size() != term_count) return false;
  for (std::size_t i = 0; i < term_count; ++i) {
    if (!names[i].is_string() || names[i].get<std::string>() != term_name(i)) return false;
  }
  return true;
}

/// Straight lines through the tiers' borders, going on as steep as they were.
float logit(const Levels& levels, float sum) noexcept {
  const std::size_t piece = sum < levels[1] ? 0 : 1;
  const float from = piece == 0 ? -logit_quarter : 0;
  return from + (sum - levels[piece]) * logit_quarter / (levels[piece + 1] - levels[piece]);
}

void append_tree(std::string& out, const Tree& tree) {
  out += "{\"split\":[";
  bool first = true;
  for (std::size_t node = 0; node < tree_inner; ++node) {
    if (std::isinf(tree.threshold[node])) continue;
    if (!first) out += ',';
    first = false;
    append_numbers(
        out, std::array<float, 3>{static_cast<float>(node), static_cast<float>(tree.term[node]), tree.threshold[node]});
  }
  out += "],\"value\":";
  append_numbers(out, tree.value);
  out += '}';
}

}  // namespace

HeadOf head_for(const TermValues& values) noexcept {
  if (!(values[bare_question_term()] > 0)) return HeadOf::other;
  if (values[multiple_choice_term()] > 0) return HeadOf::multiple_choice;
  return values[word_problem_term()] > 0 ? HeadOf::word_problem : HeadOf::question;
}

Model::Model(Heads heads, std::vector<float> words) : heads_(std::move(heads)), words_(std::move(words)) {
  for (std::size_t head = 0; head < head_count; ++head) {
    for (const Tree& tree : heads_[head].trees) {
      Split split{tree.threshold, tree.term, {}};
      std::copy_n(tree.value.begin() + tree_inner, split.leaf.size(), split.leaf.begin());
      splits_[head].push_back(split);
      root_[head] += tree.value[0];
    }
  }
}

Result<Model> Model::parse(std::string_view json, std::string_view source) {
  const nlohmann::json file = nlohmann::json::parse(json, nullptr, false);
  if (!file.is_object()) return wrong(source, "is not a complexity model: no JSON object");
  const nlohmann::json version = file.value("tollgate_complexity_model", nlohmann::json(0));
  if (!version.is_number_integer() || version.get<int>() != format_version) {
    return wrong(source,
                 "is no complexity model of version 3 (tollgate_complexity_model): train it again with this "
                 "version's tollgate-train");
  }
  if (!file.contains("terms") || !names_terms(file["terms"])) {
    return wrong(source,
                 "was trained for other terms than this program's: train it again with this version's tollgate-train");
  }
  std::vector<float> words;
  if (file.contains("words")) {
    words.resize(lexical_buckets);
    if (!read_numbers(file["words"], words))
      return wrong(source, "words must be " + std::to_string(lexical_buckets) + " numbers");
  }
  if (!file.contains("heads") || !file["heads"].is_array() || file["heads"].size() != head_count)
    return wrong(source, "heads must be a list of " + std::to_string(head_count));
  Heads heads;
  for (std::size_t i = 0; i < head_count; ++i) {
    const std::string fault = read_head(file["heads"][i], head_names[i], heads[i]);
    if (!fault.empty()) return wrong(source, fault);
  }
  Model model(std::move(heads), std::move(words));
  model.id_ = hash_of(json);
  return model;
}

std::string Model::text() const {
  std::string out = "{\"tollgate_complexity_model\":3,\n\"terms\":[";
  for (std::size_t i = 0; i < term_count; ++i) out.append(i == 0 ? "\"" : ",\"").append(term_name(i)).append("\"");
  out += "],\n\"heads\":[";
  for (std::size_t head = 0; head < head_count; ++head) {
    out.append(head == 0 ? "\n{\"of\":\"" : ",\n{\"of\":\"").append(head_names[head]).append("\",\"levels\":");
    append_numbers(out, heads_[head].levels);
    out += ",\"trees\":[";
    bool first = true;
    for (const Tree& tree : heads_[head].trees) {
      out += first ? "\n" : ",\n";
      first = false;
      append_tree(out, tree);
    }
    out += "]}";
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
  const HeadOf head = head_for(values);
  float sum = hears_words(head) ? words_add(words) : 0;
  for (const Split& split : splits_[static_cast<std::size_t>(head)]) {
    std::size_t node = 0;
    for (std::size_t level = 0; level < tree_depth; ++level) {
      node = 2 * node + 1 + static_cast<std::size_t>(values[split.term[node]] > split.threshold[node]);
    }
    sum += split.leaf[node - tree_inner];
  }
  return sum;
}

float Model::score(const TermValues& values, const Lexical& words) const noexcept {
  const Levels& levels = heads_[static_cast<std::size_t>(head_for(values))].levels;
  return 1 / (1 + std::exp(-logit(levels, sum(values, words))));
}

float Model::typical_logit() const noexcept {
  constexpr auto other = static_cast<std::size_t>(HeadOf::other);
  return logit(heads_[other].levels, root_[other]);
}

/// A tree's way to its leaf changes what is expected at each step; the change belongs to the term that was asked there.
std::array<Part, part_count> Model::parts(const TermValues& values, const Lexical& words) const noexcept {
  std::array<Part, part_count> parts;
  for (std::size_t i = 0; i < term_count; ++i) parts[i] = {term_name(i), values[i], 0};
  const HeadOf kind = head_for(values);
  const auto index = static_cast<std::size_t>(kind);
  const Head& head = heads_[index];
  parts[term_count] = {words_name, static_cast<float>(words.count),
                       hears_words(kind) ? words_add(words) : 0};
  float total = root_[index] + parts[term_count].weight;
  for (const Tree& tree : head.trees) {
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
  const float start = logit(head.levels, root_[index]), moved = total - root_[index];
  const float stretch = std::abs(moved) < too_close ? logit_quarter / (head.levels[1] - head.levels[0])
                                                    : (logit(head.levels, total) - start) / moved;
  for (Part& part : parts) part.weight *= stretch;
  // That another head judges belongs to the term that chose it.
  const std::size_t chooser = kind == HeadOf::multiple_choice ? multiple_choice_term()
                              : kind == HeadOf::word_problem  ? word_problem_term()
                                                              : bare_question_term();
  parts[chooser].weight += start - typical_logit();
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
