#pragma once
// The head of one client request, and its framing, on Beast's parser. Fields are kept in one string, found by name without case.
// Bytes are given with feed(); what is not consumed must be given again with more behind it.

#include <boost/beast/http/basic_parser.hpp>
#include <boost/container/small_vector.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/result.hpp"
#include "router/router.hpp"

namespace tollgate {

class RequestHead final : public boost::beast::http::basic_parser<true> {
 public:
  explicit RequestHead(std::size_t head_bytes_max);

  /// Parses until the head is complete; true when it is. `consumed` bytes are done with. Faults: bad_request, too_large.
  Result<bool> feed_head(std::string_view bytes, std::size_t& consumed);
  /// After the head, for a chunked body: appends decoded bytes to `body`; true when the body is complete. Faults: bad_request, too_large.
  Result<bool> feed_chunked(std::string_view bytes, std::size_t& consumed, std::string& body, std::size_t body_bytes_max);

  [[nodiscard]] boost::beast::http::verb verb() const noexcept { return verb_; }
  [[nodiscard]] std::string_view method() const noexcept { return method_; }
  /// The target without its query: "/v1/models".
  [[nodiscard]] std::string_view path() const noexcept;
  /// The query with its question mark; "": there is none.
  [[nodiscard]] std::string_view query() const noexcept { return std::string_view(text_.data(), target_size_).substr(path().size()); }
  /// The first field of that name (lower case), or an empty view.
  [[nodiscard]] std::string_view field(std::string_view lower_name) const noexcept;
  /// All fields, as views into this head; once it is complete.
  [[nodiscard]] std::span<const HeaderField> fields();
  [[nodiscard]] bool expects_continue() const noexcept { return expects_continue_; }
  [[nodiscard]] bool has_body() const { return chunked() || content_length().value_or(0) > 0; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  struct FieldAt {
    std::uint32_t name, name_size, value, value_size;   // offsets into text_
  };
  void on_request_impl(boost::beast::http::verb verb, string_view method, string_view target, int version, error_code& ec) override;
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field name, string_view text, string_view value, error_code& ec) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& ec) override;
  void on_finish_impl(error_code&) override {}

  std::size_t head_bytes_max_;
  boost::beast::http::verb verb_{};
  std::string method_;            // short: lives in the string's own storage
  std::string text_;              // target, then names and values
  std::uint32_t target_size_ = 0;
  boost::container::small_vector<FieldAt, 12> fields_;
  boost::container::small_vector<HeaderField, 12> views_;   // made by the first fields()
  bool expects_continue_ = false;
  std::string* body_ = nullptr;   // while feed_chunked runs
  std::size_t body_bytes_max_ = 0;
};

}  // namespace tollgate
