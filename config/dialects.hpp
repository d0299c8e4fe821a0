#pragma once
// The dialects by name: what a backend's `dialect:` may say, and what follows from it before a byte is sent. How each speaks stands in
// backends/.

#include <span>
#include <string_view>

#include "config/config.hpp"

namespace tollgate {

/// The bodies and streams a dialect's API uses.
enum class WireForm : std::uint8_t { openai, anthropic, gemini, bedrock, job };

struct DialectFacts {
  DialectName dialect;
  std::string_view name;        ///< as in the configuration
  WireForm form = WireForm::openai;
  std::string_view url;         ///< where it is served; "": the configuration must say
  std::string_view health_path; ///< of an engine that offers one; ""
  bool running_counts = false;  ///< takes stream_options.continuous_usage_stats
};

[[nodiscard]] const DialectFacts& facts_of(DialectName dialect) noexcept;
/// All of them, in the order of the enumeration.
[[nodiscard]] std::span<const DialectFacts> all_dialects() noexcept;

}  // namespace tollgate
