#include "metrics/shared/redis_socket.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tollgate {
namespace {

std::string text_of(int error) { return std::generic_category().message(error); }

std::string tls_trouble() {
  const unsigned long code = ERR_get_error();
  char text[256] = "the peer closed the connection";
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

}  // namespace

Error RedisLink::Socket::broken(const std::string& why) const { return fail(Fault::io_failed, where_ + ": " + why); }

Result<std::unique_ptr<RedisLink::Socket>> RedisLink::Socket::open(const SharedConfig& config) {
  std::unique_ptr<Socket> socket(new Socket(config));
  TOLLGATE_TRY(config.socket_path.empty() ? socket->dial(config) : socket->dial_path(config.socket_path));
  if (config.tls) {
    TOLLGATE_TRY(socket->secure(config));
  }
  return socket;
}

RedisLink::Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> RedisLink::Socket::wait(short events, Clock::time_point until) const {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return broken("no answer within " + std::to_string(timeout_.count()) + " ms");
    pollfd watched{descriptor_, events, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(left));
    if (ready > 0) return success();
    if (ready < 0 && errno != EINTR) return broken(text_of(errno));
  }
}

Result<void> RedisLink::Socket::finish_connect(int descriptor, const void* address, unsigned length) {
  if (descriptor < 0) return broken(text_of(errno));
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = descriptor;
  if (::connect(descriptor, static_cast<const sockaddr*>(address), length) == 0) return success();
  if (errno != EINPROGRESS) return broken(text_of(errno));
  TOLLGATE_TRY(wait(POLLOUT, Clock::now() + timeout_));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? success() : Result<void>(broken(text_of(error)));
}

Result<void> RedisLink::Socket::dial_path(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return broken("the path is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return finish_connect(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), &address, sizeof address);
}

Result<void> RedisLink::Socket::dial(const SharedConfig& config) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(config.host.c_str(), std::to_string(config.port).c_str(), &hints, &found);
  if (failed != 0) return broken(std::string("the name cannot be resolved: ") + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Result<void> last = broken("the name has no address");
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    last = finish_connect(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), each->ai_addr, each->ai_addrlen);
    if (!last) continue;
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return success();
  }
  return last;
}

Result<void> RedisLink::Socket::secure(const SharedConfig& config) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return broken(tls_trouble());
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusts = config.ca_file.empty() ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
                                             : SSL_CTX_load_verify_locations(context_.get(), config.ca_file.c_str(), nullptr) == 1;
  if (!trusts) return broken("the certificates of " + (config.ca_file.empty() ? "the system" : config.ca_file) + " cannot be read: " + tls_trouble());
  tls_.reset(SSL_new(context_.get()));
  if (!tls_ || SSL_set_fd(tls_.get(), descriptor_) != 1) return broken(tls_trouble());
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(tls_.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, config.host.c_str()) != 1) {
    SSL_set_tlsext_host_name(tls_.get(), config.host.c_str());
    if (SSL_set1_host(tls_.get(), config.host.c_str()) != 1) return broken(tls_trouble());
  }
  ERR_clear_error();
  const Clock::time_point until = Clock::now() + timeout_;
  for (;;) {
    const int done = SSL_connect(tls_.get());
    if (done == 1) return success();
    const long verified = SSL_get_verify_result(tls_.get());
    if (verified != X509_V_OK) return broken(std::string("the certificate is not accepted: ") + X509_verify_cert_error_string(verified));
    TOLLGATE_TRY(wait_for_tls(done, until));
  }
}

Result<void> RedisLink::Socket::wait_for_tls(int outcome, Clock::time_point until) const {
  switch (SSL_get_error(tls_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
      return wait(POLLIN, until);
    case SSL_ERROR_WANT_WRITE:
      return wait(POLLOUT, until);
    default:
      return broken(tls_trouble());
  }
}

Result<void> RedisLink::Socket::write(std::string_view bytes) {
  const Clock::time_point until = Clock::now() + timeout_;
  while (!bytes.empty()) {
    if (tls_) {
      ERR_clear_error();
      const int sent = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else {
        TOLLGATE_TRY(wait_for_tls(sent, until));
      }
      continue;
    }
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      TOLLGATE_TRY(wait(POLLOUT, until));
    } else if (errno != EINTR) {
      return broken(text_of(errno));
    }
  }
  return success();
}

Result<std::size_t> RedisLink::Socket::read(char* into, std::size_t most) {
  const Clock::time_point until = Clock::now() + timeout_;
  for (;;) {
    if (tls_) {
      ERR_clear_error();
      const int got = SSL_read(tls_.get(), into, static_cast<int>(most));
      if (got > 0) return static_cast<std::size_t>(got);
      TOLLGATE_TRY(wait_for_tls(got, until));
      continue;
    }
    const ssize_t got = ::recv(descriptor_, into, most, 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return broken("the server closed the connection");
    if (errno == EAGAIN) {
      TOLLGATE_TRY(wait(POLLIN, until));
    } else if (errno != EINTR) {
      return broken(text_of(errno));
    }
  }
}

}  // namespace tollgate
