#pragma once
// Reads typed values out of a YAML tree and collects every finding, so that one run shows all that is wrong with a
// file.
//
//    MapReader server(root.at("server"));            // absent: every read below leaves its default alone
//    server.integer("reactors", config.reactors, 0, 1024);
//    server.seconds("drain_seconds", config.drain, 0s, 1h);
//    // the destructor reports every key of the map that was never asked for
//
// A key is known because it was asked for: what the loader accepts and what it calls unknown cannot drift apart, and
// Reading::accepted lists it for the test that compares it with the schema.
// Values are read after variables were put in (interpolate.hpp). Messages quote a value only as it stands in the file,
// never with its variables filled in, and never that of a secret.

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/as_written.hpp"
#include "config/config.hpp"
#include "config/yaml_tree.hpp"

namespace tollgate {

/// One load in progress: where variables come from, and what was found wrong.
struct Reading {
  struct Finding {
    Place place;
    std::string message;
  };
  const Environment& environment;
  std::vector<Finding> findings;
  std::set<std::string> accepted;  ///< every key asked for, as "backends.*.models.*.upstream", "auth.keys[].name"
  Noted noted;                     ///< secrets and variables that were read

  void report(Place place, std::string message) { findings.push_back({place, std::move(message)}); }
};

/// A place in the tree, present or not, with its path. Cheap to copy; lives as long as the tree and the Reading.
class Cursor {
 public:
  Cursor(Reading& reading, const YamlNode* node, std::string path, std::string pattern, Place parent)
      : reading_(&reading), node_(node), path_(std::move(path)), pattern_(std::move(pattern)), parent_(parent) {}

  [[nodiscard]] bool present() const noexcept { return node_ != nullptr; }
  [[nodiscard]] bool is_map() const noexcept { return present() && node_->kind == YamlNode::Kind::map; }
  [[nodiscard]] bool is_list() const noexcept { return present() && node_->kind == YamlNode::Kind::sequence; }
  [[nodiscard]] bool is_scalar() const noexcept { return present() && node_->kind == YamlNode::Kind::scalar; }
  /// Of the value; of the map around it if it is absent.
  [[nodiscard]] Place place() const noexcept { return present() ? node_->place : parent_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Reading& reading() const noexcept { return *reading_; }

  /// Adds the finding "path: message" at this place. The message says what is wrong and what would be right.
  void report(std::string_view message) const;

  // Each reads the present value, or reports why it cannot and returns nullopt. None may be called on an absent one.
  [[nodiscard]] std::optional<std::string> text() const;    ///< not empty
  [[nodiscard]] std::optional<std::string> secret() const;  ///< not empty; never quoted
  [[nodiscard]] std::optional<bool> flag() const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::int64_t min, std::int64_t max) const;
  /// Exactly so many decimals, from min to max in units of the last one.
  [[nodiscard]] std::optional<Int128> decimal(int decimals, Int128 min, Int128 max) const;
  [[nodiscard]] std::optional<std::size_t> one_of(std::span<const std::string> words) const;  ///< index of the word
  [[nodiscard]] std::vector<Cursor> items() const;                                            ///< of a list
  [[nodiscard]] std::vector<Cursor> one_or_more() const;  ///< of a list that is not empty, or the value itself
  [[nodiscard]] std::vector<std::string> texts() const;   ///< of one_or_more()
  /// Entries of a map whose keys the user chose, each key with its place; duplicates are reported and left out.
  [[nodiscard]] std::vector<std::pair<YamlKey, Cursor>> entries() const;
  /// Lists a key of such a map that has a meaning of its own as an accepted one.
  void accept(std::string_view key) const;

 private:
  friend class MapReader;
  [[nodiscard]] std::vector<std::pair<YamlKey, Cursor>> unique_entries() const;
  [[nodiscard]] bool report_unless(YamlNode::Kind kind, std::string_view wanted) const;
  [[nodiscard]] std::string quoted() const;  ///< the value as written, for a message
  [[nodiscard]] std::optional<std::string> value(bool is_secret) const;

  Reading* reading_;
  const YamlNode* node_;
  std::string path_, pattern_;
  Place parent_;
};

class MapReader {
 public:
  explicit MapReader(Cursor cursor);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;
  ~MapReader();  ///< reports unknown keys

  [[nodiscard]] const Cursor& cursor() const noexcept { return cursor_; }
  /// The value of a key, which becomes a known one.
  [[nodiscard]] Cursor at(std::string_view key);
  /// The same; reports if it is absent while the map itself is there.
  [[nodiscard]] Cursor required(std::string_view key);

  // Each overwrites `out` if the key is there and its value is right.
  void text(std::string_view key, std::string& out);
  void flag(std::string_view key, bool& out);
  void seconds(std::string_view key, milliseconds& out, milliseconds min, milliseconds max);  ///< "0.25" is 250 ms
  void millis(std::string_view key, milliseconds& out, milliseconds min, milliseconds max);
  /// From 0 to 1, at most six decimals.
  void share(std::string_view key, double& out);
  template <class Integer>
  void integer(std::string_view key, Integer& out, std::int64_t min, std::int64_t max) {
    const Cursor value = at(key);
    if (!value.present()) return;
    if (const auto read = value.integer(min, max)) out = static_cast<Integer>(*read);
  }
  /// `words[i]` stands for `values[i]`.
  template <class Enum, std::size_t n>
  void choice(std::string_view key, Enum& out, const std::pair<std::string_view, Enum> (&choices)[n]) {
    const Cursor value = at(key);
    if (!value.present()) return;
    std::vector<std::string> words;
    for (const auto& choice : choices) words.emplace_back(choice.first);
    if (const auto index = value.one_of(words)) out = choices[*index].second;
  }

 private:
  Cursor cursor_;
  std::vector<std::string> known_;
};

/// Reads a share in [0,1] with at most six decimals.
[[nodiscard]] std::optional<double> read_share(const Cursor& value);

}  // namespace tollgate
