// The response cache on a request's way: asked when it is decided, before anything is spent; filled when an answer is complete.
// A hit is an attempt in the sense of the constraints: the answer came from a target, and this request gets it only if it could have
// been sent there now, in the same form.

#include <algorithm>
#include <chrono>

#include "config/decimal.hpp"
#include "gateway/answer_check.hpp"
#include "gateway/cache_key.hpp"
#include "gateway/exchange.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace {

constexpr std::string_view not_cached_cost = "\"cost\":", cached_cost = "\"cost\":0,\"cached\":true";

/// Reasons that keep a target from being asked now, and say nothing of the answer it gave before.
bool is_passing(Why why) noexcept {
  switch (why) {
    case Why::breaker_open:
    case Why::unreachable:
    case Why::draining:
    case Why::saturated:
    case Why::first_token:
    case Why::deadline:
    case Why::rate_limited:
    case Why::ejected:
    case Why::connecting:
      return true;
    default:
      return false;
  }
}

/// The target by that name if this request may be answered by it, now or when it is up again.
const Target* eligible(const Plan& plan, NameId id) noexcept {
  for (const Step& step : plan.steps) {
    if (step.target->id == id) return step.target;
  }
  for (const RuledOut& out : plan.ruled_out) {
    if (out.target->id == id && is_passing(out.why)) return out.target;
  }
  return nullptr;
}

}  // namespace

/// After the decision, before anything is held for it. What it finds is sent by reply_cached().
void Exchange::consult_cache() {
  const RouteCache& rule = *plan_->rule->cache;
  cache_ = std::make_unique<CacheUse>();
  CacheAsked asked;
  asked.form = form_;
  asked.surface = surface_;
  asked.stream = body_map_.stream;
  asked.wants_cost = body_map_.wants_cost;
  asked.team = caller_.team;
  asked.route = plan_->route;
  if (rule.scope == RouteCache::Scope::key) asked.key = caller_.key;
  if (form_ == ClientForm::messages) asked.beta = head_.field("anthropic-beta");
  const std::optional<CacheKey> key = cache_key(asked, inbound_ ? std::string_view(inbound_->text) : std::string_view(body_));
  if (!key || (!rule.sampled && !key->deterministic && surface_ != Surface::embeddings)) return;
  const CacheWishes wishes = cache_wishes(head_.fields());
  cache_->key = key->hash;
  cache_->stores = !wishes.no_store;
  cache_->bytes_max = serving_->config->cache.answer_bytes_max;
  cache_->schema = chat_.response_schema;
  if (wishes.no_cache) return;
  cache_->result = CacheResult::miss;
  const std::chrono::milliseconds age = wishes.max_age ? std::min<std::chrono::milliseconds>(rule.max_age, *wishes.max_age) : rule.max_age;
  AnswerPtr found = reactor_.response_cache().find(cache_->key, std::chrono::steady_clock::now(), age);
  if (!found || !may_give(*found)) return;
  cache_->answer = std::move(found);
}

bool Exchange::may_give(const CachedAnswer& answer) const {
  const Target* const target = eligible(*plan_, answer.target);
  if (target == nullptr || serving_->meaning[serving_->index_of(*target)] != answer.target_meaning) return false;
  const Permission permission = permits(facts(), *serving_->config, *target);
  if (permission.forbidden_by != NameId::none || permission.mask.kinds != answer.masked) return false;
  return !answer.masked.any() || permission.mask.restore == answer.restored;
}

Result<void> Exchange::reply_cached() {
  const CachedAnswer& answer = *cache_->answer;
  cache_->result = CacheResult::hit;
  cache_->served = true;
  cache_->stores = false;
  cost_text_ = "0";
  copy_.reset();                               // what is looked at afterwards was looked at when it was given first
  if (!answer.stream) {
    Answer whole;
    whole.usage_close = answer.cost_at;
    return send_whole(whole, answer.bytes);
  }
  const std::string_view bytes = answer.bytes;
  const bool puts_cost = body_map_.wants_cost && answer.cost_at != 0;
  const std::string cost = !puts_cost ? std::string() : (answer.cost_leads ? "" : ",") + std::string(cached_cost);
  const std::string_view pieces[] = {bytes.substr(0, answer.cost_at), cost, bytes.substr(answer.cost_at)};
  if (!send_events(pieces, true)) return fail(Fault::client_gone, "");
  return success();
}

