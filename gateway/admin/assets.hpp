#pragma once
// The live page's files, embedded in the program: gateway/page/.

#include <optional>
#include <string_view>

#include "gateway/admin/pages.hpp"

namespace tollgate {

/// nullopt: there is no such file. "/" is the page itself.
[[nodiscard]] std::optional<AdminReply> page_file(std::string_view path);

}  // namespace tollgate
