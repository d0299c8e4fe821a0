// `tollgate healthcheck`: asks the gateway on this machine whether it can serve. For containers and service managers, whose slim
// images have no other HTTP client.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "gateway/cli/admin_client.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {
namespace {

/// What was asked, and what was answered: as JSON where it was JSON, else as text.
void print_json(const std::string& url, const AdminAnswer& reply) {
  using Json = nlohmann::ordered_json;
  Json answer = Json::parse(reply.body, nullptr, false);
  if (answer.is_discarded()) answer = reply.body.substr(0, reply.body.find_last_not_of("\r\n") + 1);
  const bool answered = reply.status != 0;
  const Json json{{"url", url},
                  {"ok", reply.status == 200},
                  {"status", answered ? Json(reply.status) : Json()},
                  {"error", reply.failure.empty() ? Json() : Json(reply.failure)},
                  {"answer", answered ? answer : Json()}};
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace

int healthcheck(const HealthcheckOptions& options) {
  std::string url;
  if (const int code = find_admin_port({options.config, options.url}, url); code != ok) return code;
  url += options.live ? "/healthz" : "/readyz";
  const AdminAnswer reply = ask_admin_port(url, options.timeout_seconds);
  if (options.json) {
    print_json(url, reply);
    return !reply.failure.empty() ? io_failure : reply.status == 200 ? ok : finding;
  }
  if (!reply.failure.empty()) {
    print_error(fmt::format("{} does not answer: {}", url, reply.failure));
    return io_failure;
  }
  const bool fine = reply.status == 200;
  if (!options.quiet || !fine) std::fprintf(fine ? stdout : stderr, "%s: %ld\n%s", url.c_str(), reply.status, reply.body.c_str());
  return fine ? ok : finding;
}

}  // namespace tollgate::cli
