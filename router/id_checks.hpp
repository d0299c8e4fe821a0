#pragma once
// Checksums and rules of numbers that name a person or an account. Digits come as values 0 … 9, in order, separators
// left out; every function wants the exact length it names and answers whether the number can be one. Pure.

#include <cstdint>
#include <span>
#include <string_view>

namespace tollgate {

using DigitSpan = std::span<const std::uint8_t>;

[[nodiscard]] bool passes_luhn(DigitSpan digits) noexcept;
[[nodiscard]] bool passes_verhoeff(DigitSpan digits) noexcept;
/// Payment card: the issuer's range, its length, Luhn.
[[nodiscard]] bool is_card(DigitSpan digits) noexcept;
/// US social security number, 9: area, group and serial that are given out; also taxpayer numbers (ITIN).
[[nodiscard]] bool is_us_ssn(DigitSpan digits) noexcept;
[[nodiscard]] bool is_german_tax_id(DigitSpan digits) noexcept;       ///< 11
[[nodiscard]] bool is_french_nir(DigitSpan digits) noexcept;          ///< 15
[[nodiscard]] bool is_brazilian_cpf(DigitSpan digits) noexcept;       ///< 11
[[nodiscard]] bool is_indian_aadhaar(DigitSpan digits) noexcept;      ///< 12
[[nodiscard]] bool is_polish_pesel(DigitSpan digits) noexcept;        ///< 11
[[nodiscard]] bool is_british_nhs(DigitSpan digits) noexcept;         ///< 10
[[nodiscard]] bool is_dutch_bsn(DigitSpan digits) noexcept;           ///< 9
[[nodiscard]] bool is_belgian_national(DigitSpan digits) noexcept;    ///< 11
[[nodiscard]] bool is_swedish_personal(DigitSpan digits) noexcept;    ///< 10
[[nodiscard]] bool is_danish_cpr(DigitSpan digits) noexcept;          ///< 10: a date only
[[nodiscard]] bool is_norwegian_birth(DigitSpan digits) noexcept;     ///< 11
[[nodiscard]] bool is_swiss_ahv(DigitSpan digits) noexcept;           ///< 13
[[nodiscard]] bool is_austrian_sv(DigitSpan digits) noexcept;         ///< 10
[[nodiscard]] bool is_korean_rrn(DigitSpan digits) noexcept;          ///< 13
[[nodiscard]] bool is_japanese_my_number(DigitSpan digits) noexcept;  ///< 12
[[nodiscard]] bool is_canadian_sin(DigitSpan digits) noexcept;        ///< 9
[[nodiscard]] bool is_australian_tfn(DigitSpan digits) noexcept;      ///< 9
[[nodiscard]] bool is_turkish_tckn(DigitSpan digits) noexcept;        ///< 11
[[nodiscard]] bool is_south_african_id(DigitSpan digits) noexcept;    ///< 13
/// 17 digits and the check character, '0' … '9' or 'X'.
[[nodiscard]] bool is_chinese_resident(DigitSpan digits, char check) noexcept;
/// 7 or 8 digits and '0' … '9' or 'K'.
[[nodiscard]] bool is_chilean_rut(DigitSpan digits, char check) noexcept;
/// 8 digits and the letter. For an NIE the leading X, Y, Z counts as the digit 0, 1, 2.
[[nodiscard]] bool is_spanish_dni(DigitSpan digits, char letter) noexcept;
/// 6 digits of a date, a century mark and 3 more are the caller's; 9 digits and the check character.
[[nodiscard]] bool is_finnish_hetu(DigitSpan digits, char check) noexcept;
/// Two letters, 6 digits are the caller's, suffix letter A … D.
[[nodiscard]] bool is_british_nino(char first, char second, char suffix) noexcept;
/// 16 letters and digits, upper case.
[[nodiscard]] bool is_italian_fiscal_code(std::string_view code) noexcept;
/// The country's length if there is such a country; 0 otherwise. Two upper-case letters.
[[nodiscard]] unsigned iban_length(std::string_view country) noexcept;
/// Letters (upper case) and digits, separators left out: the country's length and remainder 1 modulo 97.
[[nodiscard]] bool is_iban(std::string_view compact) noexcept;

}  // namespace tollgate
