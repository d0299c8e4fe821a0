#pragma once
// The inside of a JSON string → the text it means, as detectors want to read it: escapes resolved, full-width digits
// and letters as ASCII, exotic blanks and hyphens as ' ' and '-', characters without width left out. And back: which
// bytes of the JSON an offset of the text came from, so that they can be replaced there.
//
//    PlainText plain;
//    plain.assign(raw);
//    … find something at [begin, end) of plain.view() …
//    raw.substr(plain.raw_offset(begin), plain.raw_offset(end) - plain.raw_offset(begin))
//
// Reuses its memory; not thread-safe.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate {

class PlainText {
 public:
  /// So many zero bytes can be read before the text and behind it.
  static constexpr std::size_t padding = 64;

  void assign(std::string_view raw);
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data() + padding, size_}; }
  /// Of the byte that this byte of the text came from; of the end for the end.
  [[nodiscard]] std::size_t raw_offset(std::size_t offset) const noexcept;

 private:
  /// From here on, text and JSON run in step again.
  struct Step {
    std::uint32_t text, raw;
  };

  void step(const char* to, const char* from);
  /// One `\u` escape or one character outside ASCII at `from`; moves both on.
  void take_odd(const char*& from, const char* end, char*& to);
  static bool take_escape(const char*& from, const char* end, char*& to);
  static bool fold(const char*& from, const char* end, char*& to);

  std::string text_;
  std::size_t size_ = 0;
  const char* raw_begin_ = nullptr;
  std::vector<Step> steps_;
};

/// Calls use(digits) for every long whole number in what stands between the strings of a JSON text: {"card": 4111…}.
template <class Use>
void each_long_number(std::string_view between, Use&& use) {
  constexpr std::size_t digits_min = 9;  // shorter ones are nothing without words
  if (between.size() < digits_min) return;
  const auto of_number = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  };
  for (std::size_t at = 0; at < between.size();) {
    std::size_t end = at;
    bool whole = true;
    for (; end < between.size() && of_number(between[end]); ++end)
      whole = whole && between[end] >= '0' && between[end] <= '9';
    if (whole && end - at >= digits_min) use(between.substr(at, end - at));
    at = end + 1;
  }
}

/// Calls string(inside) for every JSON string in `json`, keys as well, with its quotes left out, and number(digits) for
/// every long number outside them, in their order. Text that is not valid JSON is walked as far as quotes go: nothing
/// is left out.
template <class OnString, class OnNumber>
void each_json_text(std::string_view json, OnString&& string, OnNumber&& number) {
  std::size_t at = 0, quote = 0;
  while ((quote = json.find('"', at)) != std::string_view::npos) {
    each_long_number(json.substr(at, quote - at), number);
    const std::size_t begin = quote + 1;
    std::size_t end = begin;
    for (;;) {
      end = json.find('"', end);
      if (end == std::string_view::npos) return string(json.substr(begin));
      std::size_t slashes = 0;
      while (end - slashes > begin && json[end - slashes - 1] == '\\') ++slashes;
      if (slashes % 2 == 0) break;
      ++end;
    }
    string(json.substr(begin, end - begin));
    at = end + 1;
  }
  each_long_number(json.substr(at), number);
}

}  // namespace tollgate
