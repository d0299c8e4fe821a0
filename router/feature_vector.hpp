#pragma once
// Features → a few dozen bytes: the dense features, each on a logarithmic scale in one byte, and the base model's score
// beside them. It is what the ledger keeps of a request for learning and replay, and what a learned correction weighs.
// No text can be read out of it.
//
//    FeatureBlob blob = blob_of(features, base_score, model.id());       // about a tenth of a microsecond
//    std::optional<StoredFeatures> stored = stored_features(blob);
//
// The blob: base model's id (4 bytes, little endian), base score in 1/65535 (2 bytes), then dense_count
// bytes. What a byte means is the order of `dense_names`; a change of order or meaning is a new feature_version, and
// rows of other versions are left out when a model is fitted. Pure, any thread, no heap.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "metrics/request_notes.hpp"
#include "router/features.hpp"

namespace tollgate {

inline constexpr std::uint8_t feature_version = 2;
inline constexpr std::size_t dense_count = 47;
/// 16 · log2(1 + n) for what is counted, 0 or 16 for what is there or not.
using DenseFeatures = std::array<std::uint8_t, dense_count>;
extern const std::array<std::string_view, dense_count> dense_names;

struct StoredFeatures {
  std::uint32_t base_model = 0;  ///< whose score: Model::id()
  float base_score = 0;
  DenseFeatures dense{};
};

[[nodiscard]] DenseFeatures dense_of(const Features& features) noexcept;
[[nodiscard]] FeatureBlob blob_of(const DenseFeatures& dense, float base_score, std::uint32_t base_model) noexcept;
/// Whose score it holds, whatever its version; nullopt: there is none.
[[nodiscard]] std::optional<std::uint32_t> base_model_of(const FeatureBlob& blob) noexcept;
/// nullopt: of another version, or damaged.
[[nodiscard]] std::optional<StoredFeatures> stored_features(const FeatureBlob& blob) noexcept;

}  // namespace tollgate
