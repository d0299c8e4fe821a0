// libcurl multi on the reactor's io_context: everything managed goes this way (TLS, HTTP/2, proxies). The only file that knows curl, with curl_body.hpp.
//
// libcurl tells which sockets it waits for; the reactor's SocketPoll waits for them; curl_multi_socket_action then does the work. Curl's callbacks only
// put bytes and flags away: coroutines are resumed from the event loop, so no handle is ever removed or freed inside a callback. What costs system
// calls is put off where it can be: a socket stays registered while it is idle, timers are deadlines of the wheel, a handle keeps its URL's options.

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>

#include "backends/backends.hpp"
#include "backends/connect_watch.hpp"
#include "backends/curl_body.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/retry_after.hpp"
#include "backends/socket_poll.hpp"
#include "backends/upstream_error.hpp"
#include "config/address.hpp"

namespace tollgate {
namespace {

constexpr std::size_t buffered_bytes_max = 64 * 1024;      // then curl pauses until they are read
constexpr long kept_connections_max = 512;
constexpr std::size_t spare_handles_max = 256;
constexpr std::size_t parse_padding = 64;

class CurlTransfer;

class CurlTransport final : public Transport {
 public:
  CurlTransport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& deadlines);
  ~CurlTransport() override;
  std::unique_ptr<Transfer> open(const Endpoint& endpoint) override;
  void close_idle() noexcept override;

  /// One that carries the options of `url`, or a new one.
  CURL* take_handle(std::string_view url, bool& is_new);
  void give_back(CURL* handle, const std::string& url) noexcept;
  bool add(CURL* handle);
  void remove(CURL* handle) noexcept { curl_multi_remove_handle(multi_, handle); }
  /// A socket for curl. The descriptor may be one that curl closed without a word (a connection that failed): that one's watch ends.
  curl_socket_t open_socket(const curl_sockaddr& address);
  [[nodiscard]] SocketPoll& poll() noexcept { return poll_; }
  [[nodiscard]] DeadlineWheel& wheel() noexcept { return wheel_; }

 private:
  struct Watched {
    DescriptorWatch watch;
    bool wants_read = false, wants_write = false;
    bool lasting = false;                       // of a connection; else of curl's own, which it closes without telling
  };

  static int socket_changed(CURL*, curl_socket_t socket, int what, void* self, void* known);
  static int socket_closed(void* self, curl_socket_t socket);
  static void socket_event(void* self, DescriptorWatch& watch, std::uint32_t events);
  static int timeout_changed(CURLM*, long timeout_ms, void* self);
  void act(curl_socket_t socket, int events);
  void act_now();

  asio::io_context& context_;
  SocketPoll& poll_;
  DeadlineWheel& wheel_;
  CURLM* multi_;
  Deadline timer_;
  bool due_now_ = false, acting_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);   // for what is posted
  std::map<curl_socket_t, std::unique_ptr<Watched>> watched_;
  std::map<std::string, std::vector<CURL*>, std::less<>> spare_;  // by URL, whose options they carry
  std::size_t spare_count_ = 0;
};

class CurlTransfer final : public Transfer {
 public:
  CurlTransfer(CurlTransport& transport, const Endpoint& endpoint)
      : transport_(transport), endpoint_(endpoint), body_(deadline_, endpoint.timeouts.first_byte), wake_(transport.poll()),
        deadline_(transport.wheel(), [](void* self) { static_cast<CurlTransfer*>(self)->abort(Fault::upstream_timeout); }, this) {
    message_[0] = '\0';
  }
  ~CurlTransfer() override { detach(); }

  Task<Result<AnswerHead>> start(const Call& call) override;
  Task<Result<std::string_view>> read() override;
  bool ended() const noexcept override { return done_ && code_ == CURLE_OK && received_.empty(); }
  bool sent() const noexcept override { return sent_; }
  void abort(Fault why) noexcept override;
  void completed(CURLcode code) noexcept {
    done_ = true;
    code_ = code;
    wake();
  }

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  void take_header(std::string_view line);
  void prepare(const Call& call, ConnectWatch::Making& making);
  void detach() noexcept;
  void wake() { wake_.wake(); }
  void set_lasting_options(const std::string& url, bool get);
  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int before_request(void* self, char* primary_ip, char* local_ip, int primary_port, int local_port);
  [[nodiscard]] Error failure() const;

