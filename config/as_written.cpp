#include "config/as_written.hpp"

#include <algorithm>
#include <optional>

#include "config/draft.hpp"
#include "config/sha256.hpp"

namespace tollgate {
namespace {

constexpr std::string_view kept_prefix = "TOLLGATE_KEPT_";
constexpr std::size_t telling_bytes_min = 8;      // shorter secrets ("none") are words of the language as well
constexpr std::size_t comment_token_min = 20;     // of letters and digits: likely a key

bool is_word(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_variable_character(char c) noexcept { return is_word(c) && c != '-'; }

/// "${NAME}", "${NAME:?message}", "${NAME:-}": nothing of the secret itself stands there.
bool is_only_a_variable(std::string_view text) noexcept {
  if (!text.starts_with("${") || text.find('}') != text.size() - 1) return false;
  std::string_view inside = text.substr(2, text.size() - 3);
  while (!inside.empty() && is_variable_character(inside.front())) inside.remove_prefix(1);
  return inside.empty() || inside == ":-" || inside.starts_with(":?");
}

std::string marker(std::size_t number) { return "${" + std::string(kept_prefix) + std::to_string(number) + ":?the page does not show this value, put it back}"; }

/// Behind a blank, and not within quotes.
bool begins_comment(std::string_view line, std::size_t hash) noexcept {
  char open = '\0';
  for (std::size_t i = 0; i < hash; ++i) {
    const bool begins_value = i == 0 || std::string_view(" \t[{,:").find(line[i - 1]) != std::string_view::npos;   // not the one of "it's"
    if (open == '\0' && begins_value && (line[i] == '"' || line[i] == '\'')) {
      open = line[i];
    } else if (open != '\0' && line[i] == open) {
      open = '\0';
    }
  }
  return open == '\0' && (hash == 0 || line[hash - 1] == ' ' || line[hash - 1] == '\t');
}

struct Span {
  std::size_t at = 0, length = 0;
};

/// Where a scalar stands that begins at `at`; nullopt: it is written in a way that is not looked through here (alias, block, several lines).
std::optional<Span> span_of(std::string_view text, std::size_t at, const std::string& written) {
  const char quote = text[at];
  if (quote == '"' || quote == '\'') {
    for (std::size_t end = at + 1; end < text.size(); ++end) {
      if (quote == '"' && text[end] == '\\') {
        ++end;
      } else if (text[end] == quote) {
        if (quote == '\'' && end + 1 < text.size() && text[end + 1] == quote) {
          ++end;
        } else {
          return Span{at, end + 1 - at};
        }
      }
    }
    return std::nullopt;
  }
  if (written.empty() || text.substr(at, written.size()) != written) return std::nullopt;
  return Span{at, written.size()};
}

class Redaction {
 public:
  explicit Redaction(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  /// False: it could not be hidden.
  bool hide(const Noted::SecretValue& secret) {
    if (is_only_a_variable(secret.written)) return true;
    const std::string mark = marker(++kept_);
    bool hidden = false;
    if (const std::optional<std::size_t> at = offset_of(secret.place)) {
      if (const std::optional<Span> span = span_of(text_, *at, secret.written)) hidden = add(*span, '"' + mark + '"');
    }
    if (secret.written.size() < telling_bytes_min) return hidden;
    // Anchors, blocks, comments: wherever else it stands.
    for (std::size_t at = text_.find(secret.written); at != std::string_view::npos; at = text_.find(secret.written, at + 1)) {
      hidden = add({at, secret.written.size()}, mark) || hidden;
    }
    return hidden;
  }

  void hide_in_comments() {
    for (std::size_t line = 0; line < starts_.size(); ++line) {
      const std::size_t begin = starts_[line], end = line + 1 < starts_.size() ? starts_[line + 1] - 1 : text_.size();
      const std::string_view whole = text_.substr(begin, end - begin);
      std::size_t hash = whole.find('#');
      while (hash != std::string_view::npos && !begins_comment(whole, hash)) hash = whole.find('#', hash + 1);
      if (hash != std::string_view::npos) hide_in_comment(begin + hash, end);
    }
  }

  [[nodiscard]] std::string take() {
    std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.span.at > b.span.at; });
    std::string out(text_);
    for (const Change& change : changes_) out.replace(change.span.at, change.span.length, change.text);
    return out;
  }

 private:
  struct Change {
    Span span;
    std::string text;
  };

  [[nodiscard]] std::optional<std::size_t> offset_of(Place place) const {
    if (place.line == 0 || place.line > starts_.size() || place.column == 0) return std::nullopt;
    const std::size_t at = starts_[place.line - 1] + place.column - 1;
    return at < text_.size() ? std::optional(at) : std::nullopt;
  }

  /// False: something there is replaced already, and that hides it too only if it covers all of it.
  bool add(Span span, std::string by) {
    for (const Change& change : changes_) {
      const bool apart = span.at >= change.span.at + change.span.length || change.span.at >= span.at + span.length;
      if (!apart) return change.span.at <= span.at && change.span.at + change.span.length >= span.at + span.length;
    }
    changes_.push_back({span, std::move(by)});
    return true;
  }

  /// Values behind names of secrets, and long words with digits in them.
  void hide_in_comment(std::size_t begin, std::size_t end) {
    constexpr std::string_view names[] = {"api_key", "api_keys", "access_key_id", "secret_access_key", "session_token", "sha256", "password", "secret", "token"};
    std::string_view before;
    for (std::size_t at = begin; at < end;) {
      if (!is_word(text_[at])) {
        if (text_[at] == '#') before = {};
        ++at;
        continue;
      }
      std::size_t stop = at;
      while (stop < end && is_word(text_[stop])) ++stop;
      const std::string_view word = text_.substr(at, stop - at);
      const bool long_one = word.size() >= comment_token_min && std::any_of(word.begin(), word.end(), is_digit);
      const bool is_value = std::find(std::begin(names), std::end(names), before) != std::end(names) && !(at >= 2 && text_.substr(at - 2, 2) == "${");
      if (long_one) add({at, word.size()}, "(not shown)");
      if (is_value && !long_one) {
        std::size_t rest = stop;
        while (rest < end && text_[rest] != ' ' && text_[rest] != ',' && text_[rest] != '}') ++rest;
        add({at, rest - at}, "(not shown)");
        stop = rest;
      }
      before = stop < end && (text_[stop] == ':' || text_[stop] == '=') ? word : std::string_view();
      at = stop;
    }
  }

  std::string_view text_;
  std::vector<std::size_t> starts_;
  std::vector<Change> changes_;
  std::size_t kept_ = 0;
};

template <class Visit>
void each_file(const YamlNode& node, const Visit& visit) {
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const YamlNode& child = node.children[i];
    const bool named = node.kind == YamlNode::Kind::map && (node.keys[i].text == "file" || node.keys[i].text.ends_with("_file"));
    if (named && child.kind == YamlNode::Kind::scalar) visit(child);
    each_file(child, visit);
  }
}

}  // namespace

