// Keys, tokens and passwords: by the prefixes that their makers gave them, by their form (JWT, PEM), and by the name
// that they are assigned to.
#include <algorithm>
#include <array>
#include <cmath>

#include "router/pii.hpp"

namespace tollgate::pii {
namespace {

constexpr std::size_t token_bytes_max = 4096;
/// What is looked at before something counts as a secret; only then is its end searched for. So a text of nothing but
/// marks costs no more than this for each.
constexpr std::size_t probe_bytes_max = 256;
constexpr std::size_t key_block_bytes_max = 64 * 1024;

bool is_token(char c) noexcept { return is_alnum(c) || c == '_' || c == '-'; }

/// The last two bytes of words, as a set: rules nearly every other word out at once.
class Endings {
 public:
  constexpr void add(std::string_view word) noexcept {
    const unsigned pair = pair_of(word[word.size() - 2], word.back());
    bits_[pair / 64] |= std::uint64_t{1} << (pair % 64);
  }
  /// Whether a word may end before `at`.
  [[nodiscard]] bool fit(std::string_view text, std::size_t at) const noexcept {
    if (at < 2) return false;
    const unsigned pair = pair_of(to_lower(text[at - 2]), to_lower(text[at - 1]));
    return (bits_[pair / 64] >> (pair % 64) & 1U) != 0;
  }

