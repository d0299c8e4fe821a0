// POST /admin/v1/backends/NAME/drain and …/undrain.

#include <nlohmann/json.hpp>

#include "gateway/admin/pages.hpp"
#include "gateway/gateway.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace {
constexpr std::string_view prefix = "/admin/v1/backends/";
}

std::optional<AdminReply> answer_drain(Gateway& gateway, std::string_view method, std::string_view path) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  const std::size_t slash = path.rfind('/');
  const std::string_view verb = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  if (verb != "drain" && verb != "undrain") return std::nullopt;
  if (method != "POST") {
    AdminReply reply{405, "application/json", error_body(fail(Fault::method_not_allowed, "use POST to drain a backend")), {}};
    reply.allow = "POST";
    return reply;
  }
  const std::string name = percent_decoded(path.substr(0, slash));
  const std::optional<std::uint32_t> in_flight = gateway.drain_backend(name, verb == "drain");
  if (!in_flight) {
    return AdminReply{404, "application/json", error_body(fail(Fault::not_found, "there is no backend of this name; GET /admin/v1/backends lists them")), {}};
  }
  // 0: nothing is under way there any more, and nothing will be.
  const nlohmann::ordered_json body{{"backend", name}, {"draining", verb == "drain"}, {"in_flight", *in_flight}};
  return AdminReply{200, "application/json", body.dump(2) + "\n", {}};
}

}  // namespace tollgate
