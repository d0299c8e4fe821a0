// POST /admin/v1/backends/NAME/warm wakes a pool that scales to zero; GET says how far the last warm-up is.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/admin/pages.hpp"
#include "gateway/gateway.hpp"
#include "gateway/reply.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view prefix = "/admin/v1/backends/", suffix = "/warm";

AdminReply refused(const Error& error) { return {http_status_of(error), "application/json", error_body(error), {}}; }

Json report_of(const WarmUp& warm_up) {
  const std::int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::int64_t took = (warm_up.ended_us == 0 ? now : warm_up.ended_us) - warm_up.began_us;
  return {{"backend", text(warm_up.backend)},
          {"target", text(warm_up.target)},
          {"state", name_of(warm_up.state)},
          {"seconds", static_cast<double>(took / 1000) / 1000},
          {"calls", warm_up.calls},
          {"charged_usd", warm_up.charge_known ? Json(decimal_text(warm_up.charged)) : Json()},
          {"error", warm_up.error.empty() ? Json() : Json(warm_up.error)}};
}

/// The backend's target of this model, by either of its names; its first if none is named. What is passed through knows no least request.
const Target* target_of(const Config& config, std::size_t backend, std::string_view model) {
  for (const Target& target : config.targets) {
    if (target.backend == backend && !target.is_passed_to() && (model.empty() || text(target.model) == model || text(target.id) == model)) return &target;
  }
  return nullptr;
}

AdminReply begin(Gateway& gateway, std::size_t backend, std::string_view model) {
  const ServingPtr serving = gateway.serving();
  const Config& config = *serving->config;
  const std::string name(text(config.backends[backend].name));
  const Target* const target = target_of(config, backend, model);
  if (target == nullptr) return refused(fail(Fault::model_not_found, "the backend '" + name + "' has no model '" + std::string(model) + "'", "model"));
  if (gateway.draining()) return refused(fail(Fault::draining, "the gateway stops"));
  if (gateway.is_drained(name)) {
    Error error = fail(Fault::bad_request, "the backend '" + name + "' is drained: nothing is sent there until it is undrained");
    error.http_status = 409;
    error.code = "backend_drained";
    return refused(error);
  }
  const Result<WarmUp> begun = gateway.warm_ups().begin(*gateway.reactors().front(), serving, *target);
  if (!begun) return refused(begun.error());
  return {202, "application/json", report_of(begun.value()).dump(2) + "\n", {}};
}

}  // namespace

nlohmann::ordered_json warm_up_report(Gateway& gateway, NameId backend) {
  const std::optional<WarmUp> last = gateway.warm_ups().last(backend);
  return last ? report_of(*last) : Json();
}

std::optional<AdminReply> answer_warm(Gateway& gateway, const AdminRequest& request) {
  std::string_view path = request.path();
  if (!path.starts_with(prefix) || !path.ends_with(suffix) || path.size() <= prefix.size() + suffix.size()) return std::nullopt;
  path.remove_prefix(prefix.size());
  path.remove_suffix(suffix.size());
  const std::string name = percent_decoded(path);
  const std::vector<Backend>& backends = gateway.serving()->config->backends;
  const auto found = std::find_if(backends.begin(), backends.end(), [&](const Backend& backend) { return text(backend.name) == name; });
  if (found == backends.end()) return refused(fail(Fault::not_found, "there is no backend of this name; GET /admin/v1/backends lists them"));
  if (request.method == "POST") return begin(gateway, static_cast<std::size_t>(found - backends.begin()), percent_decoded(request.query("model")));
  if (request.method == "GET" || request.method == "HEAD") {
    const Json last = warm_up_report(gateway, found->name);
    if (last.is_null()) return refused(fail(Fault::not_found, "no warm-up of this backend was asked for since the gateway started"));
    return AdminReply{200, "application/json", last.dump(2) + "\n", {}};
  }
  AdminReply reply = refused(fail(Fault::method_not_allowed, "use POST to warm a backend, GET to see how far it is"));
  reply.allow = "GET, POST";
  return reply;
}

}  // namespace tollgate
