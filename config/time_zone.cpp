#include "config/time_zone.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>

namespace tollgate {
namespace {

constexpr const char* zone_folder = "/usr/share/zoneinfo/";
constexpr std::int64_t hour = 3600, day = 24 * hour;
constexpr std::int64_t offset_max = 26 * hour;  // of RFC 9636
constexpr int last_rule_year = 2200;            // the rule at the end of a file is written out up to here
constexpr std::size_t file_bytes_max = 1024 * 1024;

/// Reads big-endian numbers; past the end it reads zeros and remembers it.
class Bytes {
 public:
  explicit Bytes(std::string_view data) : data_(data) {}
  std::string_view take(std::size_t count) noexcept {
    if (count > data_.size()) {
      failed_ = true;
      data_ = {};
      return {};
    }
    const std::string_view taken = data_.substr(0, count);
    data_.remove_prefix(count);
    return taken;
  }
  std::int64_t number(std::size_t bytes) noexcept {
    const std::string_view raw = take(bytes);
    if (raw.empty()) return 0;
    std::uint64_t value = (static_cast<unsigned char>(raw[0]) & 0x80U) != 0 ? ~std::uint64_t{0} : 0;  // the sign
    for (const char c : raw) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] std::string_view rest() const noexcept { return data_; }

 private:
  std::string_view data_;
  bool failed_ = false;
};

struct Header {
  char version = 0;
  std::size_t utc_flags = 0, standard_flags = 0, leaps = 0, times = 0, types = 0, characters = 0;
  [[nodiscard]] std::size_t block_bytes(std::size_t time_bytes) const noexcept {
    return times * time_bytes + times + types * 6 + characters + leaps * (time_bytes + 4) + standard_flags + utc_flags;
  }
};

std::optional<Header> read_header(Bytes& bytes) {
  if (bytes.take(4) != "TZif") return std::nullopt;
  Header header;
  const std::string_view version = bytes.take(1);
  if (version.empty()) return std::nullopt;
  header.version = version[0];
  bytes.take(15);
  for (std::size_t* count :
       {&header.utc_flags, &header.standard_flags, &header.leaps, &header.times, &header.types, &header.characters}) {
    const std::int64_t value = bytes.number(4);
    if (value < 0 || value > static_cast<std::int64_t>(file_bytes_max)) return std::nullopt;
    *count = static_cast<std::size_t>(value);
  }
  return bytes.failed() ? std::nullopt : std::optional(header);
}

/// One end of summer time: "M3.5.0/2", "J60", "59/-1:30".
struct RuleDay {
  enum class Kind : std::uint8_t { month_week, julian, zero_based } kind = Kind::month_week;
  int month = 0, week = 0, weekday = 0, number = 0;
  std::int64_t time = 2 * hour;
  /// In local seconds.
  [[nodiscard]] std::int64_t in(int year) const noexcept {
    using namespace std::chrono;
    const auto since_1970 = [](year_month_day date) { return sys_days{date}.time_since_epoch().count() * day; };
    const std::chrono::year y{year};
    if (kind != Kind::month_week) {
      const std::int64_t first = since_1970(y / January / 1);
      // J counts 1 to 365 and never names 29 February; the other form counts it, from 0.
      const bool after_leap_day = kind == Kind::julian && y.is_leap() && number >= 60;
      const std::int64_t days = kind == Kind::julian ? number - 1 + (after_leap_day ? 1 : 0) : number;
      return first + days * day + time;
    }
    const std::chrono::month m{static_cast<unsigned>(month)};
    const std::chrono::weekday w{static_cast<unsigned>(weekday)};
    if (week == 5) return since_1970(year_month_day{sys_days{y / m / w[last]}}) + time;
    return since_1970(year_month_day{sys_days{y / m / w[static_cast<unsigned>(week)]}}) + time;
  }
};

/// The rule at the end of a file: "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ, with the extensions of RFC 9636).
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : text_(text) {}

