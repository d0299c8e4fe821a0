#pragma once
// What is read of requests and answers that are passed through: which endpoint it is, and what the answer says was used.
// Pure: text in, values out.

#include <optional>
#include <string>
#include <string_view>

#include "backends/dialect.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

/// An endpoint that is passed through.
struct PassedPlace {
  enum class Does : std::uint8_t {
    work,        // a model's: to make it again costs again, and does no other harm
    make,        // something that is kept afterwards: never made twice
    list,
    look,        // at one thing: its description, or its content
    change       // of one thing: deleted, cancelled, added to, completed
  };
  Surface surface = Surface::images;
  Does does = Does::work;
  std::string_view id;                   ///< of the thing; "": none
  bool content = false;                  ///< the thing itself is asked for, not its description
  bool form = false;                     ///< takes a multipart form

  [[nodiscard]] bool may_repeat() const noexcept { return does == Does::work || does == Does::list || does == Does::look; }
};

/// nullopt: the path is none of these, whatever the method. Faults: method_not_allowed; not_found for an id that is none. Views of `path`.
[[nodiscard]] Result<std::optional<PassedPlace>> passed_place(std::string_view method, std::string_view path);
/// Of the path: "GET, POST" for the header of a 405.
[[nodiscard]] std::string passed_methods(std::string_view path);

/// The usage object of OpenAI's images and audio answers in the normal form. nullopt: it has no tokens (transcriptions that are billed by the
/// second), or counts that contradict each other. `spoken`: all output is sound, where the object does not say of what kind it is.
[[nodiscard]] std::optional<Usage> passed_usage(std::string_view object, Surface surface, bool spoken);
/// How much sound was heard, in microseconds: `seconds` of such an object, or `duration` of a verbose answer, whose beginning and end are given.
[[nodiscard]] std::optional<std::int64_t> heard_micros(std::string_view usage, std::string_view answer);

/// Looks at an answer as it goes by, JSON or a stream of events, and keeps the places where its usage stands: its beginning and its end.
class PassedUsageScan {
 public:
  static constexpr std::size_t window_bytes = 8 * 1024;

  void feed(std::string_view bytes);
  /// The last object called "usage" in what was kept; "": none. An unescaped `"usage":` can only be a key.
  [[nodiscard]] std::string usage_object() const;
  [[nodiscard]] const std::string& begin() const noexcept { return begin_; }

 private:
  std::string begin_, end_;
};

}  // namespace tollgate
