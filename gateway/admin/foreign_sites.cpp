#include "gateway/admin/foreign_sites.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "gateway/reply.hpp"

namespace tollgate {

namespace {

/// Without its port: "127.0.0.1:9090" and "[::1]:9090" are addresses.
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return std::string(authority.substr(1, authority.find(']') - 1));
  return std::string(authority.substr(0, authority.rfind(':')));
}

bool is_here(std::string_view authority) {
  std::string host = host_of(authority);
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  });
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  boost::system::error_code failed;
  static_cast<void>(boost::asio::ip::make_address(host, failed));
  return !failed;
}

/// "http://127.0.0.1:9090" is the origin of pages that 127.0.0.1:9090 serves.
bool is_own(std::string_view origin, std::string_view host) {
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

AdminReply refusal(std::string message) {
  Error error = fail(Fault::bad_request, std::move(message));
  error.code = "foreign_site";
  return {403, "application/json", error_body(error), {}};
}

}  // namespace

std::optional<AdminReply> refuse_foreign(const AdminRequest& request, bool asks_keys) {
  const std::string_view path = request.path();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool is_api = path.starts_with("/admin/") || !reads;
  const bool for_machines = path == "/metrics" || path == "/healthz" || path == "/readyz";
  if (!asks_keys && !for_machines && !request.host.empty() && !is_here(request.host)) {
    return refusal(
        "the admin port asks for no key, so it answers only to addresses and localhost, not to the name that this was "
        "sent to: "
        "use http://127.0.0.1, or configure admin.keys");
  }
  if (!is_api) return std::nullopt;
  const bool same_site =
      request.fetch_site.empty() || request.fetch_site == "same-origin" || request.fetch_site == "none";
  const bool same_origin = request.origin.empty() || is_own(request.origin, request.host);
  if (same_site && same_origin) return std::nullopt;
  return refusal(
      "a page of another site made the browser send this; the admin port answers only its own page and programs");
}

}  // namespace tollgate
