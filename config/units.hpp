#pragma once
// Units are types: money, prices, tokens and GPU time cannot be mixed up, and none of them is a floating-point number.
//
//    Usd charge = cost(TokenCount{1'000'000}, UsdPerToken{150'000'000});   // $0.15 per million tokens -> 0.15 USD
//
// All are 64-bit counts; sums over rows are UsdSum (128 bits). Overflow of a row is refused at config load (prices are bounded)
// and checked in cost().

#include <compare>
#include <cstdint>

namespace tollgate {

__extension__ typedef __int128 Int128;  // NOLINT(modernize-use-using): -Wpedantic knows no other way

/// A count of one unit. Arithmetic within a unit only; no implicit conversion.
template <class Unit>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(std::int64_t count) : count_(count) {}
  [[nodiscard]] constexpr std::int64_t count() const noexcept { return count_; }
  constexpr Quantity& operator+=(Quantity other) noexcept { count_ += other.count_; return *this; }
  constexpr Quantity& operator-=(Quantity other) noexcept { count_ -= other.count_; return *this; }
  friend constexpr Quantity operator+(Quantity a, Quantity b) noexcept { return a += b; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) noexcept { return a -= b; }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;

 private:
  std::int64_t count_ = 0;
};

using Usd = Quantity<struct Picodollars>;                   ///< 1e-12 USD; holds +-9.2 million USD
using UsdPerToken = Quantity<struct FemtodollarsPerToken>;  ///< 1e-15 USD per token; "$1 per million tokens" is 1'000'000'000
using TokenCount = Quantity<struct Tokens>;
using GpuTime = Quantity<struct GpuMicroseconds>;           ///< two GPUs for one second are 2'000'000

/// A sum of money over many rows: picodollars in 128 bits.
class UsdSum {
 public:
  constexpr UsdSum() = default;
  constexpr explicit UsdSum(Int128 picodollars) : picodollars_(picodollars) {}
  constexpr UsdSum(Usd usd) : picodollars_(usd.count()) {}  // NOLINT(google-explicit-constructor): widening loses nothing
  [[nodiscard]] constexpr Int128 picodollars() const noexcept { return picodollars_; }
  constexpr UsdSum& operator+=(UsdSum other) noexcept { picodollars_ += other.picodollars_; return *this; }
  constexpr UsdSum& operator-=(UsdSum other) noexcept { picodollars_ -= other.picodollars_; return *this; }
  friend constexpr UsdSum operator+(UsdSum a, UsdSum b) noexcept { return a += b; }
  friend constexpr UsdSum operator-(UsdSum a, UsdSum b) noexcept { return a -= b; }
  friend constexpr auto operator<=>(UsdSum, UsdSum) = default;

 private:
  Int128 picodollars_ = 0;
};

/// numerator / denominator, rounded half to even; denominator > 0. The one rounding of money.
[[nodiscard]] constexpr Int128 divide_half_even(Int128 numerator, Int128 denominator) noexcept {
  Int128 quotient = numerator / denominator;
  Int128 remainder = numerator % denominator;
  if (remainder < 0) {
    remainder += denominator;
    --quotient;
  }
  const Int128 twice = remainder * 2;
  if (twice > denominator || (twice == denominator && (quotient & 1) != 0)) ++quotient;
  return quotient;
}

/// What `tokens` cost at `price`: exact in 128 bits, rounded half-even once to a picodollar.
[[nodiscard]] constexpr Usd cost(TokenCount tokens, UsdPerToken price) noexcept {
  return Usd{static_cast<std::int64_t>(divide_half_even(static_cast<Int128>(tokens.count()) * price.count(), 1000))};
}

}  // namespace tollgate