 private:
  static constexpr unsigned pair_of(char a, char b) noexcept {
    return (static_cast<unsigned>(static_cast<unsigned char>(a)) << 8) | static_cast<unsigned char>(b);
  }
  std::array<std::uint64_t, 1024> bits_{};
};

template <class Holds>
std::size_t run_end(std::string_view text, std::size_t at, Holds holds,
                    std::size_t bytes_max = token_bytes_max) noexcept {
  const std::size_t stop = std::min(text.size(), at + bytes_max);
  while (at < stop && holds(text[at])) ++at;
  return at;
}

struct Mixture {
  std::size_t digits = 0, letters = 0, uppers = 0, others = 0;
  double bits = 0;  ///< entropy per character
};
Mixture mixture_of(std::string_view value) noexcept {
  Mixture mixture;
  std::array<unsigned, 256> count{};
  for (const char c : value) {
    ++count[static_cast<unsigned char>(c)];
    if (is_digit(c)) {
      ++mixture.digits;
    } else if (is_letter(c)) {
      ++mixture.letters;
      mixture.uppers += static_cast<std::size_t>(is_upper(c));
    } else {
      ++mixture.others;
    }
  }
  for (const unsigned n : count) {
    if (n == 0) continue;
    const double share = static_cast<double>(n) / static_cast<double>(value.size());
    mixture.bits -= share * std::log2(share);
  }
  return mixture;
}

/// Random enough for a generated key: its longest stretch without '-' and '_' has 16 characters, letters and digits.
bool is_generated(std::string_view value) noexcept {
  std::size_t begin = 0;
  std::string_view longest;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    if (i < value.size() && value[i] != '-' && value[i] != '_') continue;
    if (i - begin > longest.size()) longest = value.substr(begin, i - begin);
    begin = i + 1;
  }
  if (longest.size() < 16) return false;
  const Mixture mixture = mixture_of(longest);
  return mixture.digits > 0 && mixture.letters > 0 && mixture.bits >= 3.0;
}

/// A prefix that ends at the mark, and what must follow.
struct Prefix {
  std::string_view text;
  std::size_t tail_min;
  bool dashes;  ///< '-' and '_' may stand in the tail
  bool generated;
};
constexpr Prefix prefixes[] = {
    {"sk-", 20, true, true},          {"ghp_", 30, false, false},    {"gho_", 30, false, false},
    {"ghu_", 30, false, false},       {"ghs_", 30, false, false},    {"ghr_", 30, false, false},
    {"github_pat_", 22, true, false}, {"glpat-", 16, true, false},   {"xoxb-", 10, true, false},
    {"xoxp-", 10, true, false},       {"xoxa-", 10, true, false},    {"xoxs-", 10, true, false},
    {"xoxr-", 10, true, false},       {"xoxe-", 10, true, false},    {"xapp-", 20, true, false},
    {"sk_live_", 16, true, false},    {"sk_test_", 16, true, false}, {"rk_live_", 16, true, false},
    {"rk_test_", 16, true, false},    {"hf_", 30, false, false},     {"npm_", 36, false, false},
    {"pypi-", 50, true, true},        {"dop_v1_", 60, false, false}, {"gsk_", 40, false, false},
    {"xai-", 60, true, true},         {"r8_", 36, false, false},     {"tg-", 40, false, true},
    {"whsec_", 24, false, false},     {"shpat_", 32, false, false},  {"GOCSPX-", 24, true, false}};

constexpr Endings prefix_endings = [] {
  Endings endings;
  for (const Prefix& prefix : prefixes) {
    const char pair[] = {to_lower(prefix.text[prefix.text.size() - 3]), to_lower(prefix.text[prefix.text.size() - 2])};
    endings.add({pair, 2});
  }
  return endings;
}();

std::size_t at_prefix(std::string_view text, std::size_t at, PiiSink& sink) {
  if (!prefix_endings.fit(text, at)) return at + 1;
  const std::size_t tail = at + 1;
  for (const Prefix& prefix : prefixes) {
    if (prefix.text.back() != text[at] || tail < prefix.text.size()) continue;
    const std::size_t begin = tail - prefix.text.size();
    if (text.substr(begin, prefix.text.size()) != prefix.text || !begins_word(text, begin)) continue;
    if (begin > 0 && (text[begin - 1] == '-' || text[begin - 1] == '_')) continue;
    const auto of_tail = [&](char c) { return is_alnum(c) || (prefix.dashes && is_token(c)); };
    std::size_t end = run_end(text, tail, of_tail, probe_bytes_max);
    if (end - tail < prefix.tail_min) continue;
    if (prefix.generated && !is_generated(text.substr(tail, end - tail))) continue;
    end = run_end(text, end, of_tail);
    sink.add(PiiKind::api_key, begin, end);
    return end;
  }
  return at + 1;
}

/// "AKIA…" of Amazon, "AIza…" of Google.
std::size_t at_capital_a(std::string_view text, std::size_t at, PiiSink& sink) {
  const std::string_view four = text.substr(at, 4);
  std::size_t end = at;
  if (four == "AIza") {
    end = run_end(text, at, is_token, 40);
    if (end - at != 39) return at + 1;
  } else {
    if (four != "AKIA" && four != "ASIA" && four != "ABIA" && four != "ACCA") return at + 1;
    end = run_end(
        text, at, [](char c) { return is_upper(c) || is_digit(c); }, 21);
    if (end - at != 20 || is_alnum(behind(text, end))) return at + 1;
  }
  if (!begins_word(text, at)) return at + 1;
  sink.add(PiiKind::api_key, at, end);
  return end;
}

/// "SG.", 22 characters, a point, 43 characters: of SendGrid.
std::size_t at_sendgrid(std::string_view text, std::size_t at, PiiSink& sink) {
  const std::size_t middle = run_end(text, at + 1, is_token);
  if (middle - at < 17 || behind(text, middle) != '.' || !begins_word(text, at - 2)) return at + 1;
  const std::size_t end = run_end(text, middle + 1, is_token);
  if (end - middle < 17 || !is_generated(text.substr(middle + 1, end - middle - 1))) return at + 1;
  sink.add(PiiKind::api_key, at - 2, end);
  return end;
}

/// header.payload.signature in base64url, the first two JSON objects: "eyJ….eyJ…". The mark is the first point.
std::size_t at_point(std::string_view text, std::size_t at, PiiSink& sink) {
  if (at >= 2 && text[at - 1] == 'G' && text[at - 2] == 'S') return at_sendgrid(text, at, sink);
  if (text.substr(at + 1, 3) != "eyJ") return at + 1;
  const std::size_t from = at > token_bytes_max ? at - token_bytes_max : 0;
  std::size_t begin = at;
  while (begin > from && is_token(text[begin - 1])) --begin;
  begin = text.find("eyJ", begin);
  if (begin + 10 > at) return at + 1;
  const std::size_t payload_end = run_end(text, at + 1, is_token);
  if (payload_end - at < 10 || behind(text, payload_end) != '.') return at + 1;
  const std::size_t end = run_end(text, payload_end + 1, is_token);
  sink.add(PiiKind::jwt, begin, end);
  return end;
}

/// "-----BEGIN … PRIVATE KEY…" to its end mark, or to the end of the text.
std::size_t at_dashes(std::string_view text, std::size_t at, PiiSink& sink) {
  constexpr std::string_view opening = "-----BEGIN ", closing = "-----END ";
  if (text.substr(at, opening.size()) != opening) return at + 1;
  const std::string_view label = text.substr(at + opening.size(), 48);
  const std::size_t key = label.find("PRIVATE KEY");
  const std::size_t first_dash = label.find('-');
  if (key == std::string_view::npos || first_dash < key) return at + 1;
  const std::string_view stretch = text.substr(0, std::min(text.size(), at + key_block_bytes_max));
  std::size_t end = stretch.find(closing, at);
  if (end == std::string_view::npos) {
    end = stretch.size();
  } else {
    end = stretch.find("-----", end + closing.size());
    end = end == std::string_view::npos ? stretch.size() : end + 5;
  }
  sink.add(PiiKind::private_key, at, end);
  return end;
}

enum class NameOf { nothing, password, token };

constexpr std::string_view password_names[] = {"password",   "passwd",     "pwd",        "passphrase", "passwort",
                                               "kennwort",   "contraseña", "contrasena", "senha",      "passe",
                                               "wachtwoord", "haslo",      "hasło",      "lösenord",   "пароль",
                                               "密码",       "密碼",       "パスワード", "비밀번호"};
constexpr std::string_view token_names[] = {
    "secret",          "token",      "apikey",      "api_key",       "api-key",       "api key",         "accesskey",
    "access_key",      "access key", "secretkey",   "secret_key",    "secret key",    "privatekey",      "private_key",
    "auth_key",        "credential", "credentials", "api-schlüssel", "accountkey",    "account_key",     "account key",
    "sharedaccesskey", "clave api",  "clé api",     "clé_api",       "authorization", "connectionstring"};

constexpr Endings name_endings = [] {
  Endings endings;
  for (const std::string_view name : password_names) endings.add(name);
  for (const std::string_view name : token_names) endings.add(name);
  return endings;
}();

/// What the name says that is assigned to: `db_password`, `API-Key`, `Passwort`, `client_secret`, `密码`.
NameOf judge(std::string_view name) noexcept {
  const auto fits = [&](std::string_view word) { return name.ends_with(word); };
  if (std::any_of(std::begin(password_names), std::end(password_names), fits)) return NameOf::password;
  if (std::any_of(std::begin(token_names), std::end(token_names), fits)) return NameOf::token;
  return NameOf::nothing;
}

/// The name before the ':' or '=' at `at`, in lower case; empty if its last letter rules every known name out.
std::string_view name_before(std::string_view text, std::size_t at, std::array<char, 32>& folded) noexcept {
  std::size_t end = at;
  while (end > 0 && at - end < 3 &&
         (text[end - 1] == ' ' || text[end - 1] == '"' || text[end - 1] == '\'' || text[end - 1] == '\\'))
    --end;
  if (!name_endings.fit(text, end)) return {};
  const std::size_t from = end > folded.size() ? end - folded.size() : 0;
  std::transform(text.data() + from, text.data() + end, folded.begin(), to_lower);
  return {folded.data(), end - from};
}

bool is_made_up(std::string_view value) noexcept {
  std::array<char, 64> folded;
  const std::size_t size = std::min(value.size(), folded.size());
  std::transform(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(size), folded.begin(), to_lower);
  const std::string_view low(folded.data(), size);
  static constexpr std::string_view fillers[] = {
      "example",  "changeme", "change_me", "change-me", "placeholder", "xxxx",       "your_",  "your-",     "yourkey",
      "redacted", "****",     "....",      "dummy",     "process.env", "os.environ", "getenv", "undefined", "null"};
  return std::any_of(std::begin(fillers), std::end(fillers),
                     [&](std::string_view f) { return low.find(f) != std::string_view::npos; });
}

bool ends_value(char c) noexcept {
  return static_cast<unsigned char>(c) <= ' ' || std::string_view("\"'`,;<>|)}]").find(c) != std::string_view::npos;
}

/// `&name=` of a query: the next parameter, not a part of the value.
bool begins_parameter(std::string_view text, std::size_t at) noexcept {
  if (text[at] != '&') return false;
  const std::size_t end = run_end(text, at + 1, is_token);
  return end > at + 1 && behind(text, end) == '=';
}

std::size_t value_end(std::string_view text, std::size_t at, std::size_t bytes_max = probe_bytes_max) noexcept {
  const std::size_t stop = std::min(text.size(), at + bytes_max);
  while (at < stop && !ends_value(text[at]) && !begins_parameter(text, at)) ++at;
  return at;
}

bool is_secret_value(std::string_view value, NameOf name, bool quoted) noexcept {
  const std::size_t size_min = name == NameOf::password ? 8 : 16;
  if (value.size() < size_min || std::none_of(value.begin(), value.end(), is_digit) || is_made_up(value)) return false;
  if (value.find_first_of("({[$") != std::string_view::npos && !quoted) return false;  // code, or a variable
  if (value.starts_with('$') || value.starts_with('{') || value.starts_with("http")) return false;
  const Mixture mixture = mixture_of(value);
  if (mixture.digits == 0 || mixture.letters == 0) return false;
  if (name == NameOf::password) return quoted || mixture.digits > 1 || mixture.others > 0 || mixture.uppers > 0;
  return mixture.bits >= 3.0 && (mixture.digits > 1 || mixture.uppers > 0);
}

/// The "KEY" before the mark at `at` is in capitals, as in names of environment variables.
bool is_variable_key(std::string_view text, std::size_t at) noexcept {
  while (at > 0 && !is_letter(text[at - 1])) --at;
  return at >= 4 && text.substr(at - 4, 4) == "_KEY";
}

/// curl -u NAME:VALUE, --user NAME:VALUE; the mark is the ':'.
std::size_t password_of_option(std::string_view text, std::size_t at, PiiSink& sink) {
  std::size_t name = at;
  while (name > 0 && at - name < 64 && (is_token(text[name - 1]) || text[name - 1] == '.')) --name;
  if (name == at || name < 3) return at + 1;
  std::string_view before = text.substr(0, name);
  if (before.ends_with('"') || before.ends_with('\'')) before.remove_suffix(1);
  const std::size_t option = before.ends_with("-u ") ? 3 : before.ends_with("--user ") ? 7 : 0;
  if (option == 0 || (before.size() > option && is_token(before[before.size() - option - 1]))) return at + 1;
  const std::size_t end = value_end(text, at + 1);
  if (!is_secret_value(text.substr(at + 1, end - at - 1), NameOf::password, true)) return at + 1;
  sink.add(PiiKind::password, at + 1, end);
  return end;
}

/// NAME = VALUE, "NAME": "VALUE", NAME => VALUE, Authorization: Bearer VALUE.
std::size_t at_assignment(std::string_view text, std::size_t at, PiiSink& sink) {
  if (text[at] == ':' && behind(text, at + 1) == '/') return at + 1;
  std::array<char, 32> folded;
  const std::string_view name_text = name_before(text, at, folded);
  if (name_text.empty()) return text[at] == ':' ? password_of_option(text, at, sink) : at + 1;
  NameOf name = judge(name_text);
  // AZURE_OPENAI_KEY: any variable of that name, if what it holds is random.
  const bool variable = name == NameOf::nothing && name_text.ends_with("_key") && is_variable_key(text, at);
  if (name == NameOf::nothing && !variable) return at + 1;
  if (variable) name = NameOf::token;
  std::size_t begin = at + 1;
  bool quoted = false;
  for (std::size_t skipped = 0; skipped < 6 && begin < text.size(); ++skipped, ++begin) {
    const char c = text[begin];
    quoted = quoted || c == '"' || c == '\'' || c == '`';
    if (c != ' ' && c != '"' && c != '\'' && c != '`' && c != '=' && c != '>' && c != '\\') break;
  }
  for (const std::string_view scheme : {"Bearer ", "bearer ", "Basic ", "basic ", "Token "}) {
    if (text.substr(begin, scheme.size()) == scheme) begin += scheme.size();
  }
  std::size_t end = value_end(text, begin);
  const std::size_t probed = end;
  while (end > begin && (text[end - 1] == '\\' || text[end - 1] == '.')) --end;
  const std::string_view value = text.substr(begin, end - begin);
  if (!is_secret_value(value, name, quoted) || (variable && !is_generated(value))) return at + 1;
  if (probed - begin == probe_bytes_max) end = value_end(text, probed, token_bytes_max);
  // A key whose maker is known is an api_key, whatever it is called.
  PiiSink inner{PiiKinds(PiiKind::api_key) | PiiKind::jwt, nullptr, {}};
  for (std::size_t i = begin; i < end && !inner.found.any(); ++i) {
    if (std::string_view("A_-.").find(text[i]) != std::string_view::npos) at_secret_mark(text, i, inner);
  }
  const PiiKind kind = inner.found.has(PiiKind::jwt)                ? PiiKind::jwt
                       : inner.found.any() || name == NameOf::token ? PiiKind::api_key
                                                                    : PiiKind::password;
  sink.add(kind, begin, end);
  return end;
}

/// " is ", " lautet ", "是": what may stand between the word and the value. Bytes of it that end before `at`; 0: none.
std::size_t saying_before(std::string_view text, std::size_t at) noexcept {
  static constexpr std::string_view sayings[] = {
      " is ", " is: ", " was ",  " ist ", " ist: ", " lautet ", " lautet: ", " es ", " est ", " è ",
      " é ",  " to ",  " jest ", " är ",  " 是",    "是",       "为",        "は",   "는 ",   "은 "};
  const auto fits = [](char c) { return is_letter(c) || c == ':' || static_cast<unsigned char>(c) >= 0x80; };
  if (at < 2 || (text[at - 1] == ' ' ? !fits(text[at - 2]) : static_cast<unsigned char>(text[at - 1]) < 0x80)) return 0;
  for (const std::string_view each : sayings) {
    if (text.substr(0, at).ends_with(each)) return each.size();
  }
  return 0;
}

}  // namespace