/// What stands for usage.cost in a whole answer.
std::string Exchange::cost_member() const {
  if (cache_ && cache_->served) return "," + std::string(cached_cost);
  return "," + std::string(not_cached_cost) + (cost_text_ == "unknown" ? "null" : cost_text_);
}

/// The end of a stream that asked for its cost holds it: it is taken out, for the next one costs nothing.
bool Exchange::take_cost_out() {
  const std::string cost = std::string(not_cached_cost) + (cost_text_ == "unknown" ? "null" : cost_text_) + "}";
  std::size_t at = cache_->bytes.rfind(cost);
  if (at == std::string::npos) return cache_->bytes.find("\"usage\":{") == std::string::npos;   // it has no usage
  const bool leads = cache_->bytes[at - 1] != ',';
  if (!leads) --at;
  cache_->bytes.erase(at, cost.size() - 1 + (leads ? 0 : 1));
  cache_->cost_at = at;
  cache_->cost_leads = leads;
  return true;
}

/// The attempt whose answer the client got; nullptr: none went well.
const AttemptRow* Exchange::answering_attempt() const {
  for (unsigned i = record_->row.attempts; i > 0; --i) {
    const AttemptRow& attempt = record_->attempts[i - 1];
    if (attempt.result.is_ok() && attempt.target == plan_->steps[step_].target->id) return &attempt;
  }
  return nullptr;
}

/// Only an answer that is whole, was asked for in this way, and is none that would be asked for again. Before the request is settled.
void Exchange::store_answer() {
  const bool complete = cache_->stores && !cache_->served && !cache_->bytes.empty() && status_ == 200 && !(kept_ && kept_->sent);
  const AttemptRow* const attempt = complete ? answering_attempt() : nullptr;
  if (attempt == nullptr) return;
  ChatView asked;                              // without max_tokens: an answer that ends there is cut off as well
  asked.surface = surface_;
  asked.json_output = chat_.json_output;
  asked.json_schema = chat_.json_schema;
  asked.response_schema = cache_->schema;
  if (surface_ != Surface::embeddings && check_answer(answer_as_chat(form_, streaming_, cache_->bytes), asked) != AnswerCheck::ok) return;
  if (streaming_ && body_map_.wants_cost && !take_cost_out()) return;
  const Target& target = *plan_->steps[step_].target;
  auto made = std::make_shared<CachedAnswer>();
  made->bytes = std::move(cache_->bytes);
  made->bytes.shrink_to_fit();
  made->stream = streaming_;
  made->target = target.id;
  made->target_meaning = serving_->meaning[serving_->index_of(target)];
  if (masks_) made->masked = masked_->kinds;
  made->restored = masks_ && restorer_ != nullptr;
  made->swaps = masks_ ? masked_->masked.swaps.size() : 0;
  made->origin = id_;
  if (attempt->pricing != Pricing::unpriced) made->charged = attempt->charge.total();
  made->cost_at = cache_->cost_at;
  made->cost_leads = cache_->cost_leads;
  made->dropped = dropped_;
  made->made_at = std::chrono::steady_clock::now();
  reactor_.response_cache().put(cache_->key, std::move(made));
}

void Exchange::note_cached(RequestClosing& closing) const {
  const CachedAnswer& answer = *cache_->answer;
  closing.cached.from = answer.target;
  closing.cached.origin = answer.origin;
  closing.cached.saved = answer.charged;
  closing.cached.masked = answer.masked.any();
}

void Exchange::count_cache() {
  CacheCounts& counts = reactor_.cache_counts();
  counts.asked(plan_->route, cache_->result);
  if (cache_->served) counts.saved(cache_->answer->target, caller_.team, cache_->answer->charged);
}

/// "answered from memory: simulated-gpu/llama-70b gave it 12 s ago; saves $0.0024"
std::string Exchange::cached_reason() const {
  const CachedAnswer& answer = *cache_->answer;
  const std::string saves = answer.charged ? "saves $" + decimal_text(*answer.charged) : "what it saves is not known";
  return "answered from memory: " + std::string(text(answer.target)) + " gave it " + std::to_string(cached_age().count()) + " s ago; " + saves;
}

std::chrono::seconds Exchange::cached_age() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - cache_->answer->made_at);
}

void Exchange::append_cache_headers(std::string& lines) const {
  append_header(lines, "x-tollgate-cache", name_of(cache_->result));
  if (!cache_->served) return;
  append_header(lines, "age", std::to_string(cached_age().count()));
}

}  // namespace tollgate
