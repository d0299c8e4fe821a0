#pragma once
// The kinds of personal data and secrets that a condition can ask for (`when: {pii: [card, iban]}`), and sets of them.
// What counts as one stands in router/pii.hpp.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

enum class PiiKind : std::uint8_t {
  email,
  phone,
  card,
  iban,
  ssn,
  national_id,
  ip,
  api_key,
  private_key,
  jwt,
  password
};
inline constexpr std::size_t pii_kind_count = 11;

namespace detail {
inline constexpr std::array<std::string_view, pii_kind_count> pii_kind_names{
    "email", "phone", "card", "iban", "ssn", "national_id", "ip", "api_key", "private_key", "jwt", "password"};
}

[[nodiscard]] constexpr std::string_view name_of(PiiKind kind) noexcept {
  return detail::pii_kind_names[static_cast<std::size_t>(kind)];
}

class PiiKinds {
 public:
  constexpr PiiKinds() = default;
  constexpr PiiKinds(PiiKind kind) noexcept : bits_(static_cast<std::uint16_t>(1U << static_cast<unsigned>(kind))) {}
  [[nodiscard]] static constexpr PiiKinds from_bits(unsigned bits) noexcept {
    PiiKinds kinds;
    kinds.bits_ = static_cast<std::uint16_t>(bits & ((1U << pii_kind_count) - 1));
    return kinds;
  }
  [[nodiscard]] constexpr unsigned bits() const noexcept { return bits_; }
  [[nodiscard]] constexpr bool any() const noexcept { return bits_ != 0; }
  [[nodiscard]] constexpr bool has(PiiKind kind) const noexcept {
    return (bits_ & (1U << static_cast<unsigned>(kind))) != 0;
  }
  friend constexpr PiiKinds operator|(PiiKinds a, PiiKinds b) noexcept {
    return from_bits(a.bits_ | unsigned{b.bits_});
  }
  friend constexpr PiiKinds operator&(PiiKinds a, PiiKinds b) noexcept {
    return from_bits(a.bits_ & unsigned{b.bits_});
  }
  friend constexpr bool operator==(PiiKinds, PiiKinds) = default;
  constexpr PiiKinds& operator|=(PiiKinds other) noexcept { return *this = *this | other; }

 private:
  std::uint16_t bits_ = 0;
};

/// What nobody may have: `pii: secret`.
inline constexpr PiiKinds secret_kinds =
    PiiKinds(PiiKind::api_key) | PiiKind::private_key | PiiKind::jwt | PiiKind::password;
/// `pii: true`: everything but IP addresses, which version numbers look like.
inline constexpr PiiKinds usual_pii_kinds = secret_kinds | PiiKind::email | PiiKind::phone | PiiKind::card |
                                            PiiKind::iban | PiiKind::ssn | PiiKind::national_id;

/// The kinds that a word of the configuration stands for: a kind's name, or "secret".
[[nodiscard]] constexpr std::optional<PiiKinds> pii_kinds_named(std::string_view word) noexcept {
  if (word == "secret") return secret_kinds;
  for (std::size_t i = 0; i < pii_kind_count; ++i) {
    if (detail::pii_kind_names[i] == word) return PiiKinds(static_cast<PiiKind>(i));
  }
  return std::nullopt;
}

/// "card, email": in the order of the enum.
[[nodiscard]] inline std::string text_of(PiiKinds kinds) {
  std::string text;
  for (std::size_t i = 0; i < pii_kind_count; ++i) {
    if (!kinds.has(static_cast<PiiKind>(i))) continue;
    if (!text.empty()) text += ", ";
    text += detail::pii_kind_names[i];
  }
  return text;
}

}  // namespace tollgate