  CurlTransport& transport_;
  const Endpoint& endpoint_;
  CURL* handle_ = nullptr;
  bool added_ = false;
  curl_slist* headers_ = nullptr;
  std::string url_;
  CurlBody body_;
  AnswerHead head_;
  bool head_complete_ = false, done_ = false, paused_ = false;
  CURLcode code_ = CURLE_OK;
  bool sent_ = false;                          // the connection is there, and the request goes out on it
  ConnectWatch::Making* making_ = nullptr;     // while it is not
  bool outside_refused_ = false;               // air gap: an address was not private
  std::optional<Fault> aborted_;
  std::string received_, given_;               // double buffer: curl fills one while the caller looks at the other
  Wakeup wake_;
  Deadline deadline_;
  char message_[CURL_ERROR_SIZE];
};

CurlTransport::CurlTransport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& deadlines)
    : context_(context), poll_(poll), wheel_(deadlines), timer_(deadlines, [](void* self) { static_cast<CurlTransport*>(self)->act(CURL_SOCKET_TIMEOUT, 0); }, this) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &CurlTransport::socket_changed);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &CurlTransport::timeout_changed);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kept_connections_max);
}

CurlTransport::~CurlTransport() {
  *alive_ = false;
  for (auto& [url, handles] : spare_) {
    for (CURL* handle : handles) curl_easy_cleanup(handle);
  }
  curl_multi_cleanup(multi_);                 // closes kept connections; calls socket_closed for them
}

std::unique_ptr<Transfer> CurlTransport::open(const Endpoint& endpoint) { return std::make_unique<CurlTransfer>(*this, endpoint); }

// libcurl has no call to close idle connections; a cache of one closes all but one when the next handle is added or removed.
void CurlTransport::close_idle() noexcept {
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 1L);
}

CURL* CurlTransport::take_handle(std::string_view url, bool& is_new) {
  const auto spares = spare_.find(url);
  is_new = spares == spare_.end() || spares->second.empty();
  if (is_new) {
    CURL* const handle = curl_easy_init();
    // The connection that this handle opens may be closed on behalf of another: hence the transport's, not the transfer's.
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETFUNCTION, &CurlTransport::socket_closed);
    curl_easy_setopt(handle, CURLOPT_CLOSESOCKETDATA, this);
    return handle;
  }
  CURL* const handle = spares->second.back();
  spares->second.pop_back();
  --spare_count_;
  return handle;
}

void CurlTransport::give_back(CURL* handle, const std::string& url) noexcept {
  if (spare_count_ >= spare_handles_max || url.empty()) {
    curl_easy_cleanup(handle);
    return;
  }
  spare_[url].push_back(handle);
  ++spare_count_;
}

bool CurlTransport::add(CURL* handle) {
  if (curl_multi_add_handle(multi_, handle) != CURLM_OK) return false;
  if (due_now_ && !acting_) act_now();        // the call goes out now, not a turn of the loop later
  return true;
}

// Curl takes back and renews its wish at every call of a kept connection; what is registered follows only where it must.
int CurlTransport::socket_changed(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto& transport = *static_cast<CurlTransport*>(self);
  std::unique_ptr<Watched>& watched = transport.watched_[socket];
  if (what == CURL_POLL_REMOVE && (!watched || !watched->lasting)) {
    transport.watched_.erase(socket);
    return 0;
  }
  if (!watched) watched.reset(new Watched{DescriptorWatch(transport.poll_, socket, &CurlTransport::socket_event, &transport)});
  watched->wants_read = what == CURL_POLL_IN || what == CURL_POLL_INOUT;
  watched->wants_write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
  const std::uint32_t set = watched->watch.events();
  if (watched->wants_write) {
    watched->watch.set(EPOLLOUT | (watched->wants_read ? EPOLLIN : 0U));
  } else if (watched->wants_read || (set & EPOLLOUT) != 0) {
    watched->watch.set(EPOLLIN);
  }
  return 0;
}

