#pragma once
// How deep a JSON text nests, at the speed of memory.

#include <cstddef>
#include <string_view>

namespace tollgate {

/// Whether there are more levels than `limit`, strings left out. 64 bytes must be readable behind the text.
[[nodiscard]] bool nests_deeper_than(std::string_view json, std::size_t limit);

}  // namespace tollgate
