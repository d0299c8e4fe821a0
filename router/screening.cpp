#include "router/screening.hpp"

#include <algorithm>

#include "config/keywords.hpp"
#include "router/plain_text.hpp"

namespace tollgate {
namespace {

constexpr PiiKinds all_kinds = PiiKinds::from_bits(~0U);

PlainText& scratch() {
  thread_local PlainText plain;
  return plain;
}

/// Base64 of either alphabet, also with '/' escaped as JSON allows.
bool is_base64(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=' || c == '-' || c == '_' || c == '\\';
  });
}

bool is_data_url(std::string_view text) noexcept {
  constexpr std::string_view scheme = "data:";
  return text.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), text.begin(),
                                                   [](char wanted, char c) { return wanted == pii::to_lower(c); });
}

}  // namespace

StringIs kind_of_string(std::string_view inside) noexcept {
  constexpr std::size_t media_bytes_min = 1024, bare_bytes_min = 64;
  if (is_data_url(inside)) {
    const std::string_view head = inside.substr(5, 128);
    const std::size_t base64 = head.find(";base64,");
    if (base64 == std::string_view::npos || !is_base64(inside.substr(5 + base64 + 8))) return StringIs::text;
    const auto is = [&](std::string_view kind) { return head.starts_with(kind); };
    if (!is("image/") && !is("audio/") && !is("video/")) return StringIs::file;
    return inside.size() < media_bytes_min ? StringIs::text : StringIs::media;  // small ones are as well read
  }
  // Bare base64: by the first bytes of PDF, ZIP (and so DOCX, XLSX, ODT) and the older Office files.
  const bool begins = inside.starts_with("JVBERi") || inside.starts_with("UEsDB") || inside.starts_with("0M8R4KGx");
  return begins && inside.size() >= bare_bytes_min && is_base64(inside) ? StringIs::file : StringIs::text;
}

Screening::Screening(const ChatView& chat, std::string_view body) : chat_(&chat), body_(body) {
  std::uint64_t seen = 0;
  for (const TextPart& part : chat.texts) seen += part.raw.size();
  readable_ = seen == chat.text_bytes;  // else: token numbers, or texts that were dropped
}

// use(text) for every string, as PlainText reads it, until it returns false.
template <class Use>
void Screening::each_text(Use&& use) const {
  PlainText& plain = scratch();
  bool go_on = true;
  const auto take = [&](std::string_view inside) {
    if (!go_on || kind_of_string(inside) == StringIs::media) return;
    plain.assign(inside);
    if (kind_of_string(plain.view()) == StringIs::file) {
      readable_ = false;
    } else {
      go_on = use(plain.view());
    }
  };
  if (!body_.empty()) return each_json_text(body_, take, take);
  for (const TextPart& part : chat_->texts) take(part.raw);
}

PiiKinds Screening::kinds() const {
  if (!readable_ || (!has_text_ && !screened_)) return all_kinds;
  if (screened_) return kinds_;
  screened_ = true;
  PiiSink sink{all_kinds, nullptr, {}};
  each_text([&](std::string_view text) {
    find_pii(text, sink);
    return true;
  });
  return kinds_ = readable_ ? sink.found : all_kinds;
}

bool Screening::mentions(const Keywords& keywords) const {
  for (const auto& [asked, found] : asked_) {
    if (asked == &keywords) return found;
  }
  if (!readable_ || !has_text_) return true;
  bool found = false;
  each_text([&](std::string_view text) {
    found = keywords.occur_in(text);
    return !found;
  });
  found = found || !readable_;
  asked_.emplace_back(&keywords, found);
  return found;
}

std::optional<bool> Screening::known_to_mention(const Keywords& keywords) const noexcept {
  for (const auto& [asked, found] : asked_) {
    if (asked == &keywords) return found;
  }
  return readable_ ? std::nullopt : std::optional(true);
}

void Screening::forget_text() noexcept {
  has_text_ = false;
  body_ = {};
}

}  // namespace tollgate
