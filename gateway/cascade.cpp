// What may follow an attempt that got an answer, on a cascade route: a check of it, and the next target.

#include <chrono>

#include "backends/native.hpp"
#include "gateway/exchange.hpp"

namespace tollgate {

namespace {
constexpr std::size_t checked_bytes_max = 1024 * 1024;  // checking a larger answer would hold up others for too long
}  // namespace

/// Whether a later target of the plan is worth asking: at least as capable, allowed, up, and within attempts_max.
bool Exchange::has_escalation() const {
  if (record_->row.attempts >= serving_->config->attempts_max || !total_.is_set()) return false;
  const double capability = plan_->steps[step_].target->capability;
  const auto now = std::chrono::steady_clock::now();
  for (std::size_t next = step_ + 1; next < plan_->steps.size(); ++next) {
    const Target& target = *plan_->steps[next].target;
    if (target.capability < capability || forbidden_by(facts(), *serving_->config, target) != NameId::none) continue;
    if (serving_->health_of(target).usable(now)) return true;
  }
  return false;
}

// Streams are passed on as they come: what has reached the client cannot be taken back, and holding a stream until its
// end would take from it what it is for.
bool Exchange::escalates(std::string_view answer) {
  if (plan_->rule == nullptr || !plan_->rule->cascade || chat_.stream || answer.size() > checked_bytes_max ||
      !has_escalation())
    return false;
  const bool native = answered_in() != ClientForm::openai;
  const std::string as_chat = native ? native_answer_as_chat(form_, answer) : std::string();
  const AnswerCheck check = check_answer(native ? std::string_view(as_chat) : answer, chat_);
  if (check == AnswerCheck::ok) return false;
  reactor_.routing_counts().escalated(plan_->route, check);
  kept_ = std::make_unique<KeptAnswer>();
  kept_->body.reserve(answer.size() + ChatParser::padding);
  kept_->body = answer;
  kept_->step = step_;
  kept_->check = check;
  kept_->masked = masks_;
  kept_->native = native;
  kept_->asked_metrics = body_map_.ask_metrics;
  return true;
}

/// No other target answered: an answer that failed its check is better than none, and the client is told.
Result<void> Exchange::reply_kept() {
  step_ = kept_->step;
  masks_ = kept_->masked;
  body_map_.ask_metrics = kept_->asked_metrics;
  kept_->sent = true;
  // It was kept in the client's form, whatever the target speaks; native: in its own.
  const Dialect& dialect = kept_->native ? dialect_for(serving_->config->backend_of(*plan_->steps[step_].target)) : dialect_of(DialectName::openai);
  TOLLGATE_TRY(const Answer answer, dialect.read_answer(surface_, kept_->body));
  if (inbound_) return send_inbound(kept_->body, answer.usage);
  return send_whole(answer, kept_->body);
}

std::string Exchange::reason() const {
  if (cache_ && cache_->served) return cached_reason();
  std::string said = hedged() + retried() + reason_text(*plan_, step_);
  if (!kept_) return said;
  const std::string failed = std::string(name_of(kept_->check));
  if (kept_->sent) return "kept though its check failed (" + failed + "): no other target answered; " + said;
  return "escalated: " + std::string(text(plan_->steps[kept_->step].target->id)) + " failed its check (" + failed +
         "); " + said;
}

}  // namespace tollgate