  struct Rule {
    std::int64_t standard = 0;  ///< seconds east
    std::optional<std::int64_t> summer;
    RuleDay begin, end;
  };
  std::optional<Rule> read() {
    Rule rule;
    if (!skip_name()) return std::nullopt;
    const auto west = time();
    if (!west) return std::nullopt;
    rule.standard = -*west;
    if (text_.empty()) return rule;
    if (!skip_name()) return std::nullopt;
    rule.summer = rule.standard + hour;
    if (!text_.empty() && text_.front() != ',') {
      const auto summer_west = time();
      if (!summer_west) return std::nullopt;
      rule.summer = -*summer_west;
    }
    return read_day(rule.begin) && read_day(rule.end) && text_.empty() ? std::optional(rule) : std::nullopt;
  }

 private:
  bool skip(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool skip_name() {
    if (skip('<')) {
      const std::size_t end = text_.find('>');
      if (end == std::string_view::npos) return false;
      text_.remove_prefix(end + 1);
      return true;
    }
    std::size_t length = 0;
    while (length < text_.size() &&
           ((text_[length] >= 'A' && text_[length] <= 'Z') || (text_[length] >= 'a' && text_[length] <= 'z'))) {
      ++length;
    }
    text_.remove_prefix(length);
    return length >= 3;
  }
  std::optional<int> digits() {
    constexpr int most = 10'000;
    int value = 0;
    std::size_t length = 0;
    for (; length < text_.size() && text_[length] >= '0' && text_[length] <= '9' && value < most; ++length) {
      value = value * 10 + (text_[length] - '0');
    }
    text_.remove_prefix(length);
    return length == 0 ? std::nullopt : std::optional(value);
  }
  /// [+-]hh[:mm[:ss]]
  std::optional<std::int64_t> time() {
    const bool negative = skip('-');
    if (!negative) skip('+');
    std::int64_t seconds = 0;
    std::int64_t unit = hour;
    do {
      const auto part = digits();
      if (!part) return std::nullopt;
      seconds += *part * unit;
      unit /= 60;
    } while (unit > 0 && skip(':'));
    return negative ? -seconds : seconds;
  }
  bool read_day(RuleDay& out) {
    if (!skip(',')) return false;
    if (skip('M')) {
      const auto month = digits();
      if (!month || *month < 1 || *month > 12 || !skip('.')) return false;
      const auto week = digits();
      if (!week || *week < 1 || *week > 5 || !skip('.')) return false;
      const auto weekday = digits();
      if (!weekday || *weekday > 6) return false;
      out.month = *month;
      out.week = *week;
      out.weekday = *weekday;
    } else {
      out.kind = skip('J') ? RuleDay::Kind::julian : RuleDay::Kind::zero_based;
      const auto number = digits();
      if (!number || *number > 365 || (out.kind == RuleDay::Kind::julian && *number < 1)) return false;
      out.number = *number;
    }
    if (!skip('/')) return true;
    const auto at = time();
    if (at) out.time = *at;
    return at.has_value();
  }

  std::string_view text_;
};

}  // namespace

TimeZone TimeZone::utc() {
  TimeZone zone;
  zone.name_ = "UTC";
  return zone;
}

Result<TimeZone> TimeZone::parse(std::string_view name, std::string_view file) {
  const auto damaged = [&] {
    return fail(Fault::bad_config,
                "the file of time zone '" + std::string(name) + "' is damaged; reinstall the package tzdata");
  };
  Bytes bytes(file);
  std::optional<Header> header = read_header(bytes);
  if (!header) return damaged();
  std::size_t time_bytes = 4;
  if (header->version >= '2') {  // the same again in 64 bits follows
    bytes.take(header->block_bytes(time_bytes));
    time_bytes = 8;
    header = read_header(bytes);
    if (!header) return damaged();
  }
  if (header->types == 0 || header->types > 256) return damaged();
  if (header->leaps > 0) {
    return fail(Fault::bad_config, "time zone '" + std::string(name) + "' counts leap seconds; use the one without");
  }
  if (bytes.rest().size() < header->block_bytes(time_bytes)) return damaged();
  TimeZone zone;
  zone.name_ = std::string(name);
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < header->times; ++i) times.push_back(bytes.number(time_bytes));
  const std::string_view types_of = bytes.take(header->times);
  std::vector<std::int64_t> offsets;
  for (std::size_t i = 0; i < header->types; ++i) {
    offsets.push_back(bytes.number(4));
    bytes.take(2);
    if (std::abs(offsets.back()) > offset_max) return damaged();
  }
  bytes.take(header->characters + header->standard_flags + header->utc_flags);
  zone.first_offset_ = offsets.front();
  for (std::size_t i = 0; i < times.size(); ++i) {
    const auto type = static_cast<unsigned char>(types_of[i]);
    if (type >= offsets.size() || (i > 0 && times[i] <= times[i - 1])) return damaged();
    zone.changes_.push_back({times[i], offsets[type]});
  }
  if (time_bytes == 8) {
    std::string_view footer = bytes.rest();
    if (footer.size() < 2 || footer.front() != '\n') return damaged();
    footer.remove_prefix(1);
    const std::size_t end = footer.find('\n');
    if (end == std::string_view::npos) return damaged();
    if (end > 0 && !RuleReader(footer.substr(0, end)).read()) return damaged();
    if (end > 0) zone.extend_by_rule(footer.substr(0, end));
  }
  return zone;
}

