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

/// Calls use(inside) for every JSON string in `json`, keys as well, with its quotes left out. Text that is not valid
/// JSON is walked as far as quotes go: nothing is left out.
template <class Use>
void each_json_string(std::string_view json, Use&& use) {
  std::size_t at = 0;
  while ((at = json.find('"', at)) != std::string_view::npos) {
    const std::size_t begin = ++at;
    std::size_t end = begin;
    for (;;) {
      end = json.find('"', end);
      if (end == std::string_view::npos) return use(json.substr(begin));
      std::size_t slashes = 0;
      while (end - slashes > begin && json[end - slashes - 1] == '\\') ++slashes;
      if (slashes % 2 == 0) break;
      ++end;
    }
    use(json.substr(begin, end - begin));
    at = end + 1;
  }
}

}  // namespace tollgate
