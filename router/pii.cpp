#include "router/pii.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "router/blocks.hpp"

namespace tollgate {
namespace pii {
namespace {

constexpr std::size_t local_bytes_max = 64, domain_bytes_max = 253;  // RFC 5321
constexpr std::size_t context_bytes = 56;

bool is_local(char c) noexcept {
  return is_alnum(c) || std::string_view("._%+-'&~#$!").find(c) != std::string_view::npos;
}

/// The bytes of the letter outside ASCII (Latin with accents, Greek, Cyrillic) that ends before `at`; 0: none.
std::size_t odd_letter_before(std::string_view text, std::size_t at) noexcept {
  if (at < 2) return 0;
  const auto lead = static_cast<unsigned char>(text[at - 2]), tail = static_cast<unsigned char>(text[at - 1]);
  return lead >= 0xC3 && lead <= 0xD4 && (tail & 0xC0U) == 0x80 ? 2 : 0;
}
std::size_t odd_letter_at(std::string_view text, std::size_t at) noexcept {
  return at + 2 <= text.size() ? odd_letter_before(text, at + 2) : 0;
}

/// "https://user:password@host" around the '@' at `at`: where the password begins; npos: this is no such thing.
std::size_t password_of_url(std::string_view text, std::size_t at) noexcept {
  const std::size_t from = at > 200 ? at - 200 : 0;
  std::size_t colon = std::string_view::npos;
  for (std::size_t i = at; i-- > from;) {
    const char c = text[i];
    if (c == '/') {
      const bool scheme = i >= 2 && text[i - 1] == '/' && text[i - 2] == ':';
      return scheme && colon != std::string_view::npos ? colon + 1 : std::string_view::npos;
    }
    if (c == ':') colon = i;
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '<' || c == '>' || c == '@') break;
  }
  return std::string_view::npos;
}

/// The end of the domain that begins at `begin`; `begin` if it is none: labels of letters, digits and '-', the last a
/// top-level domain of letters.
std::size_t domain_end(std::string_view text, std::size_t begin) noexcept {
  std::size_t label = begin, end = begin, at = begin;
  const std::size_t stop = std::min(text.size(), begin + domain_bytes_max);
  unsigned labels = 0;
  for (;;) {
    while (at < stop) {
      const std::size_t odd = odd_letter_at(text, at);
      if (odd == 0 && !is_alnum(text[at]) && text[at] != '-') break;
      at += odd == 0 ? 1 : odd;
    }
    if (at == label || text[label] == '-') break;
    ++labels;
    const std::string_view name = text.substr(label, at - label);
    const bool top = labels > 1 && name.size() >= 2 && name.size() <= 24 &&
                     (name.starts_with("xn--") || std::all_of(name.begin(), name.end(), is_letter));
    if (top) end = at;
    if (at >= stop || text[at] != '.') break;
    label = ++at;
  }
  return end;
}

/// "logo@2x.png", "git@github.com:team/repo": what has the form of an address and is none.
bool only_looks_like_email(std::string_view text, std::size_t local, std::size_t at, std::size_t end) noexcept {
  const std::string_view name = text.substr(local, at - local), domain = text.substr(at + 1, end - at - 1);
  if (name == "git" && behind(text, end) == ':') return true;
  constexpr std::array<std::string_view, 6> files{".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp"};
  return is_digit(domain[0]) &&
         std::any_of(files.begin(), files.end(), [&](std::string_view f) { return domain.ends_with(f); });
}

}  // namespace

bool begins_word(std::string_view text, std::size_t at) noexcept {
  if (at == 0) return true;
  const char before = text[at - 1];
  if (!is_alnum(before)) return true;
  const bool written_out =
      at >= 2 && text[at - 2] == '\\' && std::string_view("nrtbf").find(before) != std::string_view::npos;
  return written_out;
}

ContextWords::ContextWords(std::string_view words) {
  while (!words.empty()) {
    const std::size_t bar = std::min(words.find('|'), words.size());
    by_first_byte_[static_cast<unsigned char>(words.front())].push_back(words.substr(0, bar));
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
}

bool ContextWords::stand_before(std::string_view text, std::size_t at) const noexcept {
  std::size_t i = at > context_bytes ? at - context_bytes : 0;
  for (bool in_word = i > 0 && is_letter(text[i - 1]); i < at; ++i) {
    const char c = text[i];
    const bool letter = is_letter(c);
    const bool begins = !letter || !in_word;
    in_word = letter;
    if (!begins || by_first_byte_[static_cast<unsigned char>(to_lower(c))].empty()) continue;
    for (const std::string_view word : by_first_byte_[static_cast<unsigned char>(to_lower(c))]) {
      const std::size_t end = i + word.size();
      if (end > at ||
          !std::equal(word.begin(), word.end(), text.data() + i, [](char a, char b) { return a == to_lower(b); }))
        continue;
      if (!is_letter(word.back()) || !is_letter(behind(text, end))) return true;
    }
  }
  return false;
}

std::size_t at_email(std::string_view text, std::size_t at, PiiSink& sink) {
  if (const std::size_t password = password_of_url(text, at); password < at && at - password >= 3) {
    const char first = text[password];
    if (first != '$' && first != '{' && first != '<' && first != '*') sink.add(PiiKind::password, password, at);
    return at + 1;
  }
  std::size_t begin = at;
  const std::size_t from = at > local_bytes_max ? at - local_bytes_max : 0;
  while (begin > from) {
    const std::size_t odd = odd_letter_before(text, begin);
    if (odd == 0 && !is_local(text[begin - 1])) break;
    begin -= odd == 0 ? 1 : odd;
  }
  // `\njane@…` in JSON within JSON: the n belongs to the line break.
  if (begin > 0 && begin < at && text[begin - 1] == '\\' &&
      std::string_view("nrtbf").find(text[begin]) != std::string_view::npos)
    ++begin;
  while (begin < at && std::string_view("._%+-'&~#$!").find(text[begin]) != std::string_view::npos) ++begin;
  if (begin == at) return at + 1;
  const std::size_t end = domain_end(text, at + 1);
  if (end == at + 1 || only_looks_like_email(text, begin, at, end)) return at + 1;
  sink.add(PiiKind::email, begin, end);
  return end;
}

}  // namespace pii

namespace {

std::uint32_t secret_marks(const Block& block) noexcept {
  return block.equal('A') | block.equal('_') | block.equal('-') | block.equal('.') | block.equal('=') |
         block.equal(':');
}

}  // namespace

void find_pii(std::string_view text, PiiSink& sink) {
  const std::size_t first_new = sink.findings == nullptr ? 0 : sink.findings->size();
  constexpr PiiKinds numbers =
      PiiKinds(PiiKind::phone) | PiiKind::card | PiiKind::iban | PiiKind::ssn | PiiKind::national_id | PiiKind::ip;
  const bool wants_numbers = (sink.wanted & numbers).any(), wants_secrets = (sink.wanted & secret_kinds).any();
  const bool wants_at = sink.wanted.has(PiiKind::email) || sink.wanted.has(PiiKind::password);
  std::size_t next = 0;  // what lies before has been used up
  std::uint32_t digit_before = 0;
  for (std::size_t at = 0; at < text.size(); at += block_bytes) {
    const Block block(text.data() + at);
    const std::uint32_t digits = block.between('0', '9');
    const std::uint32_t numbers_begin = digits & ~((digits << 1) | digit_before);
    digit_before = (digits >> (block_bytes - 1)) & 1U;
    std::uint32_t marks = (wants_numbers ? numbers_begin : 0U) | (wants_secrets ? secret_marks(block) : 0U) |
                          (wants_at ? block.equal('@') : 0U);
    for (; marks != 0; marks &= marks - 1) {
      const std::size_t i = at + static_cast<std::size_t>(std::countr_zero(marks));
      if (i < next) continue;
      const char c = text[i];
      if (pii::is_digit(c)) {
        next = pii::at_number(text, i, sink);
      } else if (c == '@') {
        next = pii::at_email(text, i, sink);
      } else {
        next = pii::at_secret_mark(text, i, sink);
      }
    }
  }
  if (sink.findings == nullptr) return;
  // An address may reach back over a number that was found in it: the longer one stays.
  auto& all = *sink.findings;
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first_new);
  std::sort(begin, all.end(), [](const PiiFinding& a, const PiiFinding& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  auto kept = begin;
  for (auto each = begin; each != all.end(); ++each) {
    if (kept != begin && each->begin < (kept - 1)->end) {
      (kept - 1)->end = std::max((kept - 1)->end, each->end);
      continue;
    }
    *kept++ = *each;
  }
  all.erase(kept, all.end());
}

}  // namespace tollgate
