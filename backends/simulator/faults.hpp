#pragma once
// How one answer misbehaves. Faults are of the wire: the engine works on as if nothing were wrong, and stops only when
// the connection is gone.
//
//    Result<FaultPlan> plan = parse_faults("delay=250ms,cut=5");

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/result.hpp"

namespace tollgate::simulator {

enum class Stall : std::uint8_t { none, head, first_byte, events };
enum class UsageFault : std::uint8_t { right, none, wrong, zero };

struct FaultPlan {
  int status = 0;                      ///< 0: as it should be
  std::optional<int> retry_after;      ///< seconds, with status
  std::chrono::milliseconds delay{0};  ///< before the head
  Stall stall = Stall::none;
  std::uint32_t stall_after = 0;             ///< events
  std::optional<std::uint32_t> cut;          ///< events, then the connection is closed
  std::optional<std::size_t> cut_bytes;      ///< of the body, then the connection is closed
  std::optional<std::uint32_t> reset;        ///< events, then RST
  bool reset_head = false;                   ///< RST instead of any answer
  std::optional<std::uint32_t> error_event;  ///< events, then an error event and the end
  bool garbage = false;                      ///< not JSON
  std::string content_type;                  ///< "" as it should be
  UsageFault usage = UsageFault::right;
  std::chrono::milliseconds drip{0};  ///< between pieces of drip_bytes; 0: as fast as it goes
  bool close_after_answer = false;    ///< though keep-alive was promised
  std::size_t huge_event = 0;         ///< bytes of text in the first content event; 0: as it should be
  [[nodiscard]] bool any() const noexcept { return !text.empty(); }
  std::string text;  ///< as given
};

inline constexpr std::size_t drip_bytes = 16;
inline constexpr std::size_t huge_event_max = 64U << 20;

/// Reads "name[=value],…"; the error names the wrong item and what would be right. "" is no fault.
[[nodiscard]] Result<FaultPlan> parse_faults(std::string_view text);
/// The grammar, for --help.
[[nodiscard]] std::string_view fault_grammar() noexcept;

}  // namespace tollgate::simulator
