#pragma once
// A request's body with personal data and secrets replaced by placeholders: `<EMAIL_1>`, `<CARD_2>`. The same value
// gets the same placeholder wherever it stands; numbers rise in the order of first appearance, so that a conversation
// that is sent again gets the same ones. The result is the same JSON but for the insides of strings.

#include <string>
#include <string_view>
#include <vector>

#include "config/pii_kind.hpp"

namespace tollgate {

struct Masked {
  struct Swap {
    std::string placeholder;
    std::string original;  ///< as it may stand in a JSON string, also in one within a string; "": it cannot be put back
  };
  std::string body;
  std::vector<Swap> swaps;
};

/// `keep` is a stretch of `body` that stays as it is (the value of "model"). `padding` bytes are reserved behind the
/// result.
[[nodiscard]] Masked mask(std::string_view body, PiiKinds kinds, std::string_view keep, std::size_t padding);

}  // namespace tollgate