curl_socket_t CurlTransport::open_socket(const curl_sockaddr& address) {
  const curl_socket_t made = ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
  if (made < 0) return CURL_SOCKET_BAD;
  std::unique_ptr<Watched>& watched = watched_[made];
  if (watched) watched->watch.closed();
  watched.reset(new Watched{DescriptorWatch(poll_, made, &CurlTransport::socket_event, this)});
  watched->lasting = true;
  return made;
}

int CurlTransport::socket_closed(void* self, curl_socket_t socket) {
  auto& transport = *static_cast<CurlTransport*>(self);
  if (const auto known = transport.watched_.find(socket); known != transport.watched_.end()) {
    known->second->watch.closed();            // closing takes it out of the epoll set
    transport.watched_.erase(known);
  }
  return ::close(socket);
}

void CurlTransport::socket_event(void* self, DescriptorWatch& watch, std::uint32_t events) {
  auto& transport = *static_cast<CurlTransport*>(self);
  const auto known = transport.watched_.find(watch.descriptor());
  if (known == transport.watched_.end()) return;
  const Watched& watched = *known->second;
  const std::uint32_t wanted = (watched.wants_read ? EPOLLIN : 0U) | (watched.wants_write ? EPOLLOUT : 0U);
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (wanted == 0 || (!broken && (events & wanted) == 0)) {   // a kept connection that its peer closed; a paused answer
    watch.set(wanted);
    return;
  }
  int what = broken ? CURL_CSELECT_ERR : 0;
  if ((events & EPOLLIN) != 0 && watched.wants_read) what |= CURL_CSELECT_IN;
  if ((events & EPOLLOUT) != 0 && watched.wants_write) what |= CURL_CSELECT_OUT;
  transport.act(watch.descriptor(), what);
}

int CurlTransport::timeout_changed(CURLM*, long timeout_ms, void* self) {
  auto& transport = *static_cast<CurlTransport*>(self);
  transport.due_now_ = timeout_ms == 0;
  if (timeout_ms > 0) {
    transport.timer_.set(std::chrono::milliseconds{timeout_ms});
    return 0;
  }
  transport.timer_.clear();
  if (!transport.due_now_ || transport.acting_) return 0;
  asio::post(transport.context_, [&transport, alive = transport.alive_] {
    if (*alive && transport.due_now_) transport.act_now();
  });
  return 0;
}

void CurlTransport::act_now() {
  due_now_ = false;
  act(CURL_SOCKET_TIMEOUT, 0);
}

void CurlTransport::act(curl_socket_t socket, int events) {
  constexpr int at_once_max = 8;              // curl may be due again at once, but not for ever before others
  int running = 0;
  acting_ = true;
  curl_multi_socket_action(multi_, socket, events, &running);
  for (int i = 0; due_now_ && i < at_once_max; ++i) {
    due_now_ = false;
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  acting_ = false;
  if (due_now_) timeout_changed(multi_, 0, this);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CurlTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (transfer != nullptr) transfer->completed(message->data.result);
  }
}

void CurlTransfer::detach() noexcept {
  if (handle_ == nullptr) return;
  if (std::exchange(added_, false)) transport_.remove(handle_);     // an unfinished call: curl closes its connection
  curl_easy_setopt(handle_, CURLOPT_ERRORBUFFER, nullptr);   // it outlives this transfer
  curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, nullptr);
  curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, nullptr);
  transport_.give_back(handle_, url_);
  handle_ = nullptr;
  curl_slist_free_all(headers_);
  headers_ = nullptr;
}

void CurlTransfer::abort(Fault why) noexcept {
  if (aborted_ || done_) return;
  aborted_ = why;
  deadline_.clear();
  if (std::exchange(added_, false)) transport_.remove(handle_);
  wake();
}

