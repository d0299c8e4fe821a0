#pragma once
// What an auditor must know of a configuration later: its constraints, and where each backend stood (trust, labels).
// One text, which the ledger keeps once per configuration beside the requests it covered, so that `tollgate prove`
// judges an attempt by what held then and not by today's file.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

/// JSON, the same for the same rules. Empty if there are no constraints.
[[nodiscard]] std::string rules_text(const Config& config);

/// Read back.
struct RecordedRules {
  struct Rule {
    std::string name;
    ConstraintAction action = ConstraintAction::constrain;
    std::optional<Trust> trust;
    std::map<std::string, std::vector<std::string>> labels;
  };
  struct Standing {
    Trust trust = Trust::external;
    std::map<std::string, std::string> labels;
    /// "internal, region=eu"
    [[nodiscard]] std::string words() const;
  };
  std::vector<Rule> rules;  ///< in the order of the bits
  std::map<std::string, Standing> backends;

  /// nullopt: another program wrote it.
  [[nodiscard]] static std::optional<RecordedRules> parse(std::string_view text);
  [[nodiscard]] static bool satisfies(const Standing& standing, const Rule& rule) noexcept;
};

}  // namespace tollgate
