// Numbers: a run of digit groups is taken apart once, then every rule looks at it. Bare numbers without a strong
// checksum count only where the words before say what they are.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "router/id_checks.hpp"
#include "router/pii.hpp"
#include "router/pii_groups.hpp"

namespace tollgate::pii {
namespace {

bool is_hex(char c) noexcept { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); }

/// Whether the stretch lies in a UUID or a longer word of hexadecimal digits and hyphens.
bool lies_in_uuid(std::string_view text, std::size_t begin, std::size_t end) noexcept {
  const auto of_uuid = [](char c) { return is_hex(c) || c == '-'; };
  const std::size_t from = begin > 40 ? begin - 40 : 0, to = std::min(text.size(), end + 40);
  while (begin > from && of_uuid(text[begin - 1])) --begin;
  while (end < to && of_uuid(text[end])) ++end;
  if (end - begin < 36) return false;
  return std::count(text.begin() + static_cast<std::ptrdiff_t>(begin), text.begin() + static_cast<std::ptrdiff_t>(end),
                    '-') >= 4;
}

/// One rule for national numbers that consist of digits only.
struct NationalRule {
  std::uint8_t digits;
  Form grouping;  ///< lengths and separators: "3.3.3-2"; "" if it has no form of its own
  bool (*valid)(DigitSpan);
  bool bare_needs_words;     ///< written without separators
  bool grouped_needs_words;  ///< written in its form
  std::string_view words;
};
constexpr NationalRule rules[] = {
    {11, "2 3 3 3", &is_german_tax_id, false, false, "steuer-id|steueridentifikationsnummer|idnr|tin"},
    {15, "1 2 2 2 3 3 2", &is_french_nir, false, false, "nir|sécurité sociale|securite sociale"},
    {11, "3.3.3-2", &is_brazilian_cpf, true, false, "cpf"},
    {12, "4 4 4", &is_indian_aadhaar, true, true, "aadhaar|aadhar|uidai|uid|आधार"},
    {11, "", &is_polish_pesel, true, true, "pesel"},
    {10, "3 3 4", &is_british_nhs, true, true, "nhs"},
    {9, "4.2.3", &is_dutch_bsn, true, true, "bsn|burgerservicenummer|sofinummer|sofi"},
    {11, "2.2.2-3.2", &is_belgian_national, true, false,
     "rijksregisternummer|rijksregister|registre national|insz|niss|rrn"},
    {10, "6-4", &is_swedish_personal, true, false, "personnummer|personal number"},
    {12, "8-4", [](DigitSpan d) { return d[0] <= 2 && is_swedish_personal(d.subspan(2)); }, true, false,
     "personnummer"},
    {10, "6-4", &is_danish_cpr, true, true, "cpr|cpr-nr|cpr-nummer|personnummer"},
    {11, "6 5", &is_norwegian_birth, false, false, "fødselsnummer|personnummer"},
    {13, "3.4.4.2", &is_swiss_ahv, false, false, "ahv|avs"},
    {10, "4 6", &is_austrian_sv, true, true, "svnr|sv-nummer|sozialversicherungsnummer|versicherungsnummer"},
    {13, "6-7", &is_korean_rrn, true, false, "주민등록번호|rrn"},
    {12, "4-4-4", &is_japanese_my_number, true, true, "マイナンバー|個人番号|my number"},
    {12, "4 4 4", &is_japanese_my_number, true, true, "マイナンバー|個人番号|my number"},
    {9, "3 3 3", &is_canadian_sin, true, true, "sin|nas|social insurance|assurance sociale"},
    {9, "3-3-3", &is_canadian_sin, true, true, "sin|nas|social insurance|assurance sociale"},
    {9, "3 3 3", &is_australian_tfn, true, true, "tfn|tax file"},
    {11, "", &is_turkish_tckn, true, true, "tckn|tc kimlik|kimlik no|t.c."},
    {13, "6 4 3", &is_south_african_id, true, true, "id number|identity number|id no|said"},
    {9, "", &is_us_ssn, true, true, "ssn|social security"}};

/// Which rules a group of so many digits may be the first of, bit by bit.
constexpr std::array<std::uint32_t, run_max + 1> rules_by_length = [] {
  static_assert(std::size(rules) <= 32);
  std::array<std::uint32_t, run_max + 1> by_length{};
  for (std::size_t i = 0; i < std::size(rules); ++i) {
    by_length[rules[i].digits] |= 1U << i;
    if (rules[i].grouping.groups > 0) by_length[rules[i].grouping.first_length] |= 1U << i;
  }
  return by_length;
}();

const ContextWords& words_of(std::size_t rule) {
  static const std::vector<ContextWords> all = [] {
    std::vector<ContextWords> made;
    for (const NationalRule& each : rules) made.emplace_back(each.words);
    return made;
  }();
  return all[rule];
}

/// An IBAN whose check digits begin at `at`: reports it and returns the offset behind it; 0: there is none.
std::size_t iban_at(std::string_view text, std::size_t at, PiiSink& sink) {
  if (at < 2 || !is_digit(behind(text, at + 1)) || !is_letter(text[at - 1]) || !is_letter(text[at - 2])) return 0;
  const char country[] = {to_upper(text[at - 2]), to_upper(text[at - 1])};
  const unsigned length = iban_length({country, 2});
  if (length == 0) return 0;
  const bool labelled = at >= 6 && text.substr(at - 6, 4) == "IBAN";
  if (!begins_word(text, at - 2) && !labelled) return 0;
  std::array<char, 36> compact{};
  std::size_t used = 0, i = at - 2;
  for (; used < length && i < text.size(); ++i) {
    const char c = text[i];
    if (is_alnum(c)) {
      compact[used++] = to_upper(c);
    } else if ((c != ' ' && c != '-' && c != '.') || !is_alnum(behind(text, i + 1))) {
      return 0;
    }
  }
  if (used < length || is_alnum(behind(text, i)) || !is_iban({compact.data(), used})) return 0;
  sink.add(PiiKind::iban, at - 2, i);
  return i;
}

/// The rules' view of one number: what is around it, and where findings go.
class Rules {
 public:
  Rules(std::string_view text, const Number& number, PiiSink& sink) : text_(text), number_(number), sink_(sink) {
    const std::size_t begin = number.groups[0].begin;
    begins_word_ = begins_word(text, begin);
    // "0.4111…", "v1.2", "a-4111": part of something longer.
    const char before = begin == 0 ? '\0' : text[begin - 1], second = begin < 2 ? '\0' : text[begin - 2];
    part_of_more_ = (before == '.' || before == ',') && is_digit(second);
    const char after = behind(text, number.end);
    tail_ = after;
    ends_word_ = !is_letter(after) &&
                 !((after == '.' || after == ',' || after == ':') && is_digit(behind(text, number.end + 1)));
  }

