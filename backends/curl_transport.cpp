// libcurl multi on the reactor's io_context: everything managed goes this way (TLS, HTTP/2, proxies). The only file that knows curl.
//
// libcurl tells which sockets it waits for; asio waits for them; curl_multi_socket_action then does the work. Curl's callbacks only
// put bytes and flags away: coroutines are resumed from the event loop, so no handle is ever removed or freed inside a callback.

#include <curl/curl.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/retry_after.hpp"

namespace tollgate {

namespace {

constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::size_t buffered_bytes_max = 64 * 1024;      // then curl pauses until they are read
constexpr long kept_connections_max = 512;
constexpr std::size_t spare_handles_max = 256;
constexpr std::size_t parse_padding = 64;

using boost::system::error_code;

class CurlTransfer;

class CurlTransport final : public Transport {
 public:
  CurlTransport(asio::io_context& context, DeadlineWheel& deadlines);
  ~CurlTransport() override;
  std::unique_ptr<Transfer> open(const Endpoint& endpoint) override;
  void close_idle() noexcept override;

  CURL* take_handle();
  void give_back(CURL* handle) noexcept;
  bool add(CURL* handle);
  void remove(CURL* handle) noexcept { curl_multi_remove_handle(multi_, handle); }
  [[nodiscard]] asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] DeadlineWheel& wheel() noexcept { return wheel_; }

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  struct Watched {
    Watched(asio::io_context& on, curl_socket_t socket) : descriptor(on.get_executor(), socket) {}
    Descriptor descriptor;
    bool wants_read = false, wants_write = false, reading = false, writing = false, gone = false;
  };
  using WatchedPtr = std::shared_ptr<Watched>;

  static int socket_changed(CURL*, curl_socket_t socket, int what, void* self, void* known);
  static int timeout_changed(CURLM*, long timeout_ms, void* self);
  void wait_for(const WatchedPtr& watched);
  void act(curl_socket_t socket, int events);

  asio::io_context& context_;
  DeadlineWheel& wheel_;
  CURLM* multi_;
  Timer timer_;
  std::map<curl_socket_t, WatchedPtr> watched_;
  std::vector<CURL*> spare_;
};

class CurlTransfer final : public Transfer {
 public:
  CurlTransfer(CurlTransport& transport, const Endpoint& endpoint)
      : transport_(transport), endpoint_(endpoint), wake_(transport.context().get_executor()),
        deadline_(transport.wheel(), [](void* self) { static_cast<CurlTransfer*>(self)->abort(Fault::upstream_timeout); }, this) {
    message_[0] = '\0';
  }
  ~CurlTransfer() override { detach(); }

  Task<Result<AnswerHead>> start(const Call& call) override;
  Task<Result<std::string_view>> read() override;
  bool ended() const noexcept override { return done_ && code_ == CURLE_OK && received_.empty(); }
  void abort(Fault why) noexcept override;
  void completed(CURLcode code) noexcept {
    done_ = true;
    code_ = code;
    wake();
  }

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_read(char* to, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);
  void take_header(std::string_view line);
  void prepare(const Call& call);
  void detach() noexcept;
  void wake() { wake_.cancel(); }
  Task<void> wait();
  [[nodiscard]] Error failure() const;

  CurlTransport& transport_;
  const Endpoint& endpoint_;
  CURL* handle_ = nullptr;
  bool added_ = false;
  curl_slist* headers_ = nullptr;
  std::span<const std::string_view> body_;
  std::size_t piece_ = 0, offset_ = 0;         // of body_: what is sent next
  AnswerHead head_;
  bool head_complete_ = false, done_ = false, paused_ = false;
  CURLcode code_ = CURLE_OK;
  std::optional<Fault> aborted_;
  std::string received_, given_;               // double buffer: curl fills one while the caller looks at the other
  Timer wake_;
  Deadline deadline_;
  char message_[CURL_ERROR_SIZE];
};

// ---- transport ----

CurlTransport::CurlTransport(asio::io_context& context, DeadlineWheel& deadlines)
    : context_(context), wheel_(deadlines), timer_(context.get_executor()) {
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
  for (CURL* handle : spare_) curl_easy_cleanup(handle);
  curl_multi_cleanup(multi_);                 // closes kept connections; calls socket_changed for them
  for (auto& [socket, watched] : watched_) {
    watched->gone = true;
    watched->descriptor.release();
  }
}

std::unique_ptr<Transfer> CurlTransport::open(const Endpoint& endpoint) { return std::make_unique<CurlTransfer>(*this, endpoint); }

// libcurl has no call to close idle connections; a cache of one closes all but one when the next handle is added or removed.
void CurlTransport::close_idle() noexcept {
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 1L);
}

