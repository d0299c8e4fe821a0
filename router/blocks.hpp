#pragma once
// Sixteen bytes at a time: the few vector operations that the text passes need, SSE2 where there is one, plain loops
// elsewhere. A mask has bit i set where byte i holds the property.

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tollgate {

inline constexpr std::size_t block_bytes = 16;

#if defined(__SSE2__)
class Block {
 public:
  explicit Block(const char* from) noexcept : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) {}
  void store(char* to) const noexcept { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes_); }
  [[nodiscard]] std::uint32_t equal(char c) const noexcept { return mask(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8(c))); }
  /// Bytes in [low, high]; both ASCII.
  [[nodiscard]] std::uint32_t between(char low, char high) const noexcept { return mask(within(low, high)); }
  [[nodiscard]] std::uint32_t non_ascii() const noexcept { return mask(bytes_); }
  void to_lower_case() noexcept { bytes_ = _mm_or_si128(bytes_, _mm_and_si128(within('A', 'Z'), _mm_set1_epi8(0x20))); }

 private:
  static std::uint32_t mask(__m128i bytes) noexcept { return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes)); }
  [[nodiscard]] __m128i within(char low, char high) const noexcept {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes_, _mm_set1_epi8(static_cast<char>(low - 1))),
                         _mm_cmplt_epi8(bytes_, _mm_set1_epi8(static_cast<char>(high + 1))));
  }
  __m128i bytes_;
};
#else
class Block {
 public:
  explicit Block(const char* from) noexcept { std::memcpy(bytes_, from, block_bytes); }
  void store(char* to) const noexcept { std::memcpy(to, bytes_, block_bytes); }
  [[nodiscard]] std::uint32_t equal(char c) const noexcept {
    return mask([c](char b) { return b == c; });
  }
  [[nodiscard]] std::uint32_t between(char low, char high) const noexcept {
    return mask([low, high](char b) { return b >= low && b <= high; });
  }
  [[nodiscard]] std::uint32_t non_ascii() const noexcept {
    return mask([](char b) { return (static_cast<unsigned char>(b) & 0x80U) != 0; });
  }
  void to_lower_case() noexcept {
    for (char& b : bytes_) {
      if (b >= 'A' && b <= 'Z') b = static_cast<char>(b | 0x20);
    }
  }

 private:
  template <class Holds>
  [[nodiscard]] std::uint32_t mask(Holds holds) const noexcept {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < block_bytes; ++i) bits |= static_cast<std::uint32_t>(holds(bytes_[i])) << i;
    return bits;
  }
  char bytes_[block_bytes];
};
#endif

}  // namespace tollgate