  void run() {
    if (number_.digit_count >= 13) cards();
    if (number_.digit_count >= 9) national_numbers();
    special_ids();
    if (done_) return;
    phone();
    ip();
  }

 private:
  [[nodiscard]] bool begins(std::size_t group) const noexcept { return group > 0 || (begins_word_ && !part_of_more_); }
  [[nodiscard]] bool ends(std::size_t group_behind) const noexcept {
    return group_behind < number_.count || ends_word_;
  }
  [[nodiscard]] bool words(std::size_t group, const ContextWords& list) const noexcept {
    return list.stand_before(text_, number_.groups[group].begin);
  }
  void report(PiiKind kind, std::size_t from, std::size_t to) {
    report_at(kind, number_.groups[from].begin, number_.end_of(to - 1));
  }
  void report_at(PiiKind kind, std::size_t begin, std::size_t end) {
    if (lies_in_uuid(text_, begin, end)) return;
    sink_.add(kind, begin, end);
    done_ = true;
  }

  static constexpr Form card_forms[] = {"4 4 4 4 3", "4 4 4 4", "4-4-4-4", "4.4.4.4",
                                        "4 6 5",     "4-6-5",   "4 6 4",   "4-6-4"};
  static constexpr Form date_forms[] = {"4-2-2", "2.2.4", "2/2/4", "1/1/4", "1/2/4", "2/1/4",
                                        "4/2/2", "2-2-4", "1.2.4", "2.1.4", "4.2.2"};