CURL* CurlTransport::take_handle() {
  if (spare_.empty()) return curl_easy_init();
  CURL* const handle = spare_.back();
  spare_.pop_back();
  return handle;
}

void CurlTransport::give_back(CURL* handle) noexcept {
  if (spare_.size() >= spare_handles_max) {
    curl_easy_cleanup(handle);
    return;
  }
  curl_easy_reset(handle);
  spare_.push_back(handle);
}

bool CurlTransport::add(CURL* handle) { return curl_multi_add_handle(multi_, handle) == CURLM_OK; }

int CurlTransport::socket_changed(CURL*, curl_socket_t socket, int what, void* self, void*) {
  auto& transport = *static_cast<CurlTransport*>(self);
  const auto known = transport.watched_.find(socket);
  if (what == CURL_POLL_REMOVE) {
    if (known == transport.watched_.end()) return 0;
    known->second->gone = true;
    known->second->descriptor.release();      // curl owns the socket and closes it
    transport.watched_.erase(known);
    return 0;
  }
  WatchedPtr watched = known == transport.watched_.end() ? std::make_shared<Watched>(transport.context_, socket) : known->second;
  transport.watched_[socket] = watched;
  watched->wants_read = (what & CURL_POLL_IN) != 0;
  watched->wants_write = (what & CURL_POLL_OUT) != 0;
  transport.wait_for(watched);
  return 0;
}

void CurlTransport::wait_for(const WatchedPtr& watched) {
  const auto wait = [this, &watched](Descriptor::wait_type type, bool Watched::*wants, bool Watched::*waiting, int event) {
    if (!((*watched).*wants) || (*watched).*waiting) return;
    (*watched).*waiting = true;
    watched->descriptor.async_wait(type, [this, watched, wants, waiting, event](const error_code& code) {
      (*watched).*waiting = false;
      if (watched->gone || code == asio::error::operation_aborted) return;
      if (!((*watched).*wants)) return;
      act(watched->descriptor.native_handle(), code ? CURL_CSELECT_ERR : event);
      if (!watched->gone) wait_for(watched);
    });
  };
  wait(Descriptor::wait_read, &Watched::wants_read, &Watched::reading, CURL_CSELECT_IN);
  wait(Descriptor::wait_write, &Watched::wants_write, &Watched::writing, CURL_CSELECT_OUT);
}

int CurlTransport::timeout_changed(CURLM*, long timeout_ms, void* self) {
  auto& transport = *static_cast<CurlTransport*>(self);
  transport.timer_.cancel();
  if (timeout_ms < 0) return 0;
  transport.timer_.expires_after(std::chrono::milliseconds{timeout_ms});
  transport.timer_.async_wait([&transport](const error_code& code) {
    if (!code) transport.act(CURL_SOCKET_TIMEOUT, 0);
  });
  return 0;
}

void CurlTransport::act(curl_socket_t socket, int events) {
  int running = 0;
  curl_multi_socket_action(multi_, socket, events, &running);
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CurlTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (transfer != nullptr) transfer->completed(message->data.result);
  }
}

// ---- transfer ----

void CurlTransfer::detach() noexcept {
  if (handle_ == nullptr) return;
  if (added_) transport_.remove(handle_);     // an unfinished call: curl closes its connection
  added_ = false;
  transport_.give_back(handle_);
  handle_ = nullptr;
  curl_slist_free_all(headers_);
  headers_ = nullptr;
}

void CurlTransfer::abort(Fault why) noexcept {
  if (aborted_ || done_) return;
  aborted_ = why;
  deadline_.clear();
  if (added_) transport_.remove(handle_);
  added_ = false;
  wake();
}

Task<void> CurlTransfer::wait() {
  wake_.expires_at(Timer::time_point::max());
  co_await wake_.async_wait(as_result);
}

