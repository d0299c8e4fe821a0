// How often detection is wrong, on samples that were written after its rules and kept aside (data/pii_aside.txt). The
// table it prints is published in docs/routing/constraints.md, and must be the same there.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "pii_samples.hpp"
#include "router/pii.hpp"
#include "router/plain_text.hpp"

namespace tollgate {
namespace {

struct Counts {
  int planted = 0, found = 0, other_kind = 0, missed = 0, false_alarms = 0;
};
using Table = std::array<Counts, pii_kind_count>;

struct Place {
  PiiKind kind;
  std::size_t begin, end;
};

/// Where the planted values stand in the sample's text, in their order.
std::vector<Place> places_of(const testing::Sample& sample) {
  std::vector<Place> places;
  std::size_t from = 0;
  for (const auto& [kind, value] : sample.values) {
    const std::size_t begin = sample.text.find(value, from);
    from = begin + value.size();
    places.push_back({kind, begin, from});
  }
  return places;
}

void count(const testing::Sample& sample, Table& table, std::ostream& wrong) {
  PlainText plain;
  plain.assign(sample.text);
  std::vector<PiiFinding> findings;
  PiiSink sink{usual_pii_kinds, &findings, {}};
  find_pii(plain.view(), sink);
  std::vector<Place> found;
  for (const PiiFinding& each : findings) {
    found.push_back({each.kind, plain.raw_offset(each.begin), plain.raw_offset(each.end)});
  }
  const std::vector<Place> planted = places_of(sample);
  const auto say = [&](const char* what, const Place& place) {
    wrong << "line " << sample.line << ": " << what << " " << name_of(place.kind) << " "
          << sample.text.substr(place.begin, place.end - place.begin) << "\n";
  };
  for (const Place& each : planted) {
    Counts& counts = table[static_cast<std::size_t>(each.kind)];
    ++counts.planted;
    // Found is what would be masked as a whole; a value of which a part is left over is missed.
    const auto covers = [&](const Place& one) { return one.begin <= each.begin && one.end >= each.end; };
    const auto finding = std::find_if(found.begin(), found.end(), covers);
    if (finding == found.end()) {
      ++counts.missed;
      say("missed", each);
    } else if (finding->kind != each.kind) {
      ++counts.other_kind;
      say("found as another kind:", *finding);
    } else {
      ++counts.found;
    }
  }
  for (const Place& each : found) {
    const bool meant = std::any_of(planted.begin(), planted.end(),
                                   [&](const Place& one) { return one.begin < each.end && each.begin < one.end; });
    if (meant) continue;
    ++table[static_cast<std::size_t>(each.kind)].false_alarms;
    say("false alarm:", each);
  }
}

std::string cells(const Counts& counts) {
  std::ostringstream out;
  out << " " << counts.planted << " | " << counts.found + counts.other_kind << " | " << counts.missed << " | "
      << counts.false_alarms << " |";
  return out.str();
}

Table counted(const char* file, std::size_t samples_min, std::ostream& wrong) {
  const std::vector<testing::Sample> samples = testing::samples_of(file);
  EXPECT_GT(samples.size(), samples_min);
  Table table{};
  wrong << file << "\n";
  for (const testing::Sample& sample : samples) count(sample, table, wrong);
  return table;
}

Counts sum_of(const Table& table) {
  Counts all;
  for (const Counts& counts : table) {
    all = {all.planted + counts.planted, all.found + counts.found, all.other_kind + counts.other_kind,
           all.missed + counts.missed, all.false_alarms + counts.false_alarms};
  }
  return all;
}

TEST(PiiAside, TheDocumentSaysHowOftenDetectionIsWrong) {
  std::ostringstream wrong;
  const Table first = counted("pii_aside.txt", 240, wrong), second = counted("pii_second.txt", 180, wrong);
  std::ifstream in(std::string(SOURCE_DIR) + "/docs/routing/constraints.md");
  const std::string document{std::istreambuf_iterator<char>(in), {}};
  std::vector<std::string> rows{"| all |" + cells(sum_of(first)) + cells(sum_of(second))};
  for (std::size_t i = 0; i < pii_kind_count; ++i) {
    if (static_cast<PiiKind>(i) == PiiKind::ip) continue;  // counts only where it is asked for by name
    rows.push_back("| `" + std::string(name_of(static_cast<PiiKind>(i))) + "` |" + cells(first[i]) + cells(second[i]));
  }
  for (const std::string& row : rows) {
    EXPECT_NE(document.find(row), std::string::npos) << "docs/routing/constraints.md lacks this row:\n" << row;
  }
  if (HasFailure()) std::cout << wrong.str();
}

}  // namespace
}  // namespace tollgate