  void cards() {
    for (std::size_t g = 0; g < number_.count; ++g) {
      if (!begins(g)) continue;
      const char separator = number_.groups[g].before;
      if (number_.groups[g].length != 4 && number_.groups[g].length < 13) continue;
      if (number_.groups[g].length >= 13) {  // bare
        const char next = g + 1 < number_.count ? number_.groups[g + 1].before : ' ';
        if (separator == '.' || separator == '-' || next == '.' || next == '-' || !ends(g + 1)) continue;
        if (is_card(number_.of(g, g + 1))) report(PiiKind::card, g, g + 1);
        continue;
      }
      for (const Form& form : card_forms) {
        std::size_t end = 0;
        if (!has_form(number_, g, form, end) || !ends(end) || !is_card(number_.of(g, end))) continue;
        report(PiiKind::card, g, end);
        g = end - 1;
        break;
      }
    }
  }

  void national_numbers() {
    for (std::size_t g = 0; g < number_.count; ++g) {
      if (!begins(g)) continue;
      ssn(g);
      for (std::uint32_t left = rules_by_length[number_.groups[g].length]; left != 0; left &= left - 1) {
        const auto index = static_cast<std::size_t>(std::countr_zero(left));
        const std::size_t end = fits(rules[index], index, g);
        if (end == 0) continue;
        report(rules[index].valid == &is_us_ssn ? PiiKind::ssn : PiiKind::national_id, g, end);
        g = end - 1;
        break;
      }
    }
  }

  /// The group behind a number that the rule accepts; 0: it does not.
  [[nodiscard]] std::size_t fits(const NationalRule& rule, std::size_t index, std::size_t g) const {
    std::size_t end = g + 1;
    bool needs_words = rule.bare_needs_words;
    if (number_.groups[g].length != rule.digits) {
      if (rule.grouping.groups == 0 || !has_form(number_, g, rule.grouping, end)) return 0;
      needs_words = rule.grouped_needs_words;
    } else if (number_.count > g + 1 && number_.groups[g + 1].before == '.') {
      return 0;  // a decimal
    }
    if (!ends(end) || !rule.valid(number_.of(g, end))) return 0;
    return needs_words && !words(g, words_of(index)) ? 0 : end;
  }

  void ssn(std::size_t g) {
    static const ContextWords names("ssn|social security");
    if (number_.groups[g].length != 3) return;
    std::size_t end = 0;
    const bool hyphens = has_form(number_, g, "3-2-4", end);
    if (!hyphens && !(has_form(number_, g, "3 2 4", end) && words(g, names))) return;
    const bool longer = end < number_.count && number_.groups[end].before == '-';
    if (ends(end) && !longer && is_us_ssn(number_.of(g, end))) report(PiiKind::ssn, g, end);
  }

  // Numbers with letters in them.
  void special_ids() {
    const std::size_t begin = number_.groups[0].begin;
    iban(begin);
    if (done_) return;
    const std::size_t letters = letters_before(begin);
    if (letters == 2) nino(begin);
    if (letters == 6) fiscal_code(begin - 6);
    if (letters == 5) pan(begin - 5);
    if (letters <= 1) dni(begin, letters);
    if (letters == 0 && number_.count == 1 && number_.digit_count == 17 && to_upper(tail_) == 'X' && begins_word_ &&
        !is_alnum(behind(text_, number_.end + 1)) && is_chinese_resident(number_.all(), 'X')) {
      report_at(PiiKind::national_id, begin, number_.end + 1);
    }
    if (letters == 0 && number_.groups[0].length == 18 && begins(0) && ends(1) &&
        is_chinese_resident(number_.of(0, 1).first(17), static_cast<char>('0' + number_.digits[17]))) {
      report(PiiKind::national_id, 0, 1);
    }
    if (letters == 0) hetu(begin);
    if (letters == 0) rut();
  }

