#pragma once
// Times that stand in records and files: microseconds since 1970, by the system's clock. Durations are measured by the steady one.

#include <chrono>
#include <cstdint>

namespace tollgate {

[[nodiscard]] inline std::int64_t unix_micros() noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace tollgate
