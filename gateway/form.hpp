#pragma once
// A body of multipart/form-data (RFC 7578): where its parts stand. The parts are found while the body comes in, piece by piece, so that
// hundreds of megabytes are never searched at once. Pure: bytes in, places out. What two readers could read differently is refused.
//
//    Result<FormReader> reader = FormReader::of(content_type);
//    reader.feed(piece); …                                   // as it comes
//    Result<FormParts> parts = reader.parts(whole_body);     // once it is there

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.hpp"

namespace tollgate {

struct FormPart {
  std::string_view name, content_type;
  std::string_view value;              ///< a view of the body
  bool is_file = false;                ///< it has a file name
};
using FormParts = boost::container::small_vector<FormPart, 8>;

class FormReader {
 public:
  static constexpr std::size_t parts_max = 128;

  /// Fault: bad_request without a boundary.
  [[nodiscard]] static Result<FormReader> of(std::string_view content_type);
  void feed(std::string_view piece);
  /// Of the whole body that was fed. Faults: bad_request if it is no form, is cut off, or has a name twice that rules read.
  [[nodiscard]] Result<FormParts> parts(std::string_view body) const;
  [[nodiscard]] std::string_view delimiter() const noexcept { return delimiter_; }   ///< "\r\n--boundary"

 private:
  explicit FormReader(std::string delimiter) : delimiter_(std::move(delimiter)), carry_("\r\n") {}   // the first may stand at the very beginning

  std::string delimiter_, carry_;
  std::uint64_t seen_ = 0;                 // bytes fed
  std::vector<std::uint64_t> found_;       // where delimiters begin, two more than in the body
};

[[nodiscard]] bool is_form(std::string_view content_type) noexcept;
[[nodiscard]] bool is_json(std::string_view content_type) noexcept;

}  // namespace tollgate