// Written out once, so that every question is one search in one list.
void TimeZone::extend_by_rule(std::string_view text) {
  const auto rule = RuleReader(text).read();
  if (!rule) return;
  const std::int64_t after = changes_.empty() ? INT64_MIN : changes_.back().at;
  if (!rule->summer) {
    if (changes_.empty()) first_offset_ = rule->standard;
    return;
  }
  using namespace std::chrono;
  int first_year = 1970;
  if (!changes_.empty()) {
    first_year = static_cast<int>(year_month_day{floor<days>(sys_seconds{seconds{after}})}.year());
  }
  for (int year = first_year; year <= last_rule_year; ++year) {
    std::array<Change, 2> both{Change{rule->begin.in(year)-rule->standard, *rule->summer},
                               Change{rule->end.in(year) - *rule->summer, rule->standard}};
    if (both[1].at < both[0].at) std::swap(both[0], both[1]);  // south of the equator
    for (const Change& change : both) {
      const bool later = changes_.empty() || change.at > changes_.back().at;
      if (later && change.at > after) changes_.push_back(change);
    }
  }
}

/// Index of the first change after that instant.
std::size_t TimeZone::change_before(std::int64_t unix_seconds) const noexcept {
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), unix_seconds,
                                      [](std::int64_t time, const Change& change) { return time < change.at; });
  return static_cast<std::size_t>(after - changes_.begin());
}

std::int64_t TimeZone::offset_at(std::int64_t unix_seconds) const noexcept {
  const std::size_t next = change_before(unix_seconds);
  return next == 0 ? first_offset_ : changes_[next - 1].offset;
}

std::int64_t TimeZone::next_change(std::int64_t unix_seconds) const noexcept {
  const std::size_t next = change_before(unix_seconds);
  return next == changes_.size() ? never : changes_[next].at;
}

std::int64_t TimeZone::first_instant_of(std::int64_t local_seconds) const noexcept {
  std::int64_t from = local_seconds - offset_max;  // the clock cannot have shown it earlier
  for (;;) {
    const std::int64_t offset = offset_at(from), until = next_change(from);
    const std::int64_t instant = std::max(from, local_seconds - offset);
    if (instant < until) return instant;
    from = until;
  }
}

Result<TimeZonePtr> find_time_zone(std::string_view name) {
  if (name == "UTC") return TimeZonePtr(std::make_shared<const TimeZone>(TimeZone::utc()));
  const auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '+' ||
           c == '-' || c == '/';
  };
  const bool is_name = !name.empty() && name.front() != '/' && std::all_of(name.begin(), name.end(), legal);
  std::ifstream in;
  if (is_name) in.open(zone_folder + std::string(name), std::ios::binary);
  std::string file;
  if (in.is_open()) {
    file.resize(file_bytes_max);
    in.read(file.data(), static_cast<std::streamsize>(file.size()));
    file.resize(static_cast<std::size_t>(in.gcount()));
  }
  if (file.empty()) {
    return fail(Fault::bad_config,
                "there is no time zone '" + std::string(name.substr(0, 64)) +
                    "' on this machine; use UTC, or an IANA name such as Europe/Berlin (package tzdata)");
  }
  TOLLGATE_TRY(TimeZone zone, TimeZone::parse(name, file));
  return TimeZonePtr(std::make_shared<const TimeZone>(std::move(zone)));
}

}  // namespace tollgate
