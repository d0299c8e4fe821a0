#include "gateway/feedback.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "config/decimal.hpp"
#include "gateway/exchange.hpp"
#include "metrics/records.hpp"

namespace tollgate {
namespace {

using Json = nlohmann::json;
constexpr std::int32_t ppm = 1'000'000;
constexpr std::int64_t fresh_us = 10'000'000;  // of a request that may just be ending
constexpr int fresh_tries = 5;
constexpr std::chrono::milliseconds fresh_wait{100};

Error refuse_member(const char* member, const std::string& why) {
  return fail(Fault::bad_request, "'" + std::string(member) + "' " + why, member);
}

Result<void> check_members(const Json& body) {
  for (const auto& [name, value] : body.items()) {
    if (name != "request_id" && name != "rating" && name != "score" && name != "comment") {
      return fail(Fault::bad_request,
                  "'" + name.substr(0, 64) + "' is no member of feedback; it has request_id, rating, score and comment",
                  name.substr(0, 64));
    }
  }
  return success();
}

Result<RequestId> read_request_id(const Json& body) {
  const auto found = body.find("request_id");
  if (found == body.end())
    return refuse_member("request_id", "is missing; it is the x-tollgate-request-id of the answer");
  const auto id = found->is_string() ? request_id_of(found->get_ref<const std::string&>()) : std::nullopt;
  if (!id) return refuse_member("request_id", "must be the x-tollgate-request-id of an answer, such as req_01ABC…");
  return *id;
}

Result<std::optional<OutcomeVerdict>> read_rating(const Json& body) {
  const auto found = body.find("rating");
  if (found == body.end() || found->is_null()) return std::optional<OutcomeVerdict>();
  if (*found == "good") return std::optional(OutcomeVerdict::good);
  if (*found == "bad") return std::optional(OutcomeVerdict::bad);
  return refuse_member("rating", "must be \"good\" or \"bad\"");
}

Result<std::optional<std::int32_t>> read_score(const Json& body) {
  const auto found = body.find("score");
  if (found == body.end() || found->is_null()) return std::optional<std::int32_t>();
  const double score = found->is_number() ? found->get<double>() : -1;
  if (!(score >= 0 && score <= 1)) return refuse_member("score", "must be a number from 0 (useless) to 1 (perfect)");
  return std::optional(static_cast<std::int32_t>(std::lround(score * ppm)));
}

Result<std::string> read_comment(const Json& body) {
  const auto found = body.find("comment");
  if (found == body.end() || found->is_null()) return std::string();
  if (!found->is_string()) return refuse_member("comment", "must be a string");
  std::string comment = found->get<std::string>();
  if (comment.size() > feedback_comment_bytes_max) {
    return refuse_member("comment", "is longer than " + std::to_string(feedback_comment_bytes_max) + " bytes");
  }
  return comment;
}

Error no_such_request() {
  Error error = fail(Fault::not_found,
                     "no finished request of this key has this id; a rating is taken from the key that made the "
                     "request, once its answer has ended and as long as the ledger keeps it",
                     "request_id");
  error.code = "request_not_found";
  return error;
}

/// What the ledger thread says, on its way back to the reactor.
struct Waiting {
  explicit Waiting(asio::io_context& context) : told(context.get_executor(), Timer::time_point::max()) {}
  Timer told;
  OutcomeResult result = OutcomeResult::not_writable;
};

}  // namespace

Result<Outcome> parse_feedback(std::string_view text, bool comments) {
  if (text.size() > feedback_bytes_max) {
    return fail(Fault::too_large, "feedback may have " + std::to_string(feedback_bytes_max) + " bytes");
  }
  constexpr int depth_max = 4;
  bool too_deep = false;
  const auto look = [&too_deep](int depth, Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > depth_max;
    return !too_deep;
  };
  const Json body = Json::parse(text, look, false);
  if (body.is_discarded() || too_deep || !body.is_object()) {
    return fail(Fault::bad_request,
                "the body must be a JSON object such as {\"request_id\": \"req_…\", \"rating\": \"good\"}");
  }
  TOLLGATE_TRY(check_members(body));
  Outcome outcome;
  TOLLGATE_TRY(outcome.request, read_request_id(body));
  TOLLGATE_TRY(const std::optional<OutcomeVerdict> rating, read_rating(body));
  TOLLGATE_TRY(outcome.score_ppm, read_score(body));
  TOLLGATE_TRY(std::string comment, read_comment(body));
  if (!rating && !outcome.score_ppm) {
    return fail(Fault::bad_request, "one of 'rating' (\"good\" or \"bad\") and 'score' (0 to 1) is needed", "rating");
  }
  const bool good = rating ? *rating == OutcomeVerdict::good : *outcome.score_ppm >= ppm / 2;
  outcome.verdict = good ? OutcomeVerdict::good : OutcomeVerdict::bad;
  outcome.source = OutcomeSource::feedback;
  if (comments) outcome.comment = std::move(comment);
  return outcome;
}

/// One try to record it; the ledger thread's word.
Task<Result<OutcomeResult>> Exchange::record_feedback(const Outcome& outcome) {
  const auto waiting = std::make_shared<Waiting>(reactor_.context());
  const OutcomeDone done = [waiting, &context = reactor_.context()](OutcomeResult result) {
    asio::post(context, [waiting, result] {
      waiting->result = result;
      waiting->told.cancel();
    });
  };
  if (!reactor_.books().record(outcome, done)) {
    co_return fail(Fault::ledger_full, "too many ratings wait to be written; try again shortly");
  }
  co_await waiting->told.async_wait(asio::as_tuple(use_task));
  co_return waiting->result;
}

// The answer comes when the rating is durable. A client may have its answer, and rate it, a moment before its request is settled.
Task<Result<void>> Exchange::take_feedback() {
  TOLLGATE_CO_TRY(Outcome outcome, parse_feedback(body_, serving_->config->feedback.comments));
  outcome.key = caller_.key;
  outcome.at_us = arrived_us_;
  const Json said{{"object", "feedback"},
                  {"request_id", std::string(text(outcome.request).view())},
                  {"rating", name_of(outcome.verdict)},
                  {"score", outcome.score_ppm ? Json(static_cast<double>(*outcome.score_ppm) / ppm) : Json()}};
  const bool fresh = outcome.request >= lowest_request_id_at(arrived_us_ - fresh_us);
  Result<OutcomeResult> recorded = OutcomeResult::unknown;
  for (int tries = fresh ? fresh_tries : 1; tries > 0; --tries) {
    recorded = co_await record_feedback(outcome);
    if (!recorded) co_return recorded.error();
    if (recorded.value() != OutcomeResult::unknown || tries == 1) break;
    Timer pause(reactor_.context().get_executor(), fresh_wait);
    co_await pause.async_wait(asio::as_tuple(use_task));
  }
  switch (recorded.value()) {
    case OutcomeResult::unknown:
      co_return no_such_request();
    case OutcomeResult::not_writable:
      co_return fail(Fault::ledger_full, "the ledger cannot be written; nothing was recorded (see /readyz)");
    case OutcomeResult::recorded:
    case OutcomeResult::unchanged:
      break;
  }
  Json answer = said;
  answer["changed"] = recorded.value() == OutcomeResult::recorded;
  reply_json(200, answer.dump(), {});
  co_return success();
}

}  // namespace tollgate
