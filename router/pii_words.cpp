// Words around a value that say what it is.
#include <algorithm>
#include <array>

#include "router/pii.hpp"

namespace tollgate::pii {
namespace {

constexpr std::size_t word_bytes_max = 64, words_between_max = 5, marks_between_max = 6;

bool is_beyond_ascii(char c) noexcept { return static_cast<unsigned char>(c) >= 0x80; }

/// Scripts that do not part their words, and Indian and Thai ones with them: lead bytes from U+0800 on.
bool runs_together(std::string_view word) noexcept {
  return std::any_of(word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xE0; });
}

template <class Words>
std::size_t longest_end(std::string_view word, const Words& words) noexcept {
  std::size_t longest = 0;
  for (const std::string_view each : words) {
    if (each.size() > longest && word.ends_with(each)) longest = each.size();
  }
  return longest;
}

template <class Words>
bool is_one_of(std::string_view word, const Words& words) noexcept {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

constexpr std::string_view calling[] = {
    "tel",      "phone",     "mobile",   "cell",      "fax",      "call",     "text",      "dial",    "ring",
    "reach",    "handy",     "mobil",    "fon",       "festnetz", "anrufen",  "ruf",       "rufen",   "erreichbar",
    "zurück",   "portable",  "appeler",  "appelez",   "appelle",  "rappeler", "rappelez",  "joindre", "tél",
    "fixe",     "móvil",     "movil",    "celular",   "llamar",   "llama",    "llame",     "llámame", "llamame",
    "llámenos", "cellulare", "chiamami", "chiamare",  "ligue",    "ligar",    "telemóvel", "bel",     "mobiel",
    "bellen",   "zadzwoń",   "dzwoń",    "komórka",   "kom",      "ring",     "mobilen",   "тел",     "моб",
    "звоните",  "позвоните", "puhelin",  "telefonnr", "mobilnr"};
constexpr std::string_view calling_together[] = {"电话", "電話",   "手机",   "手機", "携帯",   "联系方式",
                                                 "전화", "휴대폰", "핸드폰", "फ़ोन",  "मोबाइल", "whatsapp"};
constexpr std::string_view between[] = {
    "me",   "us", "him",    "her",   "them",   "at",     "on",     "to",      "is",    "my",   "our", "his",
    "no",   "nr", "number", "num",   "work",   "home",   "direct", "nummer",  "unter", "mich", "uns", "sie",
    "mir",  "an", "bitte",  "ist",   "lautet", "die",    "der",    "au",      "le",    "la",   "est", "moi",
    "nous", "es", "al",     "el",    "en",     "mi",     "número", "numero",  "para",  "o",    "é",   "è",
    "il",   "op", "pod",    "numer", "по",     "номеру", "номер",  "telefonu"};
constexpr std::string_view between_together[] = {"是",   "号码", "號碼",   "番号", "号", "为", "為",  "は", "请拨",
                                                 "拨打", "请打", "번호는", "번호", "는", "은", "नंबर", "है"};

}  // namespace

// "call me on 0…", "手机号码是1…": a word for calling, with nothing between it and the number but words that belong to
// such a sentence. "The call lasted 1234567 ms" is none.
bool called_before(std::string_view text, std::size_t at) noexcept {
  for (std::size_t words = 0; words < words_between_max; ++words) {
    const std::size_t begin_marks = at;
    while (at > 0 && begin_marks - at < marks_between_max && !is_alnum(text[at - 1]) && !is_beyond_ascii(text[at - 1]))
      --at;
    const std::size_t end = at;
    while (at > 0 && end - at < word_bytes_max && (is_letter(text[at - 1]) || is_beyond_ascii(text[at - 1]))) --at;
    if (at == end) return false;
    std::array<char, word_bytes_max> folded;
    std::transform(text.data() + at, text.data() + end, folded.begin(), to_lower);
    std::string_view word(folded.data(), end - at);
    if (runs_together(word)) {
      while (!word.empty() && longest_end(word, calling_together) == 0) {
        const std::size_t belongs = longest_end(word, between_together);
        if (belongs == 0) return false;
        word.remove_suffix(belongs);
      }
      if (!word.empty()) return true;
      continue;
    }
    if (is_one_of(word, calling)) return true;
    if (!is_one_of(word, between)) return false;
  }
  return false;
}

}  // namespace tollgate::pii
