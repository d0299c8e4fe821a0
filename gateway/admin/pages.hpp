#pragma once
// What the admin port answers: a request in, a reply out. On the control thread.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "config/names.hpp"

namespace tollgate {

class Gateway;
struct Serving;

/// Views into the request; "" where a field is absent.
struct AdminRequest {
  std::string_view method, target, body;
  std::string_view host, origin, fetch_site, content_type, authorization;
  std::string_view api_key;          ///< x-tollgate-api-key: of the data port
  std::string_view scrape_timeout;   ///< what a Prometheus sends along
  std::string_view accept;

  [[nodiscard]] std::string_view path() const noexcept { return target.substr(0, target.find('?')); }
  /// The value of a query parameter; it is not unescaped.
  [[nodiscard]] std::string_view query(std::string_view name) const noexcept;
};

struct AdminReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;      ///< for 405
  std::string age{};      ///< seconds since it was worked out, where that was before it was asked for
};

[[nodiscard]] AdminReply answer_admin(Gateway& gateway, const AdminRequest& request);

/// [{"target", "state", "in_flight", "priced"}], in the order of the configuration.
[[nodiscard]] nlohmann::ordered_json targets_report(const Serving& serving);

/// admin/drain.cpp: nullopt if the path is none of its.
[[nodiscard]] std::optional<AdminReply> answer_warm(Gateway& gateway, const AdminRequest& request);   // admin/warm.cpp, likewise
/// The last warm-up of a backend; null: none was asked for.
[[nodiscard]] nlohmann::ordered_json warm_up_report(Gateway& gateway, NameId backend);
[[nodiscard]] std::optional<AdminReply> answer_drain(Gateway& gateway, std::string_view method, std::string_view path);

}  // namespace tollgate
