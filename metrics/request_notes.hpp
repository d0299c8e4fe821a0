#pragma once
// What routing saw of a request, as numbers: the classifier's features and facts that rules look at. Kept in the
// request's slot and then in the ledger (table `features`), so that a model can be fitted to the traffic. Never text.
//
//    write_notes(open, notes);       // once, after classification, before the first attempt
//
// Trivially copyable: they live in a memory-mapped slot (metrics/ledger_slots.hpp).

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace tollgate {

enum class RequestId : std::int64_t;

/// Bits of RequestNotes::flags; the numbers stand in ledgers.
enum NoteFlag : std::uint16_t {
  note_tools = 1,
  note_images = 2,
  note_json = 4,        ///< response_format asks for JSON
  note_json_schema = 8  ///< with a schema
};

inline constexpr std::size_t feature_bytes_max = 80;

/// The features in the classifier's own form. Version 0: none.
struct FeatureBlob {
  std::uint8_t version = 0;
  std::uint8_t size = 0;
  std::array<std::uint8_t, feature_bytes_max> bytes{};  ///< the first `size` of them
};

struct RequestNotes {
  RequestId of{};                       ///< whose notes these are, stored last: those of another id are none
  std::int32_t input_tokens = 0;        ///< as estimated when it was decided
  std::int32_t output_tokens_max = -1;  ///< as asked for; -1: not given
  std::uint16_t flags = 0;              ///< NoteFlag
  FeatureBlob features;
};
static_assert(std::is_trivially_copyable_v<RequestNotes>);

}  // namespace tollgate
