#pragma once
// What the load generator and the cheap upstream share: non-blocking sockets, the monotonic clock, HTTP as far as they
// need it.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <string_view>

namespace bench {

inline constexpr std::string_view token_mark = "tok-";
inline constexpr std::size_t token_size = 20;  // "tok-" and 16 digits

[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", why.c_str(), std::strerror(errno));
  std::exit(1);
}

/// Nanoseconds of CLOCK_MONOTONIC: the same clock in every process of a machine.
inline std::int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline void set_nodelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/// "--name value" pairs; a name that is not in `known` ends the program.
inline std::map<std::string, std::string> options(int argc, char** argv, std::map<std::string, std::string> known) {
  for (int i = 1; i < argc; i += 2) {
    const std::string name = std::string(argv[i]).substr(0, 2) == "--" ? argv[i] + 2 : "";
    if (known.count(name) == 0 || i + 1 == argc) {
      std::fprintf(stderr, "usage: %s", argv[0]);
      for (const auto& [option, fallback] : known) std::fprintf(stderr, " [--%s %s]", option.c_str(), fallback.c_str());
      std::fprintf(stderr, "\n");
      std::exit(2);
    }
    known[name] = argv[i + 1];
  }
  return known;
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

/// The value of a header in a head, "" if it has none. `name` in lower case.
inline std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    bool same = true;
    for (std::size_t i = 0; same && i < name.size(); ++i) same = lower(line[i]) == name[i];
    if (!same) continue;
    std::string_view value = line.substr(name.size() + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

template <class Number>
Number number(std::string_view text, int base = 10) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

}  // namespace bench