  [[nodiscard]] std::size_t letters_before(std::size_t at) const noexcept {
    std::size_t letters = 0;
    while (letters < 8 && at > letters && is_letter(text_[at - letters - 1])) ++letters;
    const bool written_out = letters > 0 && at > letters && text_[at - letters - 1] == '\\';
    if (written_out) --letters;
    if (letters == 0 && at > 2 && text_[at - 1] == ' ' && is_upper(text_[at - 2]) && is_upper(text_[at - 3])) {
      return begins_word(text_, at - 3) && number_.groups[0].length == 2 ? 2 : 0;  // "AB 12 34 56 C"
    }
    return letters;
  }

  void iban(std::size_t at) {
    const std::size_t end = iban_at(text_, at, sink_);
    if (end == 0) return;
    used_up_to_ = end;
    done_ = true;
  }

  // Two letters, six digits, a letter; also in groups of two.
  void nino(std::size_t at) {
    const bool apart = text_[at - 1] == ' ';
    const std::size_t first = apart ? at - 3 : at - 2;
    if (number_.digit_count != 6) return;
    std::size_t suffix = number_.end;
    if (behind(text_, suffix) == ' ' || behind(text_, suffix) == '-') ++suffix;
    if (is_alnum(behind(text_, suffix)) && is_alnum(behind(text_, suffix + 1))) return;
    std::size_t end = 0;
    if (number_.count != 1 && !has_form(number_, 0, "2 2 2", end) && !has_form(number_, 0, "2-2-2", end)) return;
    if (!is_upper(text_[first]) || !is_upper(text_[first + 1])) return;
    if (!is_british_nino(text_[first], text_[first + 1], behind(text_, suffix))) return;
    report_at(PiiKind::national_id, first, suffix + 1);
  }

  void fiscal_code(std::size_t begin) {
    if (begin + 16 > text_.size() || is_alnum(behind(text_, begin + 16)) || !begins_word(text_, begin)) return;
    std::array<char, 16> code{};
    std::transform(text_.data() + begin, text_.data() + begin + 16, code.begin(), to_upper);
    if (!is_italian_fiscal_code({code.data(), code.size()})) return;
    report_at(PiiKind::national_id, begin, begin + 16);
    used_up_to_ = begin + 16;
  }

  // India's tax number: five letters, the fourth says what kind of holder, four digits, a letter.
  void pan(std::size_t begin) {
    if (number_.groups[0].length != 4 || !begins_word(text_, begin) || !is_upper(behind(text_, begin + 9)) ||
        is_alnum(behind(text_, begin + 10)))
      return;
    static const ContextWords names("pan|pan no|pan number");
    const bool capitals = std::all_of(text_.data() + begin, text_.data() + begin + 5, is_upper);
    const bool person = text_[begin + 3] == 'P';
    if (capitals && (person || names.stand_before(text_, begin))) report_at(PiiKind::national_id, begin, begin + 10);
  }

  // Spain: 12345678Z, 12.345.678-Z, X1234567L.
  void dni(std::size_t at, std::size_t letters) {
    const bool foreigner = letters == 1 && to_upper(text_[at - 1]) >= 'X' && to_upper(text_[at - 1]) <= 'Z';
    if (letters == 1 && !foreigner) return;
    const std::size_t begin = at - letters;
    if (!begins_word(text_, begin)) return;
    std::size_t letter = number_.end, end = 0;
    if (behind(text_, letter) == '-' || behind(text_, letter) == ' ') ++letter;
    const bool form = number_.count == 1 || has_form(number_, 0, "2.3.3", end);
    if (!form || !is_upper(behind(text_, letter)) || is_alnum(behind(text_, letter + 1))) return;
    std::array<std::uint8_t, 8> digits{};
    if (number_.digit_count != (foreigner ? 7U : 8U)) return;
    if (foreigner) digits[0] = static_cast<std::uint8_t>(to_upper(text_[at - 1]) - 'X');
    std::copy_n(number_.digits.begin(), number_.digit_count, digits.begin() + (foreigner ? 1 : 0));
    if (is_spanish_dni(digits, text_[letter])) report_at(PiiKind::national_id, begin, letter + 1);
  }

