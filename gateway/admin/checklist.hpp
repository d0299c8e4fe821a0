#pragma once
// The setup checklist of the live page: what is in order, what is not, and what to do about it.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tollgate {

class Gateway;

/// What the list needs beside the gateway itself.
struct ChecklistFacts {
  std::uint64_t requests = 0;  ///< of today
  std::uint64_t unpriced = 0;  ///< attempts of today
  bool scraped = false;        ///< by a Prometheus, lately
};

/// [{"id", "title", "state": "ok" | "todo", "detail", "remedy", "snippet"}]; the last two are null where all is well.
[[nodiscard]] nlohmann::ordered_json checklist(Gateway& gateway, const ChecklistFacts& facts);

}  // namespace tollgate
