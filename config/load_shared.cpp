// The section `shared`: where several gateways hold the same budgets and limits.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/address.hpp"
#include "config/draft.hpp"

namespace tollgate {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view wanted =
    "redis://host:6379/0, rediss://host:6379/0 (TLS) or unix:///path/to/redis.sock was expected";
constexpr std::size_t prefix_bytes_max = 64, name_bytes_max = 64;
constexpr unsigned databases_max = 1'024;
constexpr std::uint16_t default_port = 6379;

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc{} && end == text.data() + text.size();
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const auto [end, failed] = std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16);
    if (failed != std::errc{} || end != text.data() + i + 3) return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

/// "user:password@" of a URL, without the sign.
bool read_credentials(std::string_view text, SharedConfig& shared) {
  const std::size_t colon = text.find(':');
  const auto user = percent_decoded(text.substr(0, colon));
  const auto password = percent_decoded(colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1));
  if (!user || !password) return false;
  shared.user = *user;
  shared.password = Secret(*password);
  return true;
}

bool read_socket(std::string_view rest, SharedConfig& shared) {
  const std::size_t query = rest.find('?');
  shared.socket_path = rest.substr(0, query);
  if (shared.socket_path.size() < 2 || shared.socket_path.front() != '/') return false;
  shared.where = "unix://" + shared.socket_path;
  if (query == std::string_view::npos) return true;
  const std::string_view database = rest.substr(query + 1);
  return database.starts_with("db=") && read_number(database.substr(3), shared.database);
}

bool read_host(std::string_view rest, SharedConfig& shared) {
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty() && !read_number(database, shared.database)) return false;
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) return false;
    shared.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
  } else {
    const std::size_t colon = rest.find(':');
    shared.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  shared.port = default_port;
  if (!port.empty() && (port.front() != ':' || !read_number(port.substr(1), shared.port) || shared.port == 0)) return false;
  const bool v6 = shared.host.find(':') != std::string::npos;
  shared.where = fmt::format("{}://{}:{}", shared.tls ? "rediss" : "redis", v6 ? "[" + shared.host + "]" : shared.host, shared.port);
  return !shared.host.empty();
}

/// Never quotes the text: it may hold a password.
bool read_url(std::string_view text, SharedConfig& shared) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view kind = text.substr(0, scheme);
  std::string_view rest = text.substr(scheme + 3);
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    if (!read_credentials(rest.substr(0, at), shared)) return false;
    rest = rest.substr(at + 1);
  }
  shared.tls = kind == "rediss";
  bool is_right = false;
  if (kind == "unix") is_right = read_socket(rest, shared);
  if (kind == "redis" || kind == "rediss") is_right = read_host(rest, shared);
  return is_right && shared.database < databases_max;
}

void load_credentials(MapReader& section, SharedConfig& shared) {
  const Cursor password = section.at("password");
  if (password.present()) {
    if (const auto text = password.secret()) shared.password = Secret(*text);
  }
  const Cursor file = section.at("password_file");
  if (file.present()) {
    if (password.present()) file.report("password is there as well; keep one of the two");
    if (auto text = read_credential_file(file)) shared.password = Secret(std::move(*text));
  }
  const Cursor user = section.at("user");
  section.text("user", shared.user);
  if (user.present() && shared.password.empty()) user.report("a user has a password: add password: ${REDIS_PASSWORD} or password_file");
}

void load_names(MapReader& section, SharedConfig& shared) {
  const Cursor prefix = section.at("key_prefix");
  section.text("key_prefix", shared.key_prefix);
  const bool printable = std::all_of(shared.key_prefix.begin(), shared.key_prefix.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (prefix.present() && (shared.key_prefix.size() > prefix_bytes_max || !printable)) {
    prefix.report(fmt::format("at most {} printable characters without blanks", prefix_bytes_max));
  }
  const Cursor gateway = section.at("gateway");
  if (!gateway.present()) return;
  const auto name = gateway.text();
  const bool fits = name && name->size() <= name_bytes_max && is_legal_name(*name, gateway, "gateway");
  if (fits) shared.gateway = *name;
}

}  // namespace

void load_shared(MapReader& root, Draft& draft) {
  MapReader section(root.at("shared"));
  if (!section.cursor().present()) return;
  SharedConfig shared;
  const Cursor url = section.required("url");
  if (url.present()) {
    // A secret only where it holds one: the page's what-if loads a copy with made-up secrets, and a made-up address is none.
    auto text = url.text();
    if (text && text->find('@') != std::string::npos) text = url.secret();
    if (text && !read_url(*text, shared)) url.report(wanted);
  }
  load_credentials(section, shared);
  load_names(section, shared);
  section.text("ca_file", shared.ca_file);
  if (!shared.ca_file.empty() && !shared.tls) section.at("ca_file").report("only rediss:// checks a certificate");
  section.seconds("timeout_seconds", shared.timeout, milliseconds(50), seconds(30));
  section.seconds("report_seconds", shared.report, milliseconds(20), seconds(10));
  section.seconds("grant_wait_seconds", shared.grant_wait, milliseconds(50), minutes(1));
  section.seconds("grace_seconds", shared.grace, milliseconds(100), minutes(5));
  if (shared.grace < shared.report * 2) {
    const Cursor grace = section.at("grace_seconds");
    grace.report("must be at least twice report_seconds: in this time every gateway has to notice and report");
  }
  section.integer("gateways_min", shared.gateways_min, 1, 1'000);
  section.choice("on_loss", shared.on_loss, {{"refuse", OnLoss::refuse}, {"local", OnLoss::local}});
  if (draft.config.air_gap && shared.socket_path.empty() && !shared.host.empty() && !is_private(shared.host)) {
    url.report("air_gap is on, and this is no private address");
  }
  if (draft.config.budgets.empty() && draft.config.limits.empty()) {
    section.cursor().report("there are neither budgets nor limits to share; add them, or take this section out");
  }
  draft.config.shared = std::move(shared);
}

}  // namespace tollgate