void CurlTransfer::prepare(const Call& call) {
  handle_ = transport_.take_handle();
  const bool v6 = endpoint_.host.find(':') != std::string::npos;
  const std::string url = std::string(endpoint_.tls ? "https://" : "http://") + (v6 ? "[" + endpoint_.host + "]" : endpoint_.host) + ":" +
                          std::to_string(endpoint_.port) + endpoint_.prefix + std::string(call.path);
  const auto header = [this](const std::string& line) { headers_ = curl_slist_append(headers_, line.c_str()); };
  for (const auto& [name, value] : endpoint_.headers) header(name + ": " + value);
  header(std::string("accept: ") + (call.stream ? "text/event-stream" : "application/json"));
  header("x-request-id: " + std::string(call.request_id));
  header("expect:");
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(handle_, option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, message_);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);            // a redirect could carry the key elsewhere
  set(CURLOPT_HTTP_VERSION, static_cast<long>(endpoint_.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(endpoint_.timeouts.connect.count()));
  set(CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  set(CURLOPT_WRITEDATA, this);
  if (const char* const authorities = std::getenv("SSL_CERT_FILE")) set(CURLOPT_CAINFO, authorities);  // NOLINT(concurrency-mt-unsafe): nobody sets it
  if (call.method == "GET") {
    set(CURLOPT_HTTPGET, 1L);
  } else {
    header("content-type: application/json");
    body_ = call.body;
    curl_off_t bytes = 0;
    for (const std::string_view piece : body_) bytes += static_cast<curl_off_t>(piece.size());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, bytes);
    set(CURLOPT_READFUNCTION, &CurlTransfer::on_read);
    set(CURLOPT_READDATA, this);
    set(CURLOPT_SEEKFUNCTION, &CurlTransfer::on_seek);
    set(CURLOPT_SEEKDATA, this);
  }
  set(CURLOPT_HTTPHEADER, headers_);
}

Task<Result<AnswerHead>> CurlTransfer::start(const Call& call) {
  prepare(call);
  added_ = transport_.add(handle_);
  if (!added_) co_return fail(Fault::internal, "libcurl would not take the call");
  deadline_.set(endpoint_.timeouts.connect + endpoint_.timeouts.first_byte);
  while (!head_complete_ && !done_ && !aborted_) co_await wait();
  deadline_.clear();
  body_ = {};
  if (!head_complete_) co_return failure();
  co_return head_;
}

Task<Result<std::string_view>> CurlTransfer::read() {
  given_.clear();
  while (received_.empty() && !done_ && !aborted_) {
    deadline_.set(endpoint_.timeouts.silence);
    co_await wait();
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
  const std::string_view what = message_[0] != '\0' ? std::string_view(message_) : std::string_view(curl_easy_strerror(code_));
  curl_off_t connected = 0;
  curl_easy_getinfo(handle_, CURLINFO_PRETRANSFER_TIME_T, &connected);
  switch (code_) {
    case CURLE_OK: return say(Fault::upstream_garbage, "the answer has no head");
    case CURLE_OPERATION_TIMEDOUT: return say(connected == 0 ? Fault::upstream_unreachable : Fault::upstream_timeout, what);
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY: case CURLE_BAD_CONTENT_ENCODING: case CURLE_HTTP2: case CURLE_HTTP2_STREAM:
      return say(head_complete_ ? Fault::upstream_broke_off : Fault::upstream_garbage, what);
    default: break;
  }
  return say(connected == 0 && !head_complete_ ? Fault::upstream_unreachable : Fault::upstream_broke_off, what);
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (!transfer.head_complete_) transfer.take_header({data, size * count});
  return size * count;
}

void CurlTransfer::take_header(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {            // a new head: what came before was interim
    head_ = AnswerHead{};
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), head_.status);
    return;
  }
  if (line.empty()) {
    head_complete_ = head_.status >= 200;
    if (head_complete_) wake();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  if (boost::beast::iequals(name, "content-type")) {
    head_.content_type = value;
    head_.event_stream = value.starts_with("text/event-stream");
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

std::size_t CurlTransfer::on_read(char* to, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  std::size_t room = size * count, copied = 0;
  while (room > 0 && transfer.piece_ < transfer.body_.size()) {
    const std::string_view piece = transfer.body_[transfer.piece_].substr(transfer.offset_);
    const std::size_t part = std::min(room, piece.size());
    std::memcpy(to + copied, piece.data(), part);
    copied += part;
    room -= part;
    transfer.offset_ += part;
    if (part == piece.size()) {
      ++transfer.piece_;
      transfer.offset_ = 0;
    }
  }
  return copied;
}

// Only back to the beginning: what curl needs when a kept connection turns out to be closed.
int CurlTransfer::on_seek(void* self, curl_off_t offset, int origin) {
  auto& transfer = *static_cast<CurlTransfer*>(self);
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  transfer.piece_ = transfer.offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

}  // namespace

std::unique_ptr<Transport> make_curl_transport(asio::io_context& context, DeadlineWheel& wheel) {
  return std::make_unique<CurlTransport>(context, wheel);
}

}  // namespace tollgate
