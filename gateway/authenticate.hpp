#pragma once
// Key → caller. Keys are known by their SHA-256 only; the comparison takes the same time whatever differs.

#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"
#include "config/sha256.hpp"

namespace tollgate {

struct Caller {
  NameId key{}, team{};
  const ApiKey* record = nullptr;   ///< nullptr: no keys are configured (loopback only)
};

/// Immutable; views into the Config it was made from.
class KeyTable {
 public:
  explicit KeyTable(const Config& config);
  /// `authorization` is the header's value: "Bearer <key>". Faults: unauthenticated.
  [[nodiscard]] Result<Caller> authenticate(std::string_view authorization) const;
  [[nodiscard]] bool open_to_all() const noexcept { return by_prefix_.empty(); }

 private:
  std::unordered_multimap<std::uint64_t, const ApiKey*> by_prefix_;   // by the first 8 bytes of the hash: not a secret's timing
};

/// May this caller name this model? (ApiKey::models)
[[nodiscard]] bool may_use(const Caller& caller, std::string_view model);

}  // namespace tollgate
