#include "training/boost.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

namespace tollgate::training {
namespace {

constexpr std::size_t bins_max = 64;
constexpr double l2 = 1e-3;  // of the mean weight of a row, times a hundred rows: keeps small leaves near their parents

using Bins = std::vector<std::uint8_t>;  // by row

/// A term in steps: row r stands in bin b if cuts[b - 1] < value <= cuts[b].
struct Column {
  std::vector<float> cuts;
  Bins bin;
};

Column column_of(std::span<const Example> examples, std::size_t term) {
  std::vector<float> values;
  values.reserve(examples.size());
  for (const Example& example : examples) values.push_back((*example.terms)[term]);
  std::sort(values.begin(), values.end());
  Column column;
  for (std::size_t i = 1; i < bins_max; ++i) {
    const std::size_t at = i * values.size() / bins_max;
    if (at == 0) continue;
    // Between two values, so that rounding on the way through the file moves no row.
    const auto next = std::upper_bound(values.begin(), values.end(), values[at - 1]);
    if (next == values.end()) break;
    const float cut = (values[at - 1] + *next) / 2;
    if (column.cuts.empty() || column.cuts.back() < cut) column.cuts.push_back(cut);
  }
  column.bin.reserve(examples.size());
  for (const Example& example : examples) {
    const auto at = std::lower_bound(column.cuts.begin(), column.cuts.end(), (*example.terms)[term]);
    column.bin.push_back(static_cast<std::uint8_t>(at - column.cuts.begin()));
  }
  return column;
}

struct Sum {
  double residual = 0, weight = 0;
  std::size_t rows = 0;
  void add(double r, double w) noexcept {
    residual += r * w;
    weight += w;
    ++rows;
  }
  void add(const Sum& other) noexcept {
    residual += other.residual;
    weight += other.weight;
    rows += other.rows;
  }
};

/// What a tree is grown from.
struct Ground {
  std::span<const Example> examples;
  const std::vector<Column>& columns;
  const std::vector<float>& residual;
  const BoostOptions& options;
  double smoothing;
};

struct Node {
  std::vector<std::uint32_t> rows;
  double value = 0, low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};

struct Cut {
  double gain = 0;
  std::size_t term = 0, bin = 0;
  double left = 0, right = 0;
};

class Grower {
 public:
  Grower(const Ground& ground, const std::vector<std::size_t>& terms) : ground_(ground), terms_(terms) {}

  Tree grow(std::vector<std::uint32_t> rows) {
    Tree tree;
    tree.threshold.fill(std::numeric_limits<float>::infinity());
    std::vector<Node> nodes(tree_nodes);
    Sum all;
    for (const std::uint32_t row : rows) all.add(static_cast<double>(ground_.residual[row]), weight(row));
    nodes[0].rows = std::move(rows);
    nodes[0].value = value_of(all, nodes[0]);
    for (std::size_t i = 0; i < tree_inner; ++i) split(nodes, i, tree);
    for (std::size_t i = 0; i < tree_nodes; ++i)
      tree.value[i] = static_cast<float>(nodes[i].value) * ground_.options.rate;
    return tree;
  }

 private:
  [[nodiscard]] double weight(std::uint32_t row) const noexcept {
    return static_cast<double>(ground_.examples[row].weight);
  }

  [[nodiscard]] double value_of(const Sum& sum, const Node& within) const noexcept {
    return std::clamp(sum.residual / (sum.weight + ground_.smoothing), within.low, within.high);
  }
  /// How much squared error goes when a set of rows is given `value`.
  [[nodiscard]] double gain_of(const Sum& sum, double value) const noexcept {
    return 2 * sum.residual * value - (sum.weight + ground_.smoothing) * value * value;
  }

  void split(std::vector<Node>& nodes, std::size_t at, Tree& tree) {
    Node &node = nodes[at], &left = nodes[2 * at + 1], &right = nodes[2 * at + 2];
    left.low = right.low = node.low;
    left.high = right.high = node.high;
    const auto level = static_cast<std::size_t>(std::bit_width(at + 1) - 1);
    const Cut best = level < ground_.options.depth ? find_cut(node) : Cut{};
    if (best.gain <= 0) {
      left.rows = std::move(node.rows);
      left.value = right.value = node.value;
      return;
    }
    const Column& column = ground_.columns[best.term];
    tree.term[at] = static_cast<std::uint8_t>(best.term);
    tree.threshold[at] = column.cuts[best.bin];
    for (const std::uint32_t row : node.rows) (column.bin[row] <= best.bin ? left : right).rows.push_back(row);
    node.rows.clear();
    left.value = best.left;
    right.value = best.right;
    const int sign = ground_.options.keep_signs ? term_sign(best.term) : 0;
    if (sign != 0) {  // what grows below on either side must not cross the middle
      const double middle = (best.left + best.right) / 2;
      (sign > 0 ? left.high : left.low) = middle;
      (sign > 0 ? right.low : right.high) = middle;
    }
  }

