#pragma once
// What `tollgate simulate` found, and the ways it is printed.

#include <optional>
#include <string>
#include <vector>

#include "gateway/cli/commands.hpp"
#include "simulate/compare.hpp"
#include "simulate/fidelity.hpp"
#include "simulate/what_if.hpp"

namespace tollgate::cli {

struct SimulationPage {
  const SimulateOptions& options;
  const simulate::Traffic& traffic;
  const Config& config;
  std::optional<simulate::Fidelity> fidelity;   ///< absent: no configuration to replay was given
  const simulate::World &before, &after;
  const simulate::Comparison& comparison;
  const simulate::SpeedBook& speeds;
};
void print_text(const SimulationPage& page);
void print_json(const SimulationPage& page);

/// How far it is, on standard error: on a terminal one line, taken away at the end; for programs {"progress":{"step":…,"share":…}} line by line.
class ProgressBar {
 public:
  enum class For : std::uint8_t { nobody, people, programs };
  explicit ProgressBar(For whom);
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void clear() const;
  [[nodiscard]] simulate::OnProgress of(const std::string& what) const;

 private:
  For whom_;
};

struct SweepBasis {
  ConfigPtr config;
  const simulate::Traffic& traffic;
  const simulate::SpeedBook& speeds;
  const simulate::QualityBook& quality;
  const simulate::Blocks& blocks;
};
/// The curve of cost and risk over a setting; an exit code.
[[nodiscard]] int sweep_traffic(const SimulateOptions& options, const SweepBasis& basis, const ProgressBar& bar);

/// "replay fidelity: …", the report's first line.
[[nodiscard]] std::string fidelity_line(const std::optional<simulate::Fidelity>& fidelity);
/// "1,234.56": for people; exact amounts are in the JSON.
[[nodiscard]] std::string money_text(UsdSum usd);

}  // namespace tollgate::cli
