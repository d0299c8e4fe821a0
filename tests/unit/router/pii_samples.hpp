#pragma once
// Samples of texts with and without personal data (data/pii_*.txt): one per line, [[kind:value]] marks what must be found.

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "config/pii_kind.hpp"

namespace tollgate::testing {

struct Sample {
  std::string text;
  std::vector<std::pair<PiiKind, std::string>> values;
  bool known_wrong = false;
  int line = 0;
};

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

inline Sample sample_of(std::string line) {
  Sample sample;
  line = replaced(replaced(line, "\\n", "\n"), "¦", "");
  if (line.starts_with('!')) {
    sample.known_wrong = true;
    line.erase(0, 1);
  }
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t open = line.find("[[", at), colon = open == std::string::npos ? open : line.find(':', open);
    const std::string name = colon == std::string::npos ? "" : line.substr(open + 2, colon - open - 2);
    const auto kind = pii_kinds_named(name);
    if (!kind) {
      sample.text += line.substr(at);
      break;
    }
    const std::size_t close = line.find("]]", colon);
    const std::string value = line.substr(colon + 1, close - colon - 1);
    for (std::size_t i = 0; i < pii_kind_count; ++i) {
      if (*kind == PiiKinds(static_cast<PiiKind>(i))) sample.values.emplace_back(static_cast<PiiKind>(i), value);
    }
    sample.text += line.substr(at, open - at) + value;
    at = close + 2;
  }
  return sample;
}

inline std::vector<Sample> samples_of(const std::string& name) {
  std::ifstream in(std::string(TEST_DATA) + "/" + name);
  std::vector<Sample> samples;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    samples.push_back(sample_of(line));
    samples.back().line = number;
  }
  return samples;
}

}  // namespace tollgate::testing
