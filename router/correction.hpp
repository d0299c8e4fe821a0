#pragma once
// What was learned from the traffic, on top of the base model: score' = sigmoid(intercept + slope · logit(score) +
// Σ weight · feature). It makes the score the chance that the weaker targets' answer is not good enough, as outcomes
// showed it. Independent of the base model's form; it belongs to one base model and one version of the features, and
// says so in its file. `tollgate train` makes it (router/correction_fit.hpp).
//
//    Result<CorrectionPtr> correction = load_correction("correction.json", model.id());
//    float score = correction.value()->apply(base_score, dense_of(features));
//
// Immutable, any thread; applying one costs about a tenth of a microsecond.

#include <memory>
#include <string>

#include "config/result.hpp"
#include "router/feature_vector.hpp"
#include "router/router.hpp"

namespace tollgate {

struct Correction {
  float intercept = 0, slope = 1;
  std::array<float, dense_count> weights{};  ///< of a feature's byte / 16

  [[nodiscard]] float apply(float base_score, const DenseFeatures& dense) const noexcept;
};
using CorrectionPtr = std::shared_ptr<const Correction>;

/// ln(p / (1 - p)), with p kept off 0 and 1 so that it stays finite.
[[nodiscard]] float logit_of(float score) noexcept;

/// Where a correction came from, for people who read its file.
struct CorrectionOrigin {
  std::uint32_t base_model = 0;  ///< Model::id() of the one it was fitted to
  std::string made_at{};         ///< ISO 8601
  std::size_t rows = 0;
  double log_loss_before = 0, log_loss_after = 0;
};
[[nodiscard]] std::string correction_text(const Correction& correction, const CorrectionOrigin& origin);
/// Errors say what is wrong; Fault::bad_config if it belongs to another base model than this or to another version.
[[nodiscard]] Result<CorrectionPtr> parse_correction(std::string_view json, const std::string& source,
                                                     std::uint32_t base_model);
/// Absent file: a null pointer, for nothing was learned yet.
[[nodiscard]] Result<CorrectionPtr> load_correction(const std::string& path, std::uint32_t base_model);
/// In one step: a reader sees the old file or the new one, also after a power cut. The old one is kept as
/// `previous_correction(path)`; where there was none, that file is removed.
[[nodiscard]] Result<void> install_correction(const std::string& path, std::string_view text);
[[nodiscard]] std::string previous_correction(const std::string& path);

enum class RolledBack : std::uint8_t { to_previous, to_base_model, nothing_installed };
/// Undoes the last install.
[[nodiscard]] Result<RolledBack> roll_back_correction(const std::string& path);

}  // namespace tollgate
