// POST /admin/v1/explain: the decision as it would be made now, by the same code and for the targets as they stand.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <optional>

#include "gateway/admin/streams.hpp"
#include "gateway/admin/typed_request.hpp"
#include "gateway/gateway.hpp"
#include "gateway/parse_chat.hpp"
#include "router/explain.hpp"
#include "router/screening.hpp"

namespace tollgate {

namespace {

constexpr std::chrono::seconds states_wait_max{1};

/// What a reactor is asked, and where it puts the answer; both sides may outlive the other.
struct StatesAsked {
  explicit StatesAsked(const Executor& control) : answered(control) {}
  Timer answered;
  std::optional<std::vector<TargetState>> states;  // of the control thread
};

// How targets stand is known to reactors: what they learned of speed and length is theirs. One is asked.
Task<std::vector<TargetState>> target_states_now(Gateway& gateway, ServingPtr serving) {
  const Executor control = gateway.control_executor();
  const auto asked = std::make_shared<StatesAsked>(control);
  asked->answered.expires_after(states_wait_max);
  Reactor& reactor = *gateway.reactors().front();
  asio::post(reactor.context(), [&reactor, serving, asked, control] {
    const std::span<const TargetState> now = reactor.target_states(*serving, std::chrono::steady_clock::now());
    asio::post(control, [asked, states = std::vector<TargetState>(now.begin(), now.end())]() mutable {
      asked->states = std::move(states);
      asked->answered.cancel();
    });
  });
  co_await asked->answered.async_wait(asio::as_tuple(use_task));
  if (asked->states) co_return std::move(*asked->states);
  co_return std::vector<TargetState>(serving->config->targets.size());  // it stops: as if all were up and idle
}

/// Whose key it is. Without one, where some are configured, nobody's: conditions on team and key do not hold.
Result<Caller> caller_of(const Serving& serving, std::string_view api_key) {
  if (api_key.empty()) return Caller{};
  Result<Caller> caller = serving.keys.authenticate("Bearer " + std::string(api_key));
  if (caller) return caller;
  Error error = caller.error();
  error.http_status = 403;  // a 401 would be about the admin port itself
  return error;
}

}  // namespace

Task<AdminReply> answer_explain(Gateway& gateway, const AdminRequest& request) {
  Result<TypedRequest> typed = read_typed_request(request);
  if (!typed) co_return refusal_of(typed.error());
  const ServingPtr serving = gateway.serving();
  const Result<Caller> caller = caller_of(*serving, request.api_key);
  if (!caller) co_return refusal_of(caller.error());
  std::string& body = typed.value().body;
  body.reserve(body.size() + ChatParser::padding);
  ChatView chat;
  ClientBody map;
  ChatParser parser(serving->config->server.nesting_max);
  const Result<void> parsed = parser.parse(body, Surface::chat, chat, map);
  if (!parsed) co_return refusal_of(parsed.error());
  if (!may_use(caller.value(), chat.model)) {
    co_return refusal_of(
        fail(Fault::forbidden_model, "this key may not use the model '" + std::string(chat.model) + "'", "model"));
  }
  const std::vector<TargetState> states = co_await target_states_now(gateway, serving);
  std::vector<HeaderField> headers;
  for (const auto& [name, value] : typed.value().headers) headers.push_back({name, value});
  const Screening screening(chat, body);
  RequestFacts facts{
      &chat, classify(chat, serving->config->tiers, serving->scoring).complexity, headers, caller.value().team, caller.value().key, &screening};
  facts.arrived_us =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  facts.dice = static_cast<std::uint64_t>(facts.arrived_us);
  const Result<Plan> plan = decide(facts, *serving->config, states);
  AdminReply reply;
  reply.body = explain_json(facts, *serving->config, plan, *serving->scoring.model) + "\n";
  co_return reply;
}

}  // namespace tollgate
