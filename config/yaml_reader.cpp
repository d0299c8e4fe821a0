#include "config/yaml_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "config/decimal.hpp"
#include "config/interpolate.hpp"
#include "config/spelling.hpp"
#include "config/utf8.hpp"

namespace tollgate {
namespace {

constexpr std::size_t quoted_bytes_max = 60;
constexpr int share_decimals = 6;
constexpr double share_units = 1e6;

std::string_view name_of(YamlNode::Kind kind) noexcept {
  switch (kind) {
    case YamlNode::Kind::null:
      return "no value";
    case YamlNode::Kind::scalar:
      return "a single value";
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::map:
      return "a map of keys";
  }
  return "something else";
}

bool is_plain_text(std::string_view text) noexcept {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = utf8_length(text);
    if (length == 0 || byte < 0x20 || byte == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string joined(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

}  // namespace

void Cursor::report(std::string_view message) const {
  reading_->report(place(), path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message));
}

bool Cursor::report_unless(YamlNode::Kind kind, std::string_view wanted) const {
  if (node_->kind == kind) return true;
  if (node_->kind == YamlNode::Kind::null) {
    report(fmt::format("has no value; give it {} or remove the key", wanted));
  } else {
    report(fmt::format("{} was expected, not {}", wanted, name_of(node_->kind)));
  }
  return false;
}

std::string Cursor::quoted() const {
  if (node_->text.size() <= quoted_bytes_max) return fmt::format("'{}'", node_->text);
  std::size_t cut = quoted_bytes_max;
  while (cut > 0 && (static_cast<unsigned char>(node_->text[cut]) & 0xC0U) == 0x80U) --cut;  // not inside a character
  return fmt::format("'{}…'", std::string_view(node_->text).substr(0, cut));
}

std::optional<std::string> Cursor::value(bool is_secret) const {
  if (!report_unless(YamlNode::Kind::scalar, "a text")) return std::nullopt;
  Noted& noted = reading_->noted;
  if (is_secret) noted.secrets.push_back({node_->place, node_->text});
  const Environment environment = [&](std::string_view name) {
    std::optional<std::string> found = reading_->environment(name);
    if (is_secret) {
      noted.secret_variables.emplace(name);
    } else if (found) {
      noted.variables.emplace(name, *found);
    }
    return found;
  };
  Result<std::string> value = interpolate(node_->text, environment);
  if (!value) {
    report(value.error().message);
    return std::nullopt;
  }
  if (value.value().empty()) {
    const bool from_variable = node_->text.find('$') != std::string::npos;
    report(from_variable ? "is empty after its variables were put in; set them"
                         : "is empty; write a value or remove the key");
    return std::nullopt;
  }
  // Values become headers, JSON and log lines; a variable or an escape could bring in what a file may not hold.
  if (!is_plain_text(value.value())) {
    report("holds a line break, a control character or bytes that are not UTF-8; remove them");
    return std::nullopt;
  }
  return std::move(value.value());
}

std::optional<std::string> Cursor::secret() const { return value(true); }
std::optional<std::string> Cursor::text() const { return value(false); }

std::optional<bool> Cursor::flag() const {
  const std::optional<std::string> word = text();
  if (!word) return std::nullopt;
  if (*word == "true") return true;
  if (*word == "false") return false;
  report(fmt::format("true or false was expected, not {}", quoted()));
  return std::nullopt;
}

std::optional<std::int64_t> Cursor::integer(std::int64_t min, std::int64_t max) const {
  const std::optional<std::string> digits = text();
  if (!digits) return std::nullopt;
  std::int64_t value = 0;
  const char* const end = digits->data() + digits->size();
  const auto [stopped, error] = std::from_chars(digits->data(), end, value);
  if (stopped != end || (error != std::errc() && error != std::errc::result_out_of_range)) {
    report(
        fmt::format("a whole number from {} to {} was expected, without unit or blanks, not {}", min, max, quoted()));
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range || value < min || value > max) {
    report(fmt::format("{} is out of range; it goes from {} to {}", quoted(), min, max));
    return std::nullopt;
  }
  return value;
}

std::optional<Int128> Cursor::decimal(int decimals, Int128 min, Int128 max) const {
  const std::optional<std::string> digits = text();
  if (!digits) return std::nullopt;
  const Result<Int128> value = parse_decimal(*digits, decimals);
  if (!value) {
    report(fmt::format("{} is not a decimal number: {}", quoted(), value.error().message));
    return std::nullopt;
  }
  if (value.value() < min || value.value() > max) {
    report(fmt::format("{} is out of range; it goes from {} to {}", quoted(), decimal_text(min, decimals),
                       decimal_text(max, decimals)));
    return std::nullopt;
  }
  return value.value();
}

std::optional<std::size_t> Cursor::one_of(std::span<const std::string> words) const {
  const std::optional<std::string> word = text();
  if (!word) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), *word);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  report(fmt::format("{} is not one of the choices{}", quoted(), suggestion_for(*word, words)));
  return std::nullopt;
}

std::vector<Cursor> Cursor::items() const {
  std::vector<Cursor> items;
  if (!report_unless(YamlNode::Kind::sequence, "a list")) return items;
  for (std::size_t i = 0; i < node_->children.size(); ++i) {
    const YamlNode& child = node_->children[i];
    items.emplace_back(*reading_, &child, fmt::format("{}[{}]", path_, i), pattern_ + "[]", child.place);
  }
  return items;
}

std::vector<Cursor> Cursor::one_or_more() const {
  if (node_->kind == YamlNode::Kind::scalar) return {*this};
  if (node_->kind != YamlNode::Kind::sequence) {
    (void)report_unless(YamlNode::Kind::sequence, "a value or a list of values");
    return {};
  }
  if (node_->children.empty()) report("the list is empty; name at least one value or remove the key");
  return items();
}

std::vector<std::string> Cursor::texts() const {
  std::vector<std::string> texts;
  for (const Cursor& item : one_or_more()) {
    if (std::optional<std::string> value = item.text()) texts.push_back(std::move(*value));
  }
  return texts;
}

std::vector<std::pair<YamlKey, Cursor>> Cursor::entries() const {
  accept("*");
  return unique_entries();
}

void Cursor::accept(std::string_view key) const { reading_->accepted.insert(joined(pattern_, key)); }

std::vector<std::pair<YamlKey, Cursor>> Cursor::unique_entries() const {
  std::vector<std::pair<YamlKey, Cursor>> entries;
  if (!report_unless(YamlNode::Kind::map, "a map of names to values")) return entries;
  std::map<std::string_view, Place> seen;
  for (std::size_t i = 0; i < node_->keys.size(); ++i) {
    const YamlKey& key = node_->keys[i];
    const auto [first, is_new] = seen.emplace(key.text, key.place);
    if (!is_new) {
      reading_->report(key.place, fmt::format("{}: stands here a second time (first in line {}); remove one",
                                              joined(path_, key.text), first->second.line));
      continue;
    }
    entries.emplace_back(
        key, Cursor(*reading_, &node_->children[i], joined(path_, key.text), joined(pattern_, "*"), key.place));
  }
  return entries;
}

MapReader::MapReader(Cursor cursor) : cursor_(std::move(cursor)) {
  if (cursor_.present() && !cursor_.report_unless(YamlNode::Kind::map, "a map of keys")) cursor_.node_ = nullptr;
}

MapReader::~MapReader() {
  if (!cursor_.present()) return;
  for (const auto& [key, value] : cursor_.unique_entries()) {
    if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
    const std::string path = joined(cursor_.path_, key.text);
    cursor_.reading_->report(key.place, key.text == "<<"
                                            ? fmt::format("{}: merge keys are not supported; write the keys out", path)
                                            : fmt::format("{}: unknown key{}", path, suggestion_for(key.text, known_)));
  }
}

Cursor MapReader::at(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  std::string pattern = joined(cursor_.pattern_, key);
  cursor_.reading_->accepted.insert(pattern);
  const YamlNode* value = nullptr;
  if (cursor_.present()) {
    const auto& keys = cursor_.node_->keys;
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const YamlKey& k) { return k.text == key; });
    if (found != keys.end()) value = &cursor_.node_->children[static_cast<std::size_t>(found - keys.begin())];
  }
  return {*cursor_.reading_, value, joined(cursor_.path_, key), std::move(pattern), cursor_.place()};
}

