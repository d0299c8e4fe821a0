#include "gateway/cli/admin_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "config/config.hpp"
#include "gateway/cli/commands.hpp"

namespace tollgate::cli {
namespace {

constexpr std::size_t answer_bytes_max = 1 << 20;

std::string url_of(const ListenAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  // An address that stands for all is asked where this machine itself can reach it.
  const std::string host = address.host == "0.0.0.0" ? "127.0.0.1" : address.host == "::" ? "::1" : address.host;
  return fmt::format("http://{}:{}", v6 ? "[" + host + "]" : host, address.port);
}

std::size_t keep(char* data, std::size_t size, std::size_t count, void* to) {
  auto& answer = *static_cast<std::string*>(to);
  const std::size_t bytes = size * count;
  if (answer.size() + bytes > answer_bytes_max) return 0;  // nothing that this gateway says
  answer.append(data, bytes);
  return bytes;
}

}  // namespace

int find_admin_port(const AdminPort& options, std::string& url) {
  if (!options.url.empty()) {
    url = options.url;
    while (url.ends_with('/')) url.pop_back();
    if (url.starts_with("http://")) return ok;
    print_error(
        fmt::format("--url takes the admin port's address, such as http://127.0.0.1:9090, not '{}'", options.url));
    return usage;
  }
  const Result<ConfigPtr> loaded = load_file(options.config, process_environment());
  if (!loaded) {
    print_error(loaded.error().message + "; or name the gateway with --url http://HOST:PORT");
    return exit_code_of(loaded.error());
  }
  const ListenAddress& listen = loaded.value()->admin.listen;
  if (listen.port == 0) {
    print_error(fmt::format("{}: admin.listen has port 0, which means any free one; name the gateway with --url",
                            options.config));
    return usage;
  }
  url = url_of(listen);
  return ok;
}

namespace {

AdminAnswer exchange(const std::string& url, double seconds, bool post) {
  AdminAnswer reply;
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), &curl_easy_cleanup);
  if (!handle) {
    reply.failure = "libcurl cannot be started";
    return reply;
  }
  curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
  if (post) {
    curl_easy_setopt(handle.get(), CURLOPT_POST, 1L);
    curl_easy_setopt(handle.get(), CURLOPT_POSTFIELDSIZE, 0L);
  }
  curl_easy_setopt(handle.get(), CURLOPT_NOPROXY, "*");  // proxies of the environment are for the world outside
  curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(seconds * 1000));
  curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, &keep);
  curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &reply.body);
  // A terminal's key, never a flag's: command lines show in the process list.
  const char* const key = std::getenv("TOLLGATE_ADMIN_KEY");  // NOLINT(concurrency-mt-unsafe): one thread
  if (key != nullptr && *key != '\0') {
    curl_easy_setopt(handle.get(), CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(handle.get(), CURLOPT_XOAUTH2_BEARER, key);
  }
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) reply.failure = curl_easy_strerror(code);
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &reply.status);
  if (reply.status == 401) {
    reply.failure = key == nullptr || *key == '\0' ? "it asks for a key: put one of admin.keys into TOLLGATE_ADMIN_KEY"
                                                   : "it does not know the key in TOLLGATE_ADMIN_KEY (admin.keys)";
  }
  return reply;
}

}  // namespace

AdminAnswer ask_admin_port(const std::string& url, double seconds) { return exchange(url, seconds, false); }
AdminAnswer tell_admin_port(const std::string& url, double seconds) { return exchange(url, seconds, true); }

}  // namespace tollgate::cli
