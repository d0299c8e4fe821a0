#pragma once
// What the trainer learns from: requests with tiers (requests.jsonl) and prompts with the outcomes of a weak and a
// strong model (CSV, plain or gzip, with the columns prompt, group, weak_ok, strong_ok), each as the program itself
// would see it.

#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"
#include "router/features.hpp"
#include "router/terms.hpp"

namespace tollgate::training {

/// A request as the model sees it.
struct Seen {
  TermValues terms{};
  Lexical words;
  std::size_t characters = 0;  ///< of the prompt, to compare with
};

struct Labelled {
  Seen seen;
  int tier = 0;  ///< 0 SIMPLE … 3 REASONING
  std::string kind, language;
  int core = 0;  ///< rows of one core never stand on both sides of a split
};

struct Outcome {
  Seen seen;
  float weak = 0, strong = 0;  ///< quality in [0,1]
  std::string group;
};

struct Source {
  std::string name;
  std::vector<Outcome> rows;
};

[[nodiscard]] Result<std::vector<Labelled>> read_labelled(const std::string& path);
[[nodiscard]] Result<Source> read_source(const std::string& path);
/// Records of a CSV text: quoted fields may hold commas, line ends and doubled quotes.
[[nodiscard]] std::vector<std::vector<std::string>> read_csv(std::string_view text);

}  // namespace tollgate::training
