#include <array>
#include <cassert>
#include <cstddef>

#include "config/result.hpp"

namespace tollgate {
namespace {

// `type` and `code` are what OpenAI's own API answers where it has such a case (an unknown key is an
// invalid_request_error there, not an authentication_error), because SDKs and applications switch on them; the other
// codes are ours.
constexpr std::string_view bad = "invalid_request_error";
constexpr std::string_view server = "server_error";

struct Row {
  Fault fault;
  FaultFacts facts;
};

constexpr std::array table = {
    Row{Fault::bad_request, {"bad_request", Whose::client, Again::no, 400, bad, "invalid_request"}},
    Row{Fault::bad_config, {"bad_config", Whose::ours, Again::no, 500, server, "bad_config"}},
    Row{Fault::too_large, {"too_large", Whose::client, Again::no, 413, bad, "request_too_large"}},
    Row{Fault::request_timeout, {"request_timeout", Whose::client, Again::no, 408, bad, "request_timeout"}},
    Row{Fault::unauthenticated, {"unauthenticated", Whose::client, Again::no, 401, bad, "invalid_api_key"}},
    Row{Fault::forbidden_model, {"forbidden_model", Whose::client, Again::no, 403, bad, "model_not_allowed"}},
    Row{Fault::model_not_found, {"model_not_found", Whose::client, Again::no, 404, bad, "model_not_found"}},
    Row{Fault::not_found, {"not_found", Whose::client, Again::no, 404, bad, "unknown_url"}},
    Row{Fault::method_not_allowed, {"method_not_allowed", Whose::client, Again::no, 405, bad, "method_not_supported"}},
    Row{Fault::unsupported, {"unsupported", Whose::policy, Again::next_target, 400, bad, "unsupported"}},
    Row{Fault::over_budget, {"over_budget", Whose::client, Again::no, 402, "insufficient_quota", "budget_exceeded"}},
    Row{Fault::rate_limited,
        {"rate_limited", Whose::client, Again::no, 429, "rate_limit_error", "rate_limit_exceeded"}},
    Row{Fault::constraint_unsatisfied,
        {"constraint_unsatisfied", Whose::policy, Again::no, 403, bad, "constraint_unsatisfied"}},
    Row{Fault::no_target_up, {"no_target_up", Whose::upstream, Again::no, 503, server, "no_target_available"}},
    Row{Fault::upstream_unreachable,
        {"upstream_unreachable", Whose::upstream, Again::if_nothing_sent, 502, server, "upstream_unreachable"}},
    Row{Fault::upstream_busy,
        {"upstream_busy", Whose::upstream, Again::next_target, 429, "rate_limit_error", "upstream_rate_limited"}},
    Row{Fault::upstream_refused, {"upstream_refused", Whose::client, Again::no, 400, bad, "upstream_refused"}},
    Row{Fault::upstream_credentials,
        {"upstream_credentials", Whose::ours, Again::next_target, 502, server, "upstream_credentials"}},
    Row{Fault::upstream_status,
        {"upstream_status", Whose::upstream, Again::next_target, 502, server, "upstream_error"}},
    Row{Fault::upstream_timeout,
        {"upstream_timeout", Whose::upstream, Again::next_target, 504, server, "upstream_timeout"}},
    Row{Fault::upstream_garbage,
        {"upstream_garbage", Whose::upstream, Again::next_target, 502, server, "upstream_invalid_answer"}},
    // After the first byte nothing can be tried again; before it the gateway asks the next target (Again::next_target).
    Row{Fault::upstream_broke_off,
        {"upstream_broke_off", Whose::upstream, Again::next_target, 502, server, "upstream_broke_off"}},
    Row{Fault::escalated, {"escalated", Whose::upstream, Again::next_target, 502, server, "escalated"}},
    Row{Fault::hedge_lost, {"hedge_lost", Whose::ours, Again::no, 500, server, "hedge_lost"}},
    Row{Fault::client_gone, {"client_gone", Whose::client, Again::no, 0, "", "client_gone"}},
    Row{Fault::ledger_full, {"ledger_full", Whose::ours, Again::no, 503, server, "ledger_full"}},
    Row{Fault::draining, {"draining", Whose::ours, Again::no, 503, server, "shutting_down"}},
    Row{Fault::internal, {"internal", Whose::ours, Again::no, 500, server, "internal_error"}},
    Row{Fault::io_failed, {"io_failed", Whose::ours, Again::no, 500, server, "io_failed"}},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (static_cast<std::size_t>(table[i].fault) != i) return false;
  }
  return table.size() == static_cast<std::size_t>(Fault::io_failed) + 1;
}
static_assert(in_order(), "one row per Fault, in the order of the enumeration");

constexpr int service_unavailable = 503;

}  // namespace

const FaultFacts& facts_of(Fault fault) noexcept {
  const auto index = static_cast<std::size_t>(fault);
  assert(index < table.size());
  return index < table.size() ? table[index].facts : table.back().facts;
}

int http_status_of(const Error& error) noexcept {
  return error.http_status != 0 ? error.http_status : facts_of(error.fault).http_status;
}

std::string_view type_of(const Error& error) noexcept {
  // A busy upstream is a rate limit only if it said 429; a 503 is its own trouble.
  if (error.fault == Fault::upstream_busy && error.http_status == service_unavailable) return server;
  if (error.fault == Fault::over_budget && error.http_status == service_unavailable) return server;  // nobody could say
  return facts_of(error.fault).type;
}

std::string_view code_of(const Error& error) noexcept {
  if (!error.code.empty()) return error.code;
  if (error.fault == Fault::upstream_busy && error.http_status == service_unavailable) return "upstream_overloaded";
  if (error.fault == Fault::over_budget && error.http_status == service_unavailable) return "budget_unavailable";
  return facts_of(error.fault).code;
}

}  // namespace tollgate
