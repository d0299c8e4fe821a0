#pragma once
// SHA-256, for API keys (only their hashes are configured) and for telling whether a file has changed.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

using Sha256 = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256 sha256(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string hex(const Sha256& hash);
[[nodiscard]] std::string sha256_hex(std::string_view bytes);
/// Reads 64 hexadecimal digits of either case; nullopt if the text is anything else.
[[nodiscard]] std::optional<Sha256> sha256_from_hex(std::string_view text) noexcept;

}  // namespace tollgate
