#pragma once
// What requests can reach: routes that others before them leave nothing to, routes whose targets can do none of what
// they take, targets that their route's scores never fall to. Private to this folder.

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

/// No request can come to the route at that index. Only true where that is certain.
[[nodiscard]] bool never_matches(const Config& config, std::size_t route);

void remark_on_reach(const Config& config, std::vector<std::string>& remarks);

}  // namespace tollgate
