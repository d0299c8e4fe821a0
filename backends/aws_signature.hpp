#pragma once
// AWS Signature Version 4 of one request: the headers that prove it was sent by who holds the keys. Source: AWS's "Create a signed AWS API
// request"; checked against the vectors of its documentation.

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace tollgate {

struct SignedRequest {
  std::string_view method = "POST";
  std::string_view host;        ///< as the host header says it, port included where it is not the scheme's own
  std::string_view path;        ///< as sent: percent-encoded once; no query
  std::span<const std::string_view> body;
  std::string_view service;     ///< "bedrock"
};

/// x-amz-date, x-amz-content-sha256, authorization, and x-amz-security-token for keys that expire. The signature covers host and these.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> aws_headers(const SignedRequest& request, const AwsKeys& keys,
                                                                           std::chrono::system_clock::time_point now);

}  // namespace tollgate
