#include "router/mask.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "router/pii.hpp"
#include "router/plain_text.hpp"
#include "router/screening.hpp"

namespace tollgate {
namespace {

class Masking {
 public:
  Masking(PiiKinds kinds, Masked& masked) : kinds_(kinds), masked_(masked) {}

  /// The inside of a string.
  void text(std::string_view inside) {
    find_in(inside);
    std::size_t at = 0;
    for (const PiiFinding& found : findings_) {
      const std::size_t begin = plain_.raw_offset(found.begin), end = plain_.raw_offset(found.end);
      masked_.body.append(inside.substr(at, begin - at));
      masked_.body.append(placeholder_for(found, inside.substr(begin, end - begin)));
      at = end;
    }
    masked_.body.append(inside.substr(at));
  }

  /// A number outside strings: its placeholder is a string.
  void number(std::string_view digits) {
    find_in(digits);
    if (findings_.empty()) {
      masked_.body.append(digits);
    } else {
      const PiiFinding whole{findings_.front().kind, 0, digits.size()};
      masked_.body.append(1, '"').append(placeholder_for(whole, digits)).append(1, '"');
    }
  }

 private:
  void find_in(std::string_view raw) {
    plain_.assign(raw);
    findings_.clear();
    PiiSink sink{kinds_, &findings_, {}};
    find_pii(plain_.view(), sink);
  }

  const std::string& placeholder_for(const PiiFinding& found, std::string_view raw) {
    const std::string_view value = plain_.view().substr(found.begin, found.end - found.begin);
    const auto [known, is_new] = known_.try_emplace(std::string(value), masked_.swaps.size());
    if (is_new) {
      std::string name(name_of(found.kind));
      std::transform(name.begin(), name.end(), name.begin(), pii::to_upper);
      const unsigned number = ++count_[static_cast<std::size_t>(found.kind)];
      const bool escaped = raw.find('\\') != std::string_view::npos;
      std::string original(escaped ? value : raw);
      const bool needs_escapes = std::any_of(original.begin(), original.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
      });
      if (needs_escapes) original.clear();
      masked_.swaps.push_back({"<" + name + "_" + std::to_string(number) + ">", std::move(original)});
    }
    return masked_.swaps[known->second].placeholder;
  }

  PiiKinds kinds_;
  Masked& masked_;
  PlainText plain_;
  std::vector<PiiFinding> findings_;
  std::map<std::string, std::size_t> known_;  // value → its place in swaps
  std::array<unsigned, pii_kind_count> count_{};
};

}  // namespace

Masked mask(std::string_view body, PiiKinds kinds, std::string_view keep, std::size_t padding) {
  Masked masked;
  masked.body.reserve(body.size() + body.size() / 16 + padding);
  Masking masking(kinds, masked);
  std::size_t at = 0;
  const auto copy_before = [&](std::string_view next) {
    const auto begin = static_cast<std::size_t>(next.data() - body.data());
    masked.body.append(body.substr(at, begin - at));
    at = begin + next.size();
  };
  each_json_text(
      body,
      [&](std::string_view inside) {
        copy_before(inside);
        const bool kept = inside.data() >= keep.data() && inside.data() < keep.data() + keep.size();
        if (kept || kind_of_string(inside) != StringIs::text) {
          masked.body.append(inside);
        } else {
          masking.text(inside);
        }
      },
      [&](std::string_view digits) {
        copy_before(digits);
        masking.number(digits);
      });
  masked.body.append(body.substr(at));
  masked.body.reserve(masked.body.size() + padding);
  return masked;
}

}  // namespace tollgate
