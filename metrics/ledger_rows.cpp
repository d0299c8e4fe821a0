#include "metrics/ledger_rows.hpp"

#include <cmath>

namespace tollgate {

std::array<std::int64_t, request_column_count> values_of(const RequestRow& row, const RequestNames& names) noexcept {
  const auto complexity_ppm = std::lround(static_cast<double>(row.complexity) * 1e6);
  const int flags = (row.stream ? 1 : 0) | (row.recovered ? 2 : 0) | static_cast<int>(row.purpose) << 2;
  return {static_cast<std::int64_t>(row.id),
          row.arrived_us,
          row.ended_us - row.arrived_us,
          names.model,
          names.route,
          names.team,
          names.key,
          names.target,
          complexity_ppm,
          static_cast<std::int64_t>(row.tier),
          static_cast<std::int64_t>(row.surface),
          flags,
          names.result,
          row.http_status,
          row.attempts,
          row.input_bytes};
}

std::array<std::int64_t, attempt_column_count> values_of(const RequestRow& row, const AttemptRow& attempt,
                                                         std::int64_t target, std::int64_t result) noexcept {
  const Usage& usage = attempt.usage;
  const auto& lines = attempt.charge.lines;
  return {static_cast<std::int64_t>(row.id),
          attempt.number,
          target,
          result,
          attempt.http_status,
          static_cast<std::int64_t>(attempt.usage_source),
          static_cast<std::int64_t>(attempt.pool_method),
          static_cast<std::int64_t>(attempt.pricing),
          attempt.started_us - row.arrived_us,
          attempt.first_token_us - row.arrived_us,
          attempt.ended_us - row.arrived_us,
          usage.input.count(),
          usage.cached_input.count(),
          usage.cache_write.count(),
          usage.output.count(),
          usage.reasoning.count(),
          lines[0].count(),
          lines[1].count(),
          lines[2].count(),
          lines[3].count(),
          lines[4].count(),
          lines[5].count()};
}

bool has_rare(const AttemptRow& attempt) noexcept {
  const auto charged = [&attempt] {
    for (auto kind = static_cast<std::size_t>(ChargeKind::reasoning); kind < charge_kind_count; ++kind) {
      if (attempt.charge.lines[kind] != Usd{}) return true;
    }
    return false;
  };
  return attempt.service_tier != NameId::none || attempt.usage.web_searches != 0 || attempt.usage.rare != Usage{}.rare || charged();
}

std::array<std::int64_t, rare_column_count> rare_values_of(const AttemptRow& attempt, std::int64_t service_tier) noexcept {
  std::array<std::int64_t, rare_column_count> values{service_tier, attempt.usage.web_searches};
  std::size_t at = 2;
  for (const std::int32_t tokens : attempt.usage.rare) values[at++] = tokens;
  for (auto kind = static_cast<std::size_t>(ChargeKind::reasoning); kind < charge_kind_count; ++kind) {
    values[at++] = attempt.charge.lines[kind].count();
  }
  return values;
}
static_assert(2 + rare_class_count + charge_kind_count - static_cast<std::size_t>(ChargeKind::reasoning) == rare_column_count);

bool keeps_features(const OpenRequest& settled) noexcept {
  const RequestNotes& notes = settled.notes;
  return notes.of == settled.row.id && notes.features.size <= feature_bytes_max && notes.features.version != 0;
}

bool keeps_decision(const OpenRequest& settled) noexcept {
  return settled.facts.of == settled.row.id && settled.facts.asked != NameId::none;
}

}  // namespace tollgate
