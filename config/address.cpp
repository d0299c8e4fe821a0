#include "config/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace tollgate {
namespace {

using Ip4 = std::array<std::uint8_t, 4>;
using Ip6 = std::array<std::uint8_t, 16>;

std::optional<Ip4> ip4_of(std::string_view host) {
  Ip4 address{};
  if (inet_pton(AF_INET, std::string(host).c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

std::optional<Ip6> ip6_of(std::string_view host) {
  Ip6 address{};
  if (inet_pton(AF_INET6, std::string(host).c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

/// The IPv4 address inside ::ffff:a.b.c.d, which the system treats as that address.
std::optional<Ip4> mapped_ip4_of(const Ip6& address) {
  for (std::size_t i = 0; i < 10; ++i) {
    if (address[i] != 0) return std::nullopt;
  }
  if (address[10] != 0xff || address[11] != 0xff) return std::nullopt;
  return Ip4{address[12], address[13], address[14], address[15]};
}

bool is_loopback(const Ip4& address) { return address[0] == 127; }
bool is_loopback(const Ip6& address) {
  if (const auto mapped = mapped_ip4_of(address)) return is_loopback(*mapped);
  return std::all_of(address.begin(), address.end() - 1, [](std::uint8_t byte) { return byte == 0; }) &&
         address[15] == 1;
}

bool is_private(const Ip4& address) {
  const bool ten = address[0] == 10;
  const bool one_seven_two = address[0] == 172 && (address[1] & 0xF0U) == 16;
  const bool one_nine_two = address[0] == 192 && address[1] == 168;
  return is_loopback(address) || ten || one_seven_two || one_nine_two;
}
bool is_private(const Ip6& address) {
  if (const auto mapped = mapped_ip4_of(address)) return is_private(*mapped);
  return is_loopback(address) || (address[0] & 0xFEU) == 0xFC;
}

std::optional<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, port);
  if (digits.empty() || stopped != end || error != std::errc()) return std::nullopt;
  return port;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

struct HostAndPort {
  std::string_view host;
  std::optional<std::string_view> port;  ///< nullopt: no colon
};

/// Takes "host:port" and "[ipv6]:port" apart; nullopt if brackets or colons do not fit.
std::optional<HostAndPort> split(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    HostAndPort parts{text.substr(1, close - 1), std::nullopt};
    if (!rest.empty()) parts.port = rest.substr(1);
    return parts;
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostAndPort{text, std::nullopt};
  if (text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;  // IPv6 without brackets
  return HostAndPort{text.substr(0, colon), text.substr(colon + 1)};
}

bool is_host_name(std::string_view host) {
  const bool legal = std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
  constexpr std::size_t host_bytes_max = 253;  // RFC 1035
  return legal && !host.empty() && host.size() <= host_bytes_max && host.front() != '.' &&
         host.find("..") == std::string_view::npos;
}

/// inet_pton is strict, resolvers are not: "0x7f.1", "2130706433" and "10.1" are addresses to them and names to us.
bool looks_numeric(std::string_view host) {
  const std::size_t dot = host.rfind('.', host.size() - (host.ends_with('.') ? 2 : 1));
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  return !last.empty() && last.front() >= '0' && last.front() <= '9';
}

Error wrong(std::string message) { return fail(Fault::bad_config, std::move(message)); }

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto parts = split(text);
  const std::string_view hint = "write an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080";
  if (!parts || !parts->port) return wrong(fmt::format("this is not host:port; {}", hint));
  const auto port = port_of(*parts->port);
  if (!port) return wrong("the port must be a number from 0 to 65535; 0 takes any free one");
  const bool bracketed = text.starts_with('[');
  if (parts->host == "localhost") return ListenAddress{"127.0.0.1", *port, true};
  const std::string host(parts->host);
  if (const auto ip = ip4_of(host); ip && !bracketed) return ListenAddress{host, *port, is_loopback(*ip)};
  if (const auto ip = ip6_of(host); ip && bracketed) return ListenAddress{host, *port, is_loopback(*ip)};
  if (host.empty())
    return wrong("the host is missing; write 0.0.0.0 for all interfaces or 127.0.0.1 for this machine only");
  return wrong(fmt::format("the host is not an IP address; {}", hint));
}

Result<BackendUrl> parse_backend_url(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return wrong("a url begins with http:// or https://, as in http://gpu-a:8000");
  const std::string scheme = lower(text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") return wrong("only http:// and https:// are known");
  const std::string_view rest = text.substr(scheme_end + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  std::string_view path = rest.substr(authority.size());
  if (authority.find('@') != std::string_view::npos) {
    return wrong("a url must not hold a user name or password; put the credential into api_key");
  }
  if (path.find_first_of("?#") != std::string_view::npos)
    return wrong("a url must end with its path: no '?' and no '#'");
  const bool odd =
      std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~' || c == '\\' || c == '"'; });
  if (odd) return wrong("a url holds neither blanks, quotes, backslashes nor characters outside ASCII");
  const auto parts = split(authority);
  if (!parts || parts->host.empty())
    return wrong("the host of the url is missing or malformed; an IPv6 address stands in brackets");
  BackendUrl url;
  url.tls = scheme == "https";
  url.host = lower(parts->host);
  const bool bracketed = authority.starts_with('[');
  if (bracketed ? !ip6_of(url.host) : !is_host_name(url.host))
    return wrong("the host of the url is neither a name nor an IP address");
  if (!bracketed && looks_numeric(url.host) && !ip4_of(url.host))
    return wrong("the host of the url is not a complete IPv4 address; write a.b.c.d");
  const auto port = parts->port ? port_of(*parts->port) : std::optional<std::uint16_t>(url.tls ? 443 : 80);
  if (!port || *port == 0) return wrong("the port of the url must be a number from 1 to 65535");
  url.port = *port;
  while (path.ends_with('/')) path.remove_suffix(1);
  url.text = fmt::format("{}://{}{}", scheme, lower(authority), path);
  return url;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost") return true;
  if (const auto ip = ip4_of(host)) return is_loopback(*ip);
  if (const auto ip = ip6_of(host)) return is_loopback(*ip);
  return false;
}

bool is_private_ip(int family, const void* bytes) noexcept {
  if (family == AF_INET) {
    Ip4 address{};
    std::memcpy(address.data(), bytes, address.size());
    return is_private(address);
  }
  if (family != AF_INET6) return false;
  Ip6 address{};
  std::memcpy(address.data(), bytes, address.size());
  return is_private(address);
}

bool is_private_ip(const sockaddr& address) noexcept {
  if (address.sa_family == AF_INET) return is_private_ip(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  if (address.sa_family == AF_INET6) return is_private_ip(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr);
  return false;
}

bool is_private_ip(std::string_view text) {
  if (const auto ip = ip4_of(text)) return is_private(*ip);
  if (const auto ip = ip6_of(text)) return is_private(*ip);
  return false;
}

bool is_private(std::string_view host) {
  if (const auto ip = ip4_of(host)) return is_private(*ip);
  if (const auto ip = ip6_of(host)) return is_private(*ip);
  if (host.ends_with('.')) host.remove_suffix(1);  // "gpu.lan." is the same name
  constexpr std::array<std::string_view, 3> private_suffixes{".internal", ".local", ".lan"};
  const bool suffixed = std::any_of(private_suffixes.begin(), private_suffixes.end(),
                                    [&](std::string_view s) { return host.ends_with(s); });
  return suffixed || host.find('.') == std::string_view::npos;
}

}  // namespace tollgate