  [[nodiscard]] Cut find_cut(const Node& node) {
    Cut best;
    if (node.rows.size() < 2 * ground_.options.leaf_min) return best;
    for (const std::size_t term : terms_) {
      const Column& column = ground_.columns[term];
      if (column.cuts.empty()) continue;
      std::array<Sum, bins_max> bins{};
      Sum all;
      for (const std::uint32_t row : node.rows)
        bins[column.bin[row]].add(static_cast<double>(ground_.residual[row]), weight(row));
      for (const Sum& bin : bins) all.add(bin);
      const double before = gain_of(all, node.value);
      const int sign = ground_.options.keep_signs ? term_sign(term) : 0;
      Sum left;
      for (std::size_t bin = 0; bin < column.cuts.size(); ++bin) {
        left.add(bins[bin]);
        Sum right = all;
        right.residual -= left.residual;
        right.weight -= left.weight;
        right.rows -= left.rows;
        if (left.rows < ground_.options.leaf_min) continue;
        if (right.rows < ground_.options.leaf_min) break;
        const double l = value_of(left, node), r = value_of(right, node);
        if (sign * (r - l) < 0) continue;
        const double gain = gain_of(left, l) + gain_of(right, r) - before;
        if (gain > best.gain + 1e-9) best = {gain, term, bin, l, r};
      }
    }
    return best;
  }

  const Ground& ground_;
  const std::vector<std::size_t>& terms_;
};

/// The first `share` of a shuffle; the standard's shuffle differs between libraries, this one does not.
template <class T>
void draw(std::vector<T>& from, float share, std::mt19937_64& random) {
  const auto wanted = std::max<std::size_t>(1, static_cast<std::size_t>(share * static_cast<float>(from.size())));
  for (std::size_t i = 0; i < wanted; ++i) std::swap(from[i], from[i + random() % (from.size() - i)]);
  from.resize(wanted);
}

}  // namespace

std::vector<Tree> boost(std::span<const Example> examples, const BoostOptions& options) {
  std::vector<Tree> trees;
  if (examples.empty()) return trees;
  std::vector<Column> columns;
  for (std::size_t term = 0; term < term_count; ++term) columns.push_back(column_of(examples, term));
  double weight = 0, mean = 0;
  for (const Example& example : examples) {
    weight += static_cast<double>(example.weight);
    mean += static_cast<double>(example.weight * example.target);
  }
  mean /= weight;
  std::vector<float> residual;
  for (const Example& example : examples) residual.push_back(example.target - static_cast<float>(mean));

  std::mt19937_64 random(options.seed);
  const Ground ground{examples, columns, residual, options, l2 * 100 * weight / static_cast<double>(examples.size())};
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<std::size_t> terms(term_count);
    for (std::size_t i = 0; i < term_count; ++i) terms[i] = i;
    draw(terms, options.terms_share, random);
    std::sort(terms.begin(), terms.end());
    std::vector<std::uint32_t> rows(examples.size());
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::uint32_t>(i);
    draw(rows, options.rows_share, random);
    std::sort(rows.begin(), rows.end());
    trees.push_back(Grower(ground, terms).grow(std::move(rows)));
    const std::span<const Tree> last(&trees.back(), 1);
    for (std::size_t i = 0; i < residual.size(); ++i) residual[i] -= sum_of(last, *examples[i].terms);
  }
  return trees;
}

float sum_of(std::span<const Tree> trees, const TermValues& terms) noexcept {
  float sum = 0;
  for (const Tree& tree : trees) {
    std::size_t node = 0;
    for (std::size_t level = 0; level < tree_depth; ++level) {
      node = 2 * node + 1 + static_cast<std::size_t>(terms[tree.term[node]] > tree.threshold[node]);
    }
    sum += tree.value[node];
  }
  return sum;
}

void shift(std::span<Tree> trees, float more) noexcept {
  if (trees.empty()) return;
  for (float& value : trees.front().value) value += more;
}

void scale(std::span<Tree> trees, float factor) noexcept {
  for (Tree& tree : trees) {
    for (float& value : tree.value) value *= factor;
  }
}

}  // namespace tollgate::training
