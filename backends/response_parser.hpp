#pragma once
// An HTTP/1.x response read incrementally on Beast's parser, without I/O: bytes in, body views out.
//
// Feed bytes as they come; what is not consumed must be given again with more behind it. Body pieces are compacted in the given
// (mutable) buffer, so that each feed yields one contiguous view into it.

#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <string_view>

#include "backends/transfer.hpp"

namespace tollgate {

class ResponseParser final : public boost::beast::http::basic_parser<false> {
 public:
  static constexpr std::uint32_t head_bytes_max = 64 * 1024;

  ResponseParser();

  struct Fed {
    std::size_t consumed = 0;
    std::string_view body;     ///< into the fed buffer
    bool broken = false;       ///< not HTTP
  };
  /// Stops behind the head (body bytes then wait for the next feed) and at the end of the message.
  Fed feed(char* data, std::size_t size);
  /// The connection was closed: true if that ends the message properly.
  bool feed_end();

  AnswerHead head;
  std::string_view billed_header;  ///< a header to be kept in head.billed_time; "": none
  [[nodiscard]] bool is_interim() const noexcept { return head.status >= 100 && head.status < 200 && head.status != 101; }

 private:
  using error_code = boost::beast::error_code;
  using string_view = boost::beast::string_view;
  void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view reason, int version, error_code& ec) override;
  void on_field_impl(boost::beast::http::field name, string_view text, string_view value, error_code& ec) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code& ec) override;
  std::size_t on_body_impl(string_view body, error_code& ec) override;
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t remain, string_view body, error_code& ec) override;
  void on_finish_impl(error_code&) override {}
  void collect(string_view body) noexcept;

  char* body_begin_ = nullptr;
  std::size_t body_size_ = 0;
};

}  // namespace tollgate