// What is the same for every call to this URL; curl copies the strings.
void CurlTransfer::set_lasting_options(const std::string& url, bool get) {
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(handle_, option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);            // a redirect could carry the key elsewhere
  set(CURLOPT_ACCEPT_ENCODING, "identity");   // what comes compressed all the same is unpacked
  set(CURLOPT_HTTP_VERSION, static_cast<long>(endpoint_.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_OPENSOCKETFUNCTION, &CurlTransfer::open_socket);
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  if (const char* const authorities = std::getenv("SSL_CERT_FILE")) set(CURLOPT_CAINFO, authorities);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  set(get ? CURLOPT_HTTPGET : CURLOPT_POST, 1L);
  set(CURLOPT_PREREQFUNCTION, &CurlTransfer::before_request);
  if (!endpoint_.private_only) return;
  // No proxy, no connection to an address that is not private (open_socket, asked with what the name resolved to), and no request on a
  // connection that was made without this check (before_request).
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
}

curl_socket_t CurlTransfer::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (!transfer.endpoint_.private_only) return transfer.transport_.open_socket(*address);
  if (is_private_ip(address->addr)) return transfer.transport_.open_socket(*address);
  transfer.outside_refused_ = true;
  return CURL_SOCKET_BAD;
}

int CurlTransfer::before_request(void* self, char* primary_ip, char*, int, int) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.endpoint_.private_only && !is_private_ip(std::string_view(primary_ip))) {
    transfer.outside_refused_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  transfer.sent_ = true;
  if (transfer.making_ != nullptr) transfer.making_->made();
  return CURL_PREREQFUNC_OK;
}

void CurlTransfer::prepare(const Call& call, ConnectWatch::Making& making) {
  making_ = &making;
  const bool v6 = endpoint_.host.find(':') != std::string::npos;
  const bool get = call.method == "GET";
  const std::string_view mark = endpoint_.private_only ? "air-gap " : "";   // handles carry the options of what they are kept by
  url_.append(endpoint_.tls ? "https://" : "http://").append(v6 ? "[" : "").append(endpoint_.host).append(v6 ? "]:" : ":");
  url_.append(std::to_string(endpoint_.port)).append(endpoint_.prefix).append(call.path);
  bool is_new = false;
  const std::string url = url_;
  url_.insert(0, mark);
  if (get || call.once) url_.clear();         // its handle is not kept: probes are few
  handle_ = transport_.take_handle(url_, is_new);
  if (is_new) set_lasting_options(url, get);
  std::string line;
  const auto header = [&](std::string_view name, std::string_view value) {
    line.assign(name).append(": ").append(value);
    headers_ = curl_slist_append(headers_, line.c_str());
  };
  for (const auto& [name, value] : endpoint_.headers) header(name, value);
  for (const auto& [name, value] : call.headers) header(name, value);
  header("accept", accept_of(call));
  header("x-request-id", call.request_id);
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(handle_, option, value); };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_FRESH_CONNECT, call.fresh ? 1L : 0L);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_PREREQDATA, this);
  if (!get && call.method != "POST") set(CURLOPT_CUSTOMREQUEST, std::string(call.method).c_str());
  set(CURLOPT_ERRORBUFFER, message_);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(endpoint_.timeouts.connect.count()));
  if (!get) {
    headers_ = curl_slist_append(headers_, "expect:");
    header("content-type", call.content_type);  // "": curl leaves it out
    body_.attach(handle_, call.body);
  }
  set(CURLOPT_HTTPHEADER, headers_);
}

Task<Result<AnswerHead>> CurlTransfer::start(const Call& call) {
  ConnectWatch::Making making(call.connects);
  prepare(call, making);
  added_ = transport_.add(handle_);
  if (!added_) co_return fail(Fault::internal, "libcurl would not take the call");
  deadline_.set(endpoint_.timeouts.connect + endpoint_.timeouts.first_byte);
  while (!head_complete_ && !done_ && !aborted_) co_await wake_.wait();
  deadline_.clear();
  body_.stop();
  making_ = nullptr;
  if (!head_complete_) co_return failure();
  co_return head_;
}