  // Finland: 131052-308T; '-', '+', or 'A' tells the century.
  void hetu(std::size_t at) {
    if (number_.groups[0].length != 6 || !begins_word_) return;
    const std::size_t mark = number_.end_of(0), last = mark + 4;
    const char century = behind(text_, mark);
    if (century != '-' && century != '+' && century != 'A') return;
    if (digits_end(text_, mark + 1) < last) return;
    const char check = to_upper(behind(text_, last));
    if (!is_alnum(check) || is_alnum(behind(text_, last + 1))) return;
    std::array<std::uint8_t, 9> digits{};
    std::copy_n(number_.digits.begin(), 6, digits.begin());
    for (std::size_t i = 0; i < 3; ++i) digits[6 + i] = static_cast<std::uint8_t>(text_[mark + 1 + i] - '0');
    static const ContextWords names("hetu|henkilötunnus");
    const bool known = is_letter(check) || names.stand_before(text_, at);
    if (known && is_finnish_hetu(digits, check)) report_at(PiiKind::national_id, at, last + 1);
  }

  // Chile: 12.345.678-5.
  void rut() {
    std::size_t end = 0;
    const bool long_form = has_form(number_, 0, "2.3.3", end),
               short_form = !long_form && has_form(number_, 0, "1.3.3", end);
    if ((!long_form && !short_form) || !begins(0)) return;
    const std::size_t hyphen = number_.end_of(end - 1);
    const char check = to_upper(behind(text_, hyphen + 1));
    if (behind(text_, hyphen) != '-' || is_alnum(behind(text_, hyphen + 2)) || !(is_digit(check) || check == 'K'))
      return;
    if (is_chilean_rut(number_.of(0, end), check)) report_at(PiiKind::national_id, number_.groups[0].begin, hyphen + 2);
  }

  /// Words that hardly mean anything else; weaker ones must stand right before the number (called_before).
  static constexpr std::string_view phone_word_list =
      "phone|telephone|whatsapp|telefon|telefonnummer|handynummer|mobilnummer|rufnummer|téléphone|teléfono|telefono|"
      "telefone|telefoon|телефон";

  // "+49 171 1234567"; "(212) 555-0143"; national forms with words before them or a form of their own.
  void phone() {
    if (!begins(0) || is_letter(tail_) || !sink_.wanted.has(PiiKind::phone)) return;
    std::size_t begin = number_.groups[0].begin;
    const std::size_t count = number_.digit_count;
    char before = begin == 0 ? '\0' : text_[begin - 1];
    if (before == '(' && begin > 1 && text_[begin - 2] == '+') before = '+', --begin;
    if (before == '+') {
      const bool stands_alone = begin < 2 || !is_alnum(text_[begin - 2]);
      if (stands_alone && count >= 8 && count <= 15 && number_.digits[0] != 0)
        report_at(PiiKind::phone, begin - 1, number_.end);
      return;
    }
    if (before == '_' || before == '-' || before == '/' || before == '.' || before == '#' || before == '$') return;
    for (std::size_t g = 0; g < number_.count; ++g) {
      std::size_t end = 0;
      if (!national_form(g, end)) continue;
      const bool bracket = g == 0 && before == '(';
      report_at(PiiKind::phone, number_.groups[g].begin - (bracket ? 1 : 0), number_.end_of(end - 1));
      g = end - 1;
    }
    if (done_) return;
    static const ContextWords phone_words(phone_word_list);
    const bool length_fits = count >= 7 && count <= 15 && ends_word_;
    if (length_fits && !is_date() && (words(0, phone_words) || called_before(text_, begin)))
      report_at(PiiKind::phone, begin, number_.end);
  }

