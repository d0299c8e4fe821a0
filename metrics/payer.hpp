#pragma once
// On whose account a request goes, and whether a budget's or a limit's scope means it.

#include <boost/functional/hash.hpp>

#include "config/config.hpp"

namespace tollgate {

struct Payer {
  NameId key{}, team{}, model{}, route{};
  friend bool operator==(const Payer&, const Payer&) = default;
  friend std::size_t hash_value(const Payer& payer) noexcept {
    std::size_t seed = 0;
    for (const NameId part : {payer.key, payer.team, payer.model, payer.route}) boost::hash_combine(seed, part);
    return seed;
  }
};

/// An empty list of patterns means everything.
[[nodiscard]] bool fits_any(const std::vector<std::string>& patterns, std::string_view name);
/// Without regard to targets.
[[nodiscard]] bool fits(const PayerScope& scope, const Payer& payer);

}  // namespace tollgate