Task<Result<std::string_view>> CurlTransfer::read() {
  given_.clear();
  while (received_.empty() && !done_ && !aborted_) {
    deadline_.set(endpoint_.timeouts.silence);
    co_await wake_.wait();
  }
  deadline_.clear();
  if (!received_.empty() && !aborted_) {
    given_.swap(received_);
    if (paused_) {
      paused_ = false;
      curl_easy_pause(handle_, CURLPAUSE_CONT);     // may fill received_ at once
    }
    given_.reserve(given_.size() + parse_padding);
    co_return std::string_view(given_);
  }
  if (aborted_ || code_ != CURLE_OK) co_return failure();
  co_return std::string_view{};
}

Error CurlTransfer::failure() const {
  const auto say = [this](Fault fault, std::string_view what) {
    return fail(fault, "backend '" + std::string(text(endpoint_.backend)) + "': " + std::string(what));
  };
  if (aborted_ == Fault::upstream_timeout) return say(Fault::upstream_timeout, "no answer within its time limit");
  if (aborted_) return say(*aborted_, "call ended from this side");
  if (outside_refused_) {
    return say(Fault::upstream_unreachable, "air_gap is on and its name does not resolve to a private address: nothing was sent");
  }
  std::string what = message_[0] != '\0' ? message_ : curl_easy_strerror(code_);
  hide(what, endpoint_.host, "it");           // clients see the backend's name, not where it stands
  curl_off_t connected = 0;
  curl_easy_getinfo(handle_, CURLINFO_PRETRANSFER_TIME_T, &connected);
  switch (code_) {
    case CURLE_OK: return say(Fault::upstream_garbage, "the answer has no head");
    case CURLE_OPERATION_TIMEDOUT: return say(connected == 0 ? Fault::upstream_unreachable : Fault::upstream_timeout, what);
    case CURLE_BAD_CONTENT_ENCODING: return say(Fault::upstream_garbage, what);
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY: case CURLE_HTTP2: case CURLE_HTTP2_STREAM:
      return say(head_complete_ ? Fault::upstream_broke_off : Fault::upstream_garbage, what);
    default: break;
  }
  return say(connected == 0 && !head_complete_ ? Fault::upstream_unreachable : Fault::upstream_broke_off, what);
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  if (auto& transfer = *static_cast<CurlTransfer*>(self); !transfer.head_complete_) transfer.take_header({data, size * count});
  return size * count;
}

void CurlTransfer::take_header(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {            // a new head: what came before was interim
    head_ = AnswerHead{};
    if (const std::size_t blank = line.find(' '); blank != std::string_view::npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), head_.status);
    return;
  }
  if (line.empty()) {
    if (head_complete_ = head_.status >= 200; head_complete_) wake();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view name = line.substr(0, colon), value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  if (!endpoint_.billed_header.empty() && boost::beast::iequals(name, endpoint_.billed_header)) head_.billed_time = value;
  if (may_be_rate_header(name)) return note(head_.rates, name, value, std::chrono::system_clock::now());
  if (boost::beast::iequals(name, "content-type")) {
    head_.content_type = value;
    head_.event_stream = is_event_stream(value);
  } else if (boost::beast::iequals(name, "content-length")) {
    std::uint64_t length = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), length).ec == std::errc{}) head_.content_length = length;
  } else if (boost::beast::iequals(name, "retry-after-ms")) {
    head_.retry_after = parse_retry_after_ms(value);
  } else if (boost::beast::iequals(name, "retry-after") && !head_.retry_after) {
    head_.retry_after = parse_retry_after(value, std::chrono::system_clock::now());
  }
}

std::size_t CurlTransfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (transfer.received_.size() >= buffered_bytes_max) {
    transfer.paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  transfer.received_.append(data, size * count);
  transfer.wake();
  return size * count;
}

}  // namespace

std::unique_ptr<Transport> make_curl_transport(asio::io_context& context, SocketPoll& poll, DeadlineWheel& wheel) {
  return std::make_unique<CurlTransport>(context, poll, wheel);
}

}  // namespace tollgate
