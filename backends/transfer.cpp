#include "backends/transfer.hpp"

#include <charconv>

namespace tollgate {

namespace {

Error bad_url(const Backend& backend, std::string_view what) {
  return fail(Fault::bad_config, "backend '" + std::string(text(backend.name)) + "': its url " + std::string(what) +
                                     "; it has the form http://host:port or https://host/prefix");
}

// "host", "host:port", "[v6]:port"
Result<void> parse_authority(const Backend& backend, std::string_view authority, Endpoint& endpoint) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_url(backend, "has an IPv6 address without its ']'");
    endpoint.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    const std::size_t colon = authority.find(':');
    endpoint.host = authority.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : authority.substr(colon);
  }
  if (endpoint.host.empty()) return bad_url(backend, "has no host");
  if (port.empty()) return success();
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  if (error != std::errc{} || end != port.data() + port.size() || endpoint.port == 0) return bad_url(backend, "has a port that is not a number from 1 to 65535");
  return success();
}

void add_credentials(const Backend& backend, Endpoint& endpoint) {
  if (backend.dialect == DialectName::anthropic) endpoint.headers.emplace_back("anthropic-version", "2023-06-01");
  if (backend.api_key.empty()) return;
  const std::string& key = backend.api_key.reveal();
  switch (backend.dialect) {
    case DialectName::anthropic:
      endpoint.headers.emplace_back("x-api-key", key);
      return;
    case DialectName::gemini:
      endpoint.headers.emplace_back("x-goog-api-key", key);
      return;
    case DialectName::azure_openai:
      if (!backend.bearer) {
        endpoint.headers.emplace_back("api-key", key);
        return;
      }
      break;
    case DialectName::fal:
      endpoint.headers.emplace_back("authorization", "Key " + key);
      return;
    default:
      break;
  }
  endpoint.headers.emplace_back("authorization", "Bearer " + key);
}

}  // namespace

Result<Endpoint> parse_endpoint(const Backend& backend, bool private_only) {
  Endpoint endpoint;
  endpoint.private_only = private_only;
  endpoint.backend = backend.name;
  endpoint.dialect = backend.dialect;
  endpoint.timeouts = backend.timeouts;
  std::string_view rest = backend.url;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    endpoint.tls = true;
  } else {
    return bad_url(backend, "begins neither with http:// nor with https://");
  }
  endpoint.port = endpoint.tls ? 443 : 80;
  if (rest.find_first_of("?#") != std::string_view::npos) return bad_url(backend, "has a query or fragment, which cannot be kept");
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) return bad_url(backend, "carries a user name or password; put the key into api_key");
  TOLLGATE_TRY(parse_authority(backend, authority, endpoint));
  std::string_view prefix = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  // The dialects' paths begin with what documentation shows as the end of a base URL.
  const auto without = [&](std::string_view end) {
    if (prefix.ends_with(end)) prefix.remove_suffix(end.size());
  };
  without("/v1");
  if (backend.dialect == DialectName::gemini) without("/v1beta");
  if (backend.dialect == DialectName::azure_openai) without("/openai");
  endpoint.prefix = prefix;
  if (backend.pool) endpoint.billed_header = backend.pool->billed_seconds.header;
  add_credentials(backend, endpoint);
  return endpoint;
}

}  // namespace tollgate
