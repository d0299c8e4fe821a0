#include "gateway/cache_key.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace tollgate {
namespace {

namespace sj = simdjson::ondemand;

constexpr std::string_view layout = "tollgate cache 1";   // so that keys of two ways to make them never meet

bool is_left_out(std::string_view member, const CacheAsked& asked) noexcept {
  static constexpr std::array<std::string_view, 6> of_openai{"user", "metadata", "store", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"};
  if (member == "stream") return true;   // CacheAsked::stream says it, also where it is not written
  if (asked.form == ClientForm::responses) return false;
  if (asked.form == ClientForm::messages) return member == "metadata";
  if (std::find(of_openai.begin(), of_openai.end(), member) != of_openai.end()) return true;
  if (member == "usage") return true;    // CacheAsked::wants_cost, where it matters
  return member == "stream_options" && !asked.stream;
}

void append_part(std::string& text, std::string_view part) {
  text.append(std::to_string(part.size())).append(":").append(part);   // no part can run into the next
}

void append_name(std::string& text, NameId name) { append_part(text, std::to_string(static_cast<std::uint32_t>(name))); }

std::string_view trimmed_end(std::string_view value) noexcept {
  const std::size_t end = value.find_last_not_of(" \t\r\n");
  return value.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

}  // namespace

std::optional<CacheKey> cache_key(const CacheAsked& asked, std::string_view body) {
  const simdjson::padded_string padded(body);
  sj::parser parser;
  sj::document document;
  sj::object object;
  if (parser.iterate(padded).get(document) || document.get_object().get(object)) return std::nullopt;
  CacheKey key;
  std::vector<std::pair<std::string, std::string_view>> members;
  for (auto each : object) {
    sj::field field;
    std::string_view name, raw;
    if (std::move(each).get(field) || field.unescaped_key().get(name)) return std::nullopt;
    std::string owned(name);
    sj::value value = field.value();
    if (simdjson::to_json_string(value).get(raw)) return std::nullopt;
    if (is_left_out(owned, asked)) continue;
    raw = trimmed_end(raw);
    if (owned == "temperature") key.deterministic = raw.find_first_not_of("0.-") == std::string_view::npos && raw.find('0') != std::string_view::npos;
    members.emplace_back(std::move(owned), raw);
  }
  std::sort(members.begin(), members.end());
  std::string text;
  text.reserve(body.size() + 256);
  append_part(text, layout);
  text += static_cast<char>('0' + static_cast<int>(asked.form));
  text += static_cast<char>('0' + static_cast<int>(asked.surface));
  text += asked.stream ? '1' : '0';
  text += asked.stream && asked.wants_cost ? '1' : '0';
  append_name(text, asked.team);
  append_name(text, asked.route);
  append_name(text, asked.key);
  append_part(text, asked.beta);
  for (const auto& [name, raw] : members) {
    append_part(text, name);
    append_part(text, raw);
  }
  key.hash = sha256(text);
  return key;
}

}  // namespace tollgate
