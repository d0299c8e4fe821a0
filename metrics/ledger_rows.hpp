#pragma once
// A settled request as the numbers that stand in the ledger's tables: the same for every database.
//
// A column that is added to `request` or `attempt` (metrics/ledger_schema.cpp) is named and filled here, and nowhere
// else.

#include <array>
#include <cstdint>
#include <string_view>

#include "metrics/records.hpp"

namespace tollgate {

inline constexpr std::string_view request_columns =
    "id,arrived_us,duration_us,model,route,team,key,target,complexity_ppm,tier,surface,flags,result,http_status,attempts,"
    "input_bytes";
inline constexpr std::size_t request_column_count = 16;
inline constexpr std::string_view attempt_columns =
    "request,number,target,result,http_status,usage_source,pool_method,pricing,started_after_us,first_token_after_us,"
    "ended_after_us,input,cached_input,cache_write,output,reasoning,input_pusd,cached_input_pusd,cache_write_pusd,"
    "output_pusd,request_pusd,gpu_pusd";
inline constexpr std::size_t attempt_column_count = 22;
inline constexpr std::size_t first_token_column = 9;  ///< of those; NULL if no token came
/// What most attempts have nothing of: the tables' default is 0.
inline constexpr std::string_view rare_columns =
    "service_tier,web_searches,cache_write_1h,input_audio,cached_input_audio,input_image,cached_input_image,output_audio,"
    "output_image,reasoning_pusd,web_search_pusd,cache_write_1h_pusd,input_audio_pusd,cached_input_audio_pusd,"
    "input_image_pusd,cached_input_image_pusd,output_audio_pusd,output_image_pusd";
inline constexpr std::size_t rare_column_count = 18;

/// The ledger's numbers of a request's names.
struct RequestNames {
  std::int64_t model = 0, route = 0, team = 0, key = 0, target = 0, result = 0;
};

/// `id_of` a NameId or a RowResult.
template <class IdOf>
[[nodiscard]] Result<RequestNames> names_of(const RequestRow& row, const IdOf& id_of) {
  RequestNames names;
  TOLLGATE_TRY(names.model, id_of(row.model));
  TOLLGATE_TRY(names.route, id_of(row.route));
  TOLLGATE_TRY(names.team, id_of(row.team));
  TOLLGATE_TRY(names.key, id_of(row.key));
  TOLLGATE_TRY(names.target, id_of(row.target));
  TOLLGATE_TRY(names.result, id_of(row.result));
  return names;
}

[[nodiscard]] std::array<std::int64_t, request_column_count> values_of(const RequestRow& row, const RequestNames& names) noexcept;
[[nodiscard]] std::array<std::int64_t, attempt_column_count> values_of(const RequestRow& row, const AttemptRow& attempt,
                                                                       std::int64_t target, std::int64_t result) noexcept;
[[nodiscard]] bool has_rare(const AttemptRow& attempt) noexcept;
[[nodiscard]] std::array<std::int64_t, rare_column_count> rare_values_of(const AttemptRow& attempt, std::int64_t service_tier) noexcept;

/// What routing saw of it is there, of this request, and to be kept.
[[nodiscard]] bool keeps_features(const OpenRequest& settled) noexcept;
[[nodiscard]] bool keeps_decision(const OpenRequest& settled) noexcept;

}  // namespace tollgate