void find_said_password(std::string_view text, std::size_t at, PiiSink& sink) {
  constexpr std::size_t value_bytes_max = 40, stretch_bytes_max = 32;
  std::size_t begin = at;
  while (begin > 0 && at - begin < value_bytes_max && !ends_value(text[begin - 1]) &&
         static_cast<unsigned char>(text[begin - 1]) < 0x80)
    --begin;
  std::size_t said = begin;
  const bool quoted = said > 0 && (text[said - 1] == '"' || text[said - 1] == '\'' || text[said - 1] == '`');
  if (quoted) --said;
  const std::size_t saying = saying_before(text, said);
  if (saying == 0) return;
  const std::size_t stretch_end = said - saying;
  std::size_t stretch = stretch_end;
  while (stretch > 0 && stretch_end - stretch < stretch_bytes_max &&
         std::string_view(".!?;,:\n").find(text[stretch - 1]) == std::string_view::npos)
    --stretch;
  static const ContextWords names(
      "password|passwort|kennwort|passphrase|contraseña|mot de "
      "passe|senha|wachtwoord|hasło|haslo|lösenord|пароль|密码|密碼|パスワード|비밀번호");
  // The word must stand in this stretch: ContextWords looks no further back than the text it is given.
  if (!names.stand_before(text.substr(stretch), stretch_end - stretch)) return;
  std::size_t end = value_end(text, begin);
  while (end > begin && text[end - 1] == '.' && !quoted) --end;
  const std::string_view value = text.substr(begin, end - begin);
  if (is_secret_value(value, NameOf::password, quoted)) sink.add(PiiKind::password, begin, end);
}

std::size_t at_secret_mark(std::string_view text, std::size_t at, PiiSink& sink) {
  switch (text[at]) {
    case 'A':
      return at_capital_a(text, at, sink);
    case '.':
      return at_point(text, at, sink);
    case '=':
    case ':':
      return at_assignment(text, at, sink);
    case '-':
      if (behind(text, at + 1) == '-') return at_dashes(text, at, sink);
      return at_prefix(text, at, sink);
    default:
      return at_prefix(text, at, sink);
  }
}

}  // namespace tollgate::pii
