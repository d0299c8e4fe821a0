#pragma once
// A request typed into the live page, as POST /admin/v1/explain and /send take it:
//
//    {"request": {"model": "auto", "messages": […]}, "headers": {"x-data-class": "phi"}}

#include <string>
#include <utility>
#include <vector>

#include "config/result.hpp"
#include "gateway/admin/pages.hpp"

namespace tollgate {

struct TypedRequest {
  std::string body;                                          ///< of /v1/chat/completions
  std::vector<std::pair<std::string, std::string>> headers;  ///< "x-…", lower case
};

/// Errors name the member that is wrong.
[[nodiscard]] Result<TypedRequest> read_typed_request(const AdminRequest& request);
[[nodiscard]] AdminReply refusal_of(const Error& error);

}  // namespace tollgate
