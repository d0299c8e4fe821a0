#pragma once
// Errors are values. A Result<T> is a T or an Error; an Error answers three questions through its Fault: whose is it, may it be
// tried again, what does the client see (config/fault.cpp holds the one table).
//
//    Result<Config> load(path);
//    TOLLGATE_TRY(auto config, load(path));          // returns the error to the caller
//    TOLLGATE_CO_TRY(auto head, co_await read());    // the same in a coroutine
//
// Exceptions are for start-up and for bugs only.

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate {

enum class Fault : std::uint8_t {
  bad_request,               ///< the body or a header is wrong; the message says which field
  bad_config,                ///< a configuration file is wrong
  too_large,                 ///< body or head past its limit
  request_timeout,           ///< the client was too slow to send its request
  unauthenticated,           ///< no key, or none that is known
  forbidden_model,           ///< the key may not use this model
  model_not_found,           ///< no route, no target has this name
  not_found,                 ///< no such path
  method_not_allowed,        ///< the path exists, this method does not
  unsupported,               ///< no target can express what was asked
  over_budget,               ///< a budget has too little left
  rate_limited,              ///< the caller's own limit
  constraint_unsatisfied,    ///< constraints leave no target
  no_target_up,              ///< targets are allowed but none is usable now
  upstream_unreachable,      ///< nothing was sent
  upstream_busy,             ///< 429 or 503 from the upstream
  upstream_refused,          ///< another 4xx from the upstream: the request's fault as the upstream sees it
  upstream_credentials,      ///< 401 or 403 from the upstream: our key is wrong, not the client's
  upstream_status,           ///< 5xx
  upstream_timeout,          ///< connect, first byte or silence past its limit
  upstream_garbage,          ///< an answer that is not of the protocol
  upstream_broke_off,        ///< the answer ended in the middle
  escalated,                 ///< an answer that failed its check on a cascade route: the next target was asked
  hedge_lost,                ///< of an attempt only: another one of the same request answered first, and this one was cut off
  client_gone,               ///< the client closed its connection
  ledger_full,               ///< nothing may be served unrecorded
  draining,                  ///< the gateway is stopping
  internal,                  ///< a bug or a failing machine
  io_failed,                 ///< a file or a folder cannot be opened, read or written; never seen by a client
};

enum class Whose : std::uint8_t { client, policy, upstream, ours };
enum class Again : std::uint8_t {
  no,
  next_target,        ///< before the first byte went to the client, another target may be asked
  if_nothing_sent     ///< the same target may be asked again, for it never saw the request
};

struct FaultFacts {
  std::string_view name;   ///< as in metrics and logs: "upstream_timeout"
  Whose whose;
  Again again;
  int http_status;         ///< 0: nothing can be sent (the client is gone)
  std::string_view type;   ///< OpenAI `error.type`
  std::string_view code;   ///< OpenAI `error.code`
};
/// The row of the table. Never fails; lives for ever.
[[nodiscard]] const FaultFacts& facts_of(Fault fault) noexcept;

struct Error {
  Error(Fault f, std::string m, std::string p = {}) : fault(f), message(std::move(m)), param(std::move(p)) {}
  Fault fault;
  std::string message;                              ///< what, where, how to mend; never a secret, never prompt text
  std::string param;                                ///< the field at fault, "" if none
  std::string code;                                 ///< overrides the table's code when not empty
  bool ours = false;                                ///< upstream_unreachable for want of something here: it says nothing of the upstream
  int http_status = 0;                              ///< overrides the table's status when not 0
  std::optional<std::chrono::milliseconds> retry_after{};
};

/// What the client sees: the table's row, with the error's own status and code where it has them. An upstream_busy error
/// that carries the status 503 is typed as the server's trouble, not as a rate limit.
[[nodiscard]] int http_status_of(const Error& error) noexcept;  ///< 0: nothing can be sent
[[nodiscard]] std::string_view type_of(const Error& error) noexcept;
/// The view lives as long as the error.
[[nodiscard]] std::string_view code_of(const Error& error) noexcept;

/// An Error kept aside, so that a Result is hardly larger than its value: coroutine frames hold many of them for as long as a stream
/// lasts, and errors are rare. Copies are deep; what was moved from holds none.
class BoxedError {
 public:
  BoxedError(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  BoxedError(const BoxedError& other) : error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  BoxedError(BoxedError&&) noexcept = default;
  BoxedError& operator=(BoxedError other) noexcept {
    error_ = std::move(other.error_);
    return *this;
  }
  ~BoxedError() = default;
  [[nodiscard]] Error& get() const noexcept { return *error_; }

 private:
  std::unique_ptr<Error> error_;
};

template <class T>
class [[nodiscard]] Result : public boost::outcome_v2::basic_result<T, BoxedError, boost::outcome_v2::policy::terminate> {
  using Base = boost::outcome_v2::basic_result<T, BoxedError, boost::outcome_v2::policy::terminate>;

 public:
  using Base::Base;
  [[nodiscard]] const Error& error() const& { return Base::error().get(); }
  [[nodiscard]] Error& error() & { return Base::error().get(); }
  [[nodiscard]] Error&& error() && { return std::move(Base::error().get()); }
};
using boost::outcome_v2::success;

/// An Error in return position: `return fail(Fault::bad_request, "…")`.
[[nodiscard]] inline Error fail(Fault fault, std::string message, std::string param = {}) {
  return Error(fault, std::move(message), std::move(param));
}

}  // namespace tollgate

#define TOLLGATE_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
#define TOLLGATE_CO_TRY(...) BOOST_OUTCOME_CO_TRY(__VA_ARGS__)
