#include "router/feature_vector.hpp"

#include <bit>
#include <cmath>
#include <cstring>

namespace tollgate {

namespace {

constexpr std::size_t base_bytes = 6;
static_assert(base_bytes + dense_count <= feature_bytes_max);
constexpr float score_steps = 65535;
constexpr std::uint8_t yes = 16;

/// 16 · log2(1 + n), straight between powers of two: integers only, for it stands on the request path.
constexpr std::uint8_t log_scale(std::uint64_t n) noexcept {
  constexpr std::uint64_t most = 0xFFFF;
  n = (n < most ? n : most) + 1;
  const int power = static_cast<int>(std::bit_width(n)) - 1;
  const std::uint64_t part = ((n - (std::uint64_t{1} << power)) << 4) >> power;
  const std::uint64_t scaled = (static_cast<std::uint64_t>(power) << 4) + part;
  return static_cast<std::uint8_t>(scaled < 255 ? scaled : 255);
}
static_assert(log_scale(0) == 0 && log_scale(1) == 16 && log_scale(2) == 24 && log_scale(3) == 32);
constexpr std::uint8_t flag(bool set) noexcept { return set ? yes : 0; }

/// Whose words are counted, in the order of dense_names.
constexpr std::array counted_marks{Mark::prove,   Mark::reason, Mark::compare, Mark::design,     Mark::debug,
                                   Mark::explain, Mark::simple, Mark::create,  Mark::factual,    Mark::small_talk,
                                   Mark::code,    Mark::maths,  Mark::expert,  Mark::constraint, Mark::step,
                                   Mark::deep,    Mark::brief};
constexpr std::size_t first_mark = dense_count - counted_marks.size();

}  // namespace

const std::array<std::string_view, dense_count> dense_names{
    "words", "bytes", "words_quoted", "numbers", "questions", "list_items", "options", "code_fences", "formulas",
    "output_words", "leads_simple", "has_task", "code_marks", "digits", "lines", "words_before", "bytes_before",
    "bytes_system", "system_leads_simple", "text_bytes", "messages", "user_messages", "tools", "tool_calls",
    "tool_results", "images", "audio", "output_tokens_max", "json_output", "json_schema",
    // words of each mark in the instruction
    "prove", "reason", "compare", "design", "debug", "explain", "simple", "create", "factual", "small_talk", "code",
    "maths", "expert", "constraint", "step", "deep", "brief"};

DenseFeatures dense_of(const Features& f) noexcept {
  const Turn& now = f.now;
  DenseFeatures dense{log_scale(now.words),
                      log_scale(now.bytes),
                      log_scale(now.words_quoted),
                      log_scale(now.numbers),
                      log_scale(now.questions),
                      log_scale(now.list_items),
                      log_scale(now.options),
                      log_scale(now.code_fences),
                      log_scale(now.formulas),
                      log_scale(now.output_words),
                      flag(now.leads_simple),
                      flag(now.lead != Mark::none),
                      log_scale(f.now_bytes.code_marks),
                      log_scale(f.now_bytes.digits),
                      log_scale(f.now_bytes.lines),
                      log_scale(f.before.words),
                      log_scale(f.before.bytes),
                      log_scale(f.system.bytes),
                      flag(f.system.leads_simple),
                      log_scale(f.text_bytes),
                      log_scale(f.messages),
                      log_scale(f.user_messages),
                      log_scale(f.tools),
                      log_scale(f.tool_calls),
                      log_scale(f.tool_results),
                      log_scale(f.images),
                      log_scale(f.audio),
                      log_scale(f.output_tokens_max > 0 ? static_cast<std::uint64_t>(f.output_tokens_max) : 0),
                      flag(f.json_output),
                      flag(f.json_schema)};
  for (std::size_t i = 0; i < counted_marks.size(); ++i)
    dense[first_mark + i] = log_scale(now.said_of(counted_marks[i]));
  return dense;
}

FeatureBlob blob_of(const DenseFeatures& dense, float base_score, std::uint32_t base) noexcept {
  FeatureBlob blob;
  blob.version = feature_version;
  blob.size = base_bytes + dense_count;
  const auto score = static_cast<std::uint16_t>(base_score * score_steps + 0.5F);
  static_assert(std::endian::native == std::endian::little, "the blob's numbers are little endian");
  std::memcpy(blob.bytes.data(), &base, sizeof base);
  std::memcpy(blob.bytes.data() + sizeof base, &score, sizeof score);
  std::memcpy(blob.bytes.data() + base_bytes, dense.data(), dense_count);
  return blob;
}

std::optional<std::uint32_t> base_model_of(const FeatureBlob& blob) noexcept {
  if (blob.version == 0 || blob.size < base_bytes) return std::nullopt;
  std::uint32_t model = 0;
  std::memcpy(&model, blob.bytes.data(), sizeof model);
  return model;
}

std::optional<StoredFeatures> stored_features(const FeatureBlob& blob) noexcept {
  if (blob.version != feature_version || blob.size != base_bytes + dense_count) return std::nullopt;
  StoredFeatures stored;
  std::uint16_t score = 0;
  std::memcpy(&stored.base_model, blob.bytes.data(), sizeof stored.base_model);
  std::memcpy(&score, blob.bytes.data() + sizeof stored.base_model, sizeof score);
  std::memcpy(stored.dense.data(), blob.bytes.data() + base_bytes, dense_count);
  stored.base_score = static_cast<float>(score) / score_steps;
  return stored;
}

}  // namespace tollgate
