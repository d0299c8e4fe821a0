#pragma once
// Addresses as they stand in the configuration: where to listen, where a backend is. Nothing is resolved here.

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"

struct sockaddr;

namespace tollgate {

/// "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (which becomes 127.0.0.1). Errors say what would be right.
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

struct BackendUrl {
  bool tls = false;
  std::string host;  ///< lower case, an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string text;  ///< as to be used: scheme and host in lower case, no slash at the end
};
/// "http://gpu-a:8000", "https://api.openai.com/v1". Refuses user names, queries, fragments. Never quotes the text: it
/// might hold a password.
[[nodiscard]] Result<BackendUrl> parse_backend_url(std::string_view text);

/// 127.0.0.0/8, ::1, "localhost".
[[nodiscard]] bool is_loopback(std::string_view host);
/// A resolved address, as the system will connect to it: loopback, 10/8, 172.16/12, 192.168/16, fc00::/7, and IPv4 of those
/// mapped into IPv6. Nothing else: no link-local, no name. `family` is AF_INET with 4 bytes or AF_INET6 with 16.
[[nodiscard]] bool is_private_ip(int family, const void* bytes) noexcept;
/// The same for a socket address; false for other families.
[[nodiscard]] bool is_private_ip(const sockaddr& address) noexcept;
/// The same for its text ("10.1.2.3", "fd00::1"); false for what is no address.
[[nodiscard]] bool is_private_ip(std::string_view text);

/// What `air_gap` lets through: loopback, 10/8, 172.16/12, 192.168/16, fc00::/7, "localhost", names that end in
/// .internal, .local or .lan, and names without a dot. Link-local addresses are out: cloud machines find their metadata
/// service there.
[[nodiscard]] bool is_private(std::string_view host);

}  // namespace tollgate
