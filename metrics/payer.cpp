#include "metrics/payer.hpp"

#include <algorithm>

#include "config/glob.hpp"

namespace tollgate {

bool fits_any(const std::vector<std::string>& patterns, std::string_view name) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                         [&](const std::string& pattern) { return fits_glob(pattern, name); });
}

bool fits(const PayerScope& scope, const Payer& payer) {
  return fits_any(scope.keys, text(payer.key)) && fits_any(scope.teams, text(payer.team)) &&
         fits_any(scope.models, text(payer.model)) && fits_any(scope.routes, text(payer.route));
}

}  // namespace tollgate
