#pragma once
// What a client asks for: the endpoint, by what it does. The numbers stand in ledgers: values are added at the end, never changed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tollgate {

enum class Surface : std::uint8_t {
  chat, completions, embeddings,                            // read, classified, translated
  images, speech, transcriptions, moderations,              // passed through to a model
  files, batches                                            // passed through to where things are kept: no model is named
};
inline constexpr std::size_t surface_count = 9;
inline constexpr std::array<std::string_view, surface_count> surface_names{"chat",   "completions",    "embeddings",  "images", "speech",
                                                                           "transcriptions", "moderations", "files",  "batches"};

[[nodiscard]] constexpr std::string_view name_of(Surface surface) noexcept { return surface_names[static_cast<std::size_t>(surface)]; }
/// The request goes up and its answer comes down as they are (docs/passthrough.md).
[[nodiscard]] constexpr bool passes_through(Surface surface) noexcept { return surface > Surface::embeddings; }
[[nodiscard]] constexpr bool names_model(Surface surface) noexcept { return surface < Surface::files; }
/// The answer is a model's words.
[[nodiscard]] constexpr bool generates_text(Surface surface) noexcept { return surface < Surface::embeddings; }

}  // namespace tollgate