Cursor MapReader::required(std::string_view key) {
  Cursor value = at(key);
  if (cursor_.present() && !value.present()) value.report("is missing; add it");
  return value;
}

void MapReader::text(std::string_view key, std::string& out) {
  const Cursor value = at(key);
  if (!value.present()) return;
  if (auto read = value.text()) out = std::move(*read);
}

void MapReader::flag(std::string_view key, bool& out) {
  const Cursor value = at(key);
  if (!value.present()) return;
  if (const auto read = value.flag()) out = *read;
}

void MapReader::seconds(std::string_view key, milliseconds& out, milliseconds min, milliseconds max) {
  const Cursor value = at(key);
  if (!value.present()) return;
  constexpr int decimals_of_seconds = 3;
  if (const auto read = value.decimal(decimals_of_seconds, min.count(), max.count()))
    out = milliseconds(static_cast<std::int64_t>(*read));
}

void MapReader::millis(std::string_view key, milliseconds& out, milliseconds min, milliseconds max) {
  const Cursor value = at(key);
  if (!value.present()) return;
  if (const auto read = value.integer(min.count(), max.count())) out = milliseconds(*read);
}

void MapReader::share(std::string_view key, double& out) {
  const Cursor value = at(key);
  if (!value.present()) return;
  if (const auto read = read_share(value)) out = *read;
}

std::optional<double> read_share(const Cursor& value) {
  const auto units = value.decimal(share_decimals, 0, static_cast<Int128>(share_units));
  if (!units) return std::nullopt;
  return static_cast<double>(static_cast<std::int64_t>(*units)) / share_units;
}

}  // namespace tollgate
