#pragma once
// A dialect is the wire protocol a backend speaks: what goes up, what comes down, where usage stands. Pure: bytes in, bytes out,
// no sockets, no clock. One instance per dialect, immutable, shared by all threads.

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/engine_timings.hpp"
#include "config/config.hpp"
#include "metrics/usage.hpp"

namespace tollgate {

struct Endpoint;

/// Pieces of a message that are sent one after the other (writev), instead of being copied together.
using Pieces = boost::container::small_vector<std::string_view, 8>;

/// A stretch of the client's body. length 0: the member is not there.
struct Span {
  std::uint32_t offset = 0, length = 0;
  [[nodiscard]] bool present() const noexcept { return length != 0; }
  [[nodiscard]] std::string_view of(std::string_view body) const noexcept { return body.substr(offset, length); }
};

/// An OpenAI-shaped body as the client sent it, and where the members stand that a dialect may have to change.
struct ClientBody {
  std::string_view text;
  Surface surface = Surface::chat;
  Span model_value;             ///< with its quotes
  Span stream_options_value;    ///< the object, braces included; or null
  Span usage_member;            ///< `"usage": {…}` of a client that wants usage.cost, with one neighbouring comma: cut out
  std::uint32_t after_brace = 0;  ///< just behind the opening brace: where a member may be put in
  std::int64_t choices = 1;       ///< n
  bool stream = false;
  bool include_usage = false;     ///< the client set stream_options.include_usage
  bool continuous_usage = false;  ///< … and continuous_usage_stats
  bool wants_cost = false;        ///< `usage: {include: true}`
  Span include_metrics_value;     ///< of a client that says include_metrics itself
  bool include_metrics = false;   ///< … and wants the engine's own timings
  bool ask_metrics = false;       ///< of this attempt: the backend is asked for them (EngineConfig::per_request_metrics)
};

/// The body for one attempt: pieces that view the client's body, and the snippets put in between (owned here).
struct WireBody {
  Pieces pieces;
  std::size_t bytes = 0;
  boost::container::small_vector<std::string, 3> owned;  ///< reserved before use, never grown: pieces view into it
  std::string path;                                      ///< where it goes instead of Dialect::path(); "": there
  std::vector<std::pair<std::string, std::string>> headers;  ///< of this call alone, beside the endpoint's
  std::vector<std::string> dropped;                      ///< members of the client's body that this dialect has no words for
  WireBody() = default;
  WireBody(const WireBody&) = delete;
  WireBody& operator=(const WireBody&) = delete;
  /// A body that was written anew. Once, and instead of pieces of the client's.
  void set(std::string body, std::vector<std::string> left_out) {
    owned.push_back(std::move(body));
    pieces.push_back(owned.back());
    bytes = owned.back().size();
    dropped = std::move(left_out);
  }
};

/// Reads an answer as a stream and writes the client's form of it.
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  /// Takes the next bytes as they came; appends to `out` what goes to the client, as views into `bytes` or into the reader's own
  /// memory, valid until the next call. Whole events only: the end of an unfinished event is kept until it is complete.
  /// Faults: upstream_garbage (an event past the size limit), upstream_status (the upstream sent an error event: it is passed on
  /// in `out` as well).
  virtual Result<void> feed(std::string_view bytes, Pieces& out) = 0;
  /// The body ended. ok if the protocol's end mark was seen or the answer was complete without it; else upstream_broke_off.
  /// Appends a last event that came without its closing blank line. What is held back stays so (see `release`).
  virtual Result<void> finish(Pieces& out) = 0;
  /// True once the protocol's end mark ([DONE]) was read: the answer is complete even if the client leaves now.
  [[nodiscard]] virtual bool complete() const noexcept = 0;
  /// True once a piece of answer text, reasoning or tool call was seen (for the time to the first token).
  [[nodiscard]] virtual bool content_seen() const noexcept = 0;
  /// The final usage if it was sent, else the last running count, else an empty one. `estimated`: the input is known, of the output
  /// nothing but content_bytes().
  [[nodiscard]] virtual std::pair<Usage, UsageSource> usage() = 0;
  /// The last usage object as the upstream wrote it, where its protocol is OpenAI's; "" if none has come. Once the answer is complete it is
  /// of the whole answer. Valid until the next call.
  [[nodiscard]] virtual std::string_view usage_object() const noexcept { return {}; }
  /// The service tier that serves the answer, as it names it; "" if it has not said. Valid as long as the reader.
  [[nodiscard]] virtual std::string_view service_tier() const noexcept = 0;
  /// Bytes of answer text so far, roughly: for estimates when usage never comes.
  [[nodiscard]] virtual std::uint64_t content_bytes() const noexcept = 0;
  /// When the client wants usage.cost, the last usage event and the end mark are held back: `holding()` says so, and `release`
  /// appends them with `"cost": cost_usd` put into the usage object (an empty text leaves it out).
  [[nodiscard]] virtual bool holding() const noexcept = 0;
  virtual void release(std::string_view cost_usd, Pieces& out) = 0;
  /// The engine's own timings of this answer, if it was asked for them and gave them.
  [[nodiscard]] virtual const EngineTimings& timings() const noexcept = 0;
  /// Heap and object memory in use, for the per-stream budget.
  [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;
};

/// A whole (non-stream) answer, read.
struct Answer {
  std::string owned;             ///< the client's form of the body, where it is not the body itself; else empty
  Usage usage;
  UsageSource usage_source = UsageSource::none;
  std::string_view service_tier; ///< that served it, as the answer names it (a view of the body or of `owned`); "": it does not say
  std::uint64_t content_bytes = 0;
  std::string_view usage_object; ///< as the upstream wrote it, where its protocol is OpenAI's (a view of the body); else ""
  std::size_t usage_close = 0;   ///< offset of the closing brace of the top-level usage object in what the client gets; 0: no usage object
  EngineTimings timings;         ///< of the top-level `metrics`, if there is one
  std::size_t metrics_begin = 0, metrics_end = 0;  ///< that member with one neighbouring comma; equal: it is not there
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  /// Path after the endpoint's prefix. A prefix that already ends in "/v1" is not doubled (done by parse_endpoint).
  [[nodiscard]] virtual std::string_view path(Surface surface) const noexcept = 0;
  /// The client's body as this backend wants it: the upstream's model name, stream_options that make it tell its usage, `usage` cut out;
  /// or written anew in the dialect's own words. Faults: unsupported if it has none for a member of the body (and the backend may
  /// not drop it), bad_request for a member that cannot be read.
  virtual Result<void> write(const ClientBody& client, const Backend& backend, const Target& target, WireBody& out) const = 0;
  /// Where OpenAI's `path` of an endpoint that is passed through ("/v1/images/edits", with its query) stands at this backend.
  /// Fault: unsupported where there is none.
  virtual Result<std::string> passed_path(Surface surface, std::string_view path, const Backend& backend, const Target& target) const;
  /// Headers that depend on what is sent and when: signatures. `out` is what write() made.
  virtual void sign(const Endpoint&, const Backend&, std::chrono::system_clock::time_point, WireBody&) const {}
  [[nodiscard]] virtual std::unique_ptr<StreamReader> stream_reader(const ClientBody& client) const = 0;
  /// `body` has at least 64 readable bytes behind its end (simdjson's padding). Fault upstream_garbage if it is not the protocol's JSON.
  virtual Result<Answer> read_answer(Surface surface, std::string_view body) const = 0;
  /// An answer whose status is not 2xx: which fault, and the message, param and code the upstream gave (codes become strings).
  [[nodiscard]] virtual Error read_error(int status, std::string_view body) const = 0;
};

/// The one instance of a dialect.
[[nodiscard]] const Dialect& dialect_of(DialectName name) noexcept;

}  // namespace tollgate