  /// Forms that hardly anything but a phone number has.
  bool national_form(std::size_t g, std::size_t& end) const noexcept {
    if (g > 0 && number_.groups[g].before != ' ') return false;
    if (g + 1 == number_.count || number_.groups[g].length > 5) return false;
    const auto digit = [&](std::size_t i) { return number_.digits[number_.groups[g].first + i]; };
    // Another number may follow behind a blank, unless the form itself has blanks in it.
    const auto form = [&](const Form& lengths, bool has_blanks = false) {
      if (!has_form(number_, g, lengths, end)) return false;
      return end == number_.count ? ends_word_ : number_.groups[end].before == ' ' && !has_blanks;
    };
    if (form("3)3-4") || form("3-3-4") || form("3.3.4")) return digit(0) >= 2 && digit(3) >= 2;  // North America
    if (form("1-3-3-4")) return digit(0) == 1 && digit(1) >= 2 && digit(4) >= 2;
    if (form("2 2 2 2 2", true) || form("2.2.2.2.2")) return digit(0) == 0 && digit(1) >= 1;  // France
    if (form("4 7", true) || form("4-7") || form("4/7") || form("4 8", true) || form("4-8") ||
        form("4/8")) {  // German mobile
      return digit(0) == 0 && digit(1) == 1 && digit(2) >= 5 && digit(2) <= 7;
    }
    if (form("5 6", true)) return digit(0) == 0 && digit(1) == 7;    // British mobile
    if (form("3 4 4", true)) return digit(0) == 0 && digit(1) == 2;  // British landlines
    if (form("4 3 4", true)) return digit(0) == 0 && digit(1) == 1;
    if (form("2-8")) return digit(0) == 0 && digit(1) == 6;                     // Dutch mobile
    if (form("2)5-4") || form("2)4-4")) return digit(0) >= 1 && digit(2) >= 2;  // Brazil
    if (form("3-4-4")) return digit(0) == 0 && digit(2) == 0;                   // Japan, Korea
    return false;
  }

  /// 2026-11-21, 21.11.2026, 21/11/26 with or without a time.
  [[nodiscard]] bool is_date() const noexcept {
    if (number_.groups[0].length > 4 && number_.count > 1) return false;
    std::size_t end = 0;
    for (const Form& form : date_forms) {
      if (has_form(number_, 0, form, end)) return true;
    }
    const auto year = number_.of(0, 1);
    return number_.count == 1 && year.size() == 8 && ((year[0] == 1 && year[1] == 9) || (year[0] == 2 && year[1] == 0));
  }

  void ip() {
    if (!sink_.wanted.has(PiiKind::ip) || number_.count != 4 || !begins(0) || is_letter(tail_)) return;
    for (std::size_t g = 0; g < 4; ++g) {
      const Number::Group& group = number_.groups[g];
      if (group.length > 3 || (g > 0 && group.before != '.')) return;
      const DigitSpan octet = number_.of(g, g + 1);
      int value = 0;
      for (const std::uint8_t digit : octet) value = value * 10 + digit;
      if (value > 255 || (octet.size() > 1 && octet[0] == 0)) return;
    }
    report(PiiKind::ip, 0, 4);
  }

  std::string_view text_;
  const Number& number_;
  PiiSink& sink_;
  bool begins_word_ = false, part_of_more_ = false, ends_word_ = false, done_ = false;
  char tail_ = '\0';

 public:
  std::size_t used_up_to_ = 0;
};

}  // namespace

std::size_t at_number(std::string_view text, std::size_t at, PiiSink& sink) {
  if (sink.wanted.has(PiiKind::password)) find_said_password(text, at, sink);
  const Number number = number_at(text, at);
  if (number.count == 0) return std::max(number.end, iban_at(text, at, sink));  // too long for all but an account
  const bool letter_before = at > 0 && is_letter(text[at - 1]);
  if (number.digit_count < 6 && !letter_before && number.count != 4) return number.end;
  if (number.digit_count < 6 && letter_before && number.groups[0].length > 4) return number.end;
  Rules rules_of_number(text, number, sink);
  rules_of_number.run();
  // A long list of numbers: what began in the last groups may end behind them, so they are looked at again.
  constexpr std::size_t groups_again = 7;
  const std::size_t end =
      number.cut && number.count > groups_again ? number.groups[number.count - groups_again].begin : number.end;
  return std::max(end, rules_of_number.used_up_to_);
}

}  // namespace tollgate::pii
