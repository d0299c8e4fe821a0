#pragma once
// For commands that ask the gateway that runs: where its admin port is, and what it answers.

#include <string>

namespace tollgate::cli {

struct AdminPort {
  std::string config;  ///< asked for the address, unless …
  std::string url;     ///< … this is it
};
/// The address, without a slash at its end. Said why if the code is not ok.
[[nodiscard]] int find_admin_port(const AdminPort& options, std::string& url);

struct AdminAnswer {
  long status = 0;
  std::string body;
  std::string failure;  ///< not empty: there was no answer
};
/// Shows the key of TOLLGATE_ADMIN_KEY, if there is one.
[[nodiscard]] AdminAnswer ask_admin_port(const std::string& url, double seconds);
/// The same by POST, without a body.
[[nodiscard]] AdminAnswer tell_admin_port(const std::string& url, double seconds);

}  // namespace tollgate::cli
