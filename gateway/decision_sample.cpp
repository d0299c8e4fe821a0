// A request that is over, as the admin port shows it (gateway/decision_feed.hpp).

#include "gateway/exchange.hpp"
#include "router/explain.hpp"

namespace tollgate {

namespace {
constexpr std::size_t model_bytes_max = 120;
constexpr std::size_t sampled_bytes_max = 64 * 1024;  // larger requests are not sampled
}  // namespace

// The text of a streamed request is given up when its answer begins, and explaining takes longer than deciding: a copy
// waits for the end.
void Exchange::keep_for_sample() {
  if (record_ == nullptr || body_.size() > sampled_bytes_max || !reactor_.decisions().take_one()) return;
  sampled_body_ = std::make_unique<std::string>();
  sampled_body_->reserve(body_.size() + ChatParser::padding);
  sampled_body_->append(body_);
}

// `seen` is the request just before it was settled: its slot is not its own any more.
void Exchange::sample_decision(const OpenRequest& seen, const Result<void>& outcome, const RequestClosing& closing) {
  ChatView chat;
  ClientBody map;
  if (!reactor_.parser().parse(*sampled_body_, surface_, chat, map)) return;
  const Screening screening(chat, *sampled_body_);
  RequestFacts decided_on = facts();
  decided_on.chat = &chat;
  decided_on.screening = &screening;
  auto sample = std::make_shared<DecisionSample>();
  sample->request = seen.row;
  sample->request.result = closing.result;
  sample->request.http_status = static_cast<std::int16_t>(closing.http_status);
  sample->model = std::string(chat.model.substr(0, model_bytes_max));
  bool priced = true;
  for (unsigned i = 0; i < seen.row.attempts; ++i) {
    const AttemptRow& attempt = seen.attempts[i];
    sample->attempts.push_back(attempt);
    priced = priced && attempt.pricing != Pricing::unpriced;
  }
  if (priced) sample->cost = seen.total();
  using std::chrono::microseconds;
  sample->duration_us = std::chrono::duration_cast<microseconds>(closing.duration).count();
  if (closing.first_token.count() >= 0) {
    sample->first_token_us = std::chrono::duration_cast<microseconds>(closing.first_token).count();
  }
  if (cache_ && cache_->served) {
    sample->request.target = cache_->answer->target;
    sample->reason = cached_reason();
  } else if (plan_ && step_ < plan_->steps.size()) {
    sample->request.target = closing.answered_by != NameId::none ? closing.answered_by : plan_->steps[step_].target->id;
    sample->reason = reason();
  }
  if (!outcome) {
    if (seen.row.attempts == 0) sample->request.target = NameId::none;
    if (sample->reason.empty() || seen.row.attempts == 0) sample->reason = outcome.error().message;
  }
  const Result<Plan> plan =
      plan_ ? Result<Plan>(*plan_) : Result<Plan>(outcome ? fail(Fault::internal, "") : outcome.error());
  sample->explanation = explain_json(decided_on, *serving_->config, plan);
  reactor_.decisions().add(std::move(sample));
}

}  // namespace tollgate
