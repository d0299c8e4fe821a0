#include "router/text_zones.hpp"

#include <algorithm>
#include <bit>

#include "router/blocks.hpp"

namespace tollgate {
namespace {

constexpr std::size_t head_paragraph_max = 800;      // a first paragraph past it is partly material
constexpr std::size_t tail_paragraph_max = 600;      // a last paragraph past it is probably material …
constexpr std::size_t tail_of_long_paragraph = 300;  // … but its end may be the question
constexpr unsigned options_min = 3;                  // fewer lines that begin so are no multiple choice
constexpr std::size_t heading_paragraph_min = 12;    // "Hi!", "Task:": the instruction is the next paragraph

/// Agent frameworks and RAG prompts wrap what they add in tags; these hold material …
constexpr std::string_view material_tags[] = {"document",
                                              "documents",
                                              "context",
                                              "file",
                                              "files",
                                              "file_content",
                                              "environment_details",
                                              "system-reminder",
                                              "source",
                                              "sources",
                                              "article",
                                              "text",
                                              "transcript",
                                              "log",
                                              "logs",
                                              "data",
                                              "example",
                                              "examples",
                                              "email",
                                              "passage",
                                              "code",
                                              "history",
                                              "search_results",
                                              "output",
                                              "contract",
                                              "memory",
                                              "retrieved",
                                              "attachment",
                                              "additional_data",
                                              "open_files",
                                              "current_file",
                                              "result"};
/// … and these the instruction itself: where one stands, all outside it is material.
constexpr std::string_view instruction_tags[] = {"task",        "question",     "query",        "user_query",
                                                 "instruction", "instructions", "user_request", "request",
                                                 "prompt",      "user_message"};

template <class T>
void count(T& counter) noexcept {
  if (counter != static_cast<T>(-1)) ++counter;
}

bool is_letter(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

class ZoneFinder {
 public:
  ZoneFinder(const FoldedText& folded, Turn& turn) noexcept
      : text_(folded.text), size_(folded.size), cut_(folded.cut), turn_(turn) {}

  Zones find() noexcept {
    begin_line(0);
    for (std::size_t at = 0; at < size_; at += block_bytes) {
      const Block block(text_ + at);
      std::uint32_t marks = block.equal('\n') | block.equal('`') | block.equal('<') | block.equal('$') |
                            block.equal('\\') | block.equal('?') | block.equal('^') | block.equal('\xE2');
      for (; marks != 0; marks &= marks - 1) {
        const std::size_t position = at + static_cast<std::size_t>(std::countr_zero(marks));
        if (position >= size_) break;
        if (position >= next_) take(position);
      }
    }
    if (material()) close_material(size_);
    return zones();
  }

 private:
  [[nodiscard]] char peek(std::size_t at) const noexcept { return at < size_ ? text_[at] : '\0'; }
  [[nodiscard]] bool material() const noexcept { return fenced_ || !tag_.empty(); }

  void take(std::size_t at) noexcept {
    switch (text_[at]) {
      case '\n':
        line_end(at);
        break;
      case '`':
        backtick(at);
        break;
      case '<':
        tag(at);
        break;
      case '$':
        dollar(at);
        break;
      case '\\':
        backslash(at);
        break;
      case '?':
        if (!material()) count(turn_.questions);
        break;
      case '^':
        if (at > 0 && !material() && text_[at - 1] != ' ') count(turn_.formulas);
        break;
      default:
        symbol(at);
    }
  }

  void line_end(std::size_t at) noexcept {
    std::size_t next = at + 1;
    while (peek(next) == ' ') ++next;
    if (first_line_end_ == 0 && at >= heading_paragraph_min && !is_list_item(next)) first_line_end_ = at;
    if (next < size_ && peek(next) != '\n') last_line_ = next;
    if (peek(next) == '\n') {  // a paragraph ends
      if (first_break_ == 0 && at >= heading_paragraph_min) first_break_ = at;
      last_break_ = next;
    }
    begin_line(next);
  }

  [[nodiscard]] bool is_list_item(std::size_t at) const noexcept {
    const char c = peek(at);
    if (c == '-' || c == '*') return peek(at + 1) == ' ';
    if (!is_digit(c)) return false;
    while (is_digit(peek(at))) ++at;
    return (peek(at) == '.' || peek(at) == ')') && peek(at + 1) == ' ';
  }

  void begin_line(std::size_t at) noexcept {
    if (fenced_) return;
    const char c = peek(at);
    if (is_list_item(at)) {
      count(turn_.list_items);
    } else if (!is_digit(c)) {
      if (c == '(') ++at;
      const char letter = peek(at);
      if (letter >= 'a' && letter <= 'j' && (peek(at + 1) == '.' || peek(at + 1) == ')') && peek(at + 2) == ' ') {
        count(turn_.options);
        if (turn_.options == 1) options_begin_ = at;
      }
    }
  }

  void backtick(std::size_t at) noexcept {
    if (peek(at + 1) != '`' || peek(at + 2) != '`') return;
    next_ = at + 3;
    if (!tag_.empty()) return;
    if (fenced_) {
      fenced_ = false;
      close_material(at);
    } else {
      count(turn_.code_fences);
      fenced_ = true;
      material_begin_ = at;
    }
  }

  void tag(std::size_t at) noexcept {
    if (fenced_) return;
    const bool closes = peek(at + 1) == '/';
    const std::size_t begin = at + (closes ? 2 : 1);
    std::size_t end = begin;
    while (end - begin < 24 && (is_letter(peek(end)) || peek(end) == '_' || peek(end) == '-')) ++end;
    if (end == begin || (peek(end) != '>' && peek(end) != ' ')) return;
    const std::string_view name(text_ + begin, end - begin);
    if (closes) {
      close_tag(name, at);
    } else if (tag_.empty()) {
      if (std::find(std::begin(material_tags), std::end(material_tags), name) != std::end(material_tags)) {
        tag_ = name;
        material_begin_ = at;
      } else if (instruction_open_ == 0 && std::find(std::begin(instruction_tags), std::end(instruction_tags), name) !=
                                               std::end(instruction_tags)) {
        instruction_open_ = end + 1;
      }
    }
  }

  void close_tag(std::string_view name, std::size_t at) noexcept {
    if (!tag_.empty()) {
      if (name != tag_) return;
      tag_ = {};
      close_material(at);
    } else if (instruction_open_ != 0 && instruction_.end == 0 &&
               std::find(std::begin(instruction_tags), std::end(instruction_tags), name) !=
                   std::end(instruction_tags)) {
      instruction_ = {std::min(instruction_open_, at), at};
    }
  }

  void close_material(std::size_t at) noexcept {
    if (material_count_ < material_.size()) material_[material_count_++] = {material_begin_, at};
  }

  void dollar(std::size_t at) noexcept {  // $x$, $\alpha$, $$; not $5
    const char next = peek(at + 1);
    if (material() || !(next == '\\' || next == '$' || is_letter(next))) return;
    const std::string_view ahead(text_ + at + 1, std::min<std::size_t>(size_ - at - 1, 120));
    if (ahead.find('$') != std::string_view::npos) count(turn_.formulas);
  }

  void backslash(std::size_t at) noexcept {
    if (material()) return;
    std::size_t end = at + 1;
    while (is_letter(peek(end)) && end - at <= 16) ++end;
    const std::size_t length = end - at - 1;
    if (length == 0) {
      if (peek(end) == '(' || peek(end) == '[') count(turn_.formulas);  // \( … \)
    } else if (length >= 2 && lexicon().is_latex(word_at(text_ + at + 1, length))) {
      count(turn_.formulas);
    }
  }

  void symbol(std::size_t at) noexcept {  // U+2200 … U+22BF: ∀ ∃ ∈ ∑ √ ∞ ∫ ≈ ≡ ≤ ⊂
    const auto second = static_cast<unsigned char>(peek(at + 1));
    if (second >= 0x88 && second <= 0x8A && !material()) count(turn_.formulas);
  }

  [[nodiscard]] Zones zones() const noexcept {
    Zones found;
    if (instruction_.end > instruction_.begin) {
      add_without_material(instruction_, found);
    } else if (turn_.options >= options_min) {  // a question with its options is one
      add_without_material({0, size_}, found);
    } else if (size_ <= short_text_bytes) {
      add_said({.text = text_, .size = size_, .first_line = first_line(), .head = {0, size_}, .tail = last_line(), .last_line = last_line()}, found);
    } else {
      // A text without a break may be shorter than a head may be: what lies behind it is not its own.
      const std::size_t head_end = std::min({first_break_ != 0 ? first_break_ : size_, head_paragraph_max, size_});
      std::size_t tail = std::max(last_break_, cut_);
      const bool is_paragraph = tail > cut_ && size_ - tail <= tail_paragraph_max;
      if (size_ - tail > tail_paragraph_max) tail = size_ - tail_of_long_paragraph;
      found.tail_begin = std::max(tail, head_end);
      add_said({.text = text_, .size = size_, .first_line = first_line(), .head = {0, head_end}, .tail = {found.tail_begin, size_},
                .last_line = last_line(), .is_long = true, .tail_is_paragraph = is_paragraph}, found);
    }
    if (turn_.options >= options_min) found.options_begin = options_begin_;
    return found;
  }

  [[nodiscard]] Zone first_line() const noexcept { return {0, first_line_end_ != 0 ? first_line_end_ : size_}; }
  [[nodiscard]] Zone last_line() const noexcept { return {last_line_, size_}; }
  void add_said(const Passages& passages, Zones& found) const noexcept {
    const SaidParts said = said_parts(passages);
    add_without_material(said.head, found);
    add_without_material(said.tail, found);
  }

  /// `zone` less the material in it.
  void add_without_material(Zone zone, Zones& found) const noexcept {
    for (std::size_t i = 0; i < material_count_ && zone.begin < zone.end; ++i) {
      const Zone& material = material_[i];
      if (material.end <= zone.begin || material.begin >= zone.end) continue;
      add({zone.begin, material.begin}, found);
      zone.begin = material.end;
    }
    add(zone, found);
  }
  static void add(Zone zone, Zones& found) noexcept {
    if (zone.begin < zone.end && found.count < Zones::zones_max) found.said[found.count++] = zone;
  }

  const char* text_;
  std::size_t size_, cut_;
  Turn& turn_;
  std::size_t next_ = 0;  // marks before it have been read as part of an earlier one
  bool fenced_ = false;
  std::string_view tag_;  // the material tag that is open
  std::size_t material_begin_ = 0;
  std::array<Zone, Zones::zones_max> material_;
  std::size_t material_count_ = 0;
  std::size_t instruction_open_ = 0;
  Zone instruction_;
  std::size_t options_begin_ = 0;
  std::size_t first_line_end_ = 0, last_line_ = 0;
  std::size_t first_break_ = 0, last_break_ = 0;  // paragraphs: end of the first, begin of the last
};

}  // namespace

Zones find_zones(const FoldedText& folded, Turn& turn) noexcept { return ZoneFinder(folded, turn).find(); }

}  // namespace tollgate
