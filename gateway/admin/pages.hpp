#pragma once
// What the admin port answers: a method, a target and a body in, a reply out. On the control thread.

#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

class Gateway;

struct AdminReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;      ///< for 405
};

[[nodiscard]] AdminReply answer_admin(Gateway& gateway, std::string_view method, std::string_view target, const std::string& body);

/// admin/drain.cpp: nullopt if the path is none of its.
[[nodiscard]] std::optional<AdminReply> answer_drain(Gateway& gateway, std::string_view method, std::string_view path);

}  // namespace tollgate