AsWritten read_as_written(std::string_view yaml, const Environment& environment) {
  AsWritten out;
  const Loaded loaded = load_and_list_keys(yaml, "", environment);
  const Noted& noted = loaded.noted;
  YamlProblem ignored;
  const std::optional<YamlNode> tree = parse_yaml(yaml, ignored);
  if (!loaded.config || !tree) return out;
  out.variables = noted.variables;
  for (const std::string& name : noted.secret_variables) out.variables.erase(name);
  each_file(*tree, [&](const YamlNode& file) { out.files.insert(file.text); });
  Redaction redaction(yaml);
  const bool all_hidden = std::all_of(noted.secrets.begin(), noted.secrets.end(), [&](const Noted::SecretValue& secret) { return redaction.hide(secret); });
  if (!all_hidden) return out;
  redaction.hide_in_comments();
  out.text = redaction.take();
  return out;
}

std::vector<ForeignFile> foreign_files(std::string_view edited, const AsWritten& in_force) {
  std::vector<ForeignFile> found;
  YamlProblem ignored;
  const std::optional<YamlNode> tree = parse_yaml(edited, ignored);
  if (!tree) return found;
  each_file(*tree, [&](const YamlNode& file) {
    if (!in_force.files.contains(file.text)) found.push_back({file.place, file.text});
  });
  return found;
}

std::vector<std::string> environment_for(std::string_view edited, const AsWritten& in_force) {
  std::vector<std::string> all;
  for (const auto& [name, value] : in_force.variables) all.push_back(name + "=" + value);
  std::set<std::string> made_up;
  for (std::size_t at = edited.find("${"); at != std::string_view::npos; at = edited.find("${", at + 2)) {
    std::size_t end = at + 2;
    while (end < edited.size() && is_variable_character(edited[end])) ++end;
    const std::string name(edited.substr(at + 2, end - at - 2));
    const bool has_default = edited.substr(end, 2) == ":-";
    // What the dynamic linker listens to is no variable of anybody's.
    if (name.empty() || has_default || name.starts_with("LD_") || in_force.variables.contains(name) || !made_up.insert(name).second) continue;
    all.push_back(name + "=" + sha256_hex(name));
  }
  return all;
}

}  // namespace tollgate
