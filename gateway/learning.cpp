// What is kept of a request for learning: what routing saw of it, a look at the form of some answers, and a judgement
// of others (docs/routing/learning.md).

#include <algorithm>
#include <limits>

#include "gateway/answer_review.hpp"
#include "gateway/exchange.hpp"
#include "gateway/reactor.hpp"
#include "gateway/shadow_run.hpp"
#include "router/forecast.hpp"

namespace tollgate {
namespace {

constexpr std::uint64_t shadow_salt = 0x5AD0;  // so that the two shares are drawn apart

/// Whether this request is among a share of all, by its id: the same for everyone who asks.
bool is_among(RequestId id, double share, std::uint64_t salt = 0) noexcept {
  if (share <= 0) return false;
  auto x = (static_cast<std::uint64_t>(id) + salt) * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 32)) * 0xD6E8FEB86659FD93U;
  x ^= x >> 32;
  constexpr double steps = 9007199254740992.0;  // 2^53
  return static_cast<double>(x >> 11) < share * steps;
}

}  // namespace

void Exchange::note_features(const FeatureBlob& features) {
  if (!serving_->config->ledger.features || !generates_text(surface_) || record_ == nullptr) return;
  RequestNotes notes;
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  notes.input_tokens = static_cast<std::int32_t>(std::min(input_tokens_of(chat_).count(), most));
  if (chat_.output_tokens_max)
    notes.output_tokens_max = static_cast<std::int32_t>(std::clamp<std::int64_t>(*chat_.output_tokens_max, 0, most));
  if (chat_.tools > 0) notes.flags |= note_tools;
  if (chat_.images > 0) notes.flags |= note_images;
  if (chat_.json_output) notes.flags |= note_json;
  if (chat_.json_schema) notes.flags |= note_json_schema;
  notes.features = features;
  write_notes(*record_, notes);
}

void Exchange::choose_what_to_keep() {
  if (!generates_text(surface_) || record_ == nullptr) return;
  const Config& config = *serving_->config;
  const bool is_chosen = is_among(id_, config.format_checks.share) ||
                         (surface_ == Surface::chat && is_among(id_, config.shadow.share, shadow_salt));
  if (is_chosen) copy_ = std::make_unique<AnswerCopy>();
}

// After the client was served and the request settled: nobody waits for this.
void Exchange::review_answer() {
  if (!copy_ || !copy_->complete()) return;
  const bool judged = is_to_be_judged();
  if (is_among(id_, serving_->config->format_checks.share))
    check_form(judged ? copy_->bytes() : std::move(copy_->bytes()));
  if (judged) have_it_judged();
}

void Exchange::check_form(std::string answer) {
  AnswerReview::Job job;
  job.id = id_;
  job.books = &reactor_.books();
  job.written_in = answered_in();
  job.streamed = streaming_;
  job.surface = surface_;
  job.json_output = chat_.json_output;
  job.json_schema = chat_.json_schema;
  job.output_tokens_max = chat_.output_tokens_max;
  job.response_schema = chat_.response_schema;
  job.answer = std::move(answer);
  reactor_.review().submit(std::move(job));
}

bool Exchange::is_to_be_judged() const {
  const Config& config = *serving_->config;
  return surface_ == Surface::chat && is_among(id_, config.shadow.share, shadow_salt) &&
         is_shadowed(config, *plan_->steps[step_].target);
}

void Exchange::have_it_judged() {
  ShadowRuns& runs = reactor_.shadow_runs();
  const std::size_t bytes = std::max(body_.size(), inbound_ ? inbound_->text.size() : 0);
  if (chat_.images > 0 || chat_.audio > 0 || bytes > ShadowJob::body_bytes_max) return runs.count(ShadowEnd::unsuitable);
  auto job = std::make_unique<ShadowJob>();
  job->serving = serving_;
  job->id = id_;
  job->arrived_us = arrived_us_;
  job->model = serving_->recorded_model(chat_.model);
  job->team = caller_.team;
  job->key = caller_.key;
  job->complexity = complexity_;
  for (const HeaderField& field : head_.fields()) job->headers.emplace_back(field.name, field.value);
  job->streamed = streaming_;
  job->answer = std::move(copy_->bytes());
  job->answered_in = answered_in();
  job->form = form_;
  if (inbound_) job->own_words = std::move(inbound_->text);
  job->body = std::move(body_);
  runs.submit(std::move(job));
}

}  // namespace tollgate
