#pragma once
// One request and its answer. serve() walks the request's way once (docs/architecture.md): serve.cpp holds the order, forward.cpp the attempts,
// relay.cpp the answer's bytes. Everything a later step needs is a member, in the order it is learned; nothing changes it afterwards.
//
// Law: once a ledger slot is taken (record_), serve() settles it, whatever happens in between; settling never waits.

#include <memory>
#include <optional>
#include <string>

#include "backends/backends.hpp"
#include "gateway/answer_check.hpp"
#include "gateway/attempt_policy.hpp"
#include "gateway/answer_copy.hpp"
#include "backends/billed_time.hpp"
#include "gateway/cache_use.hpp"
#include "gateway/guards.hpp"
#include "gateway/inbound.hpp"
#include "gateway/pass_through.hpp"
#include "gateway/restore.hpp"
#include "gateway/session.hpp"
#include "metrics/metrics.hpp"
#include "router/mask.hpp"
#include "router/router.hpp"
#include "router/screening.hpp"

namespace tollgate {

/// On a cascade route: an answer that failed its check, kept until another target has answered.
struct KeptAnswer {
  std::string body;
  std::size_t step;            // of the plan: whose it is
  AnswerCheck check;
  bool masked;                 // its target was sent the masked request
  bool asked_metrics;          // its target was asked for timings, which the client does not get unless it asked too
  bool sent = false;           // after all
  bool native = false;         // in the client's own form, not in OpenAI's
};

class Exchange {
 public:
  Exchange(Session& session, ServingPtr serving, RequestHead& head);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();
  /// True: the connection may carry another request.
  Task<bool> serve();

 private:
  enum class Api : std::uint8_t { inference, models, count_tokens, feedback, passthrough };

  // serve.cpp
  Task<Result<void>> answer();
  Task<Result<void>> infer();
  Result<Caller> authenticate();
  Result<void> read_request();
  Result<void> decide_route();
  bool take_slot();
  Task<Result<void>> wait_for_slot();
  Result<Api> find_api();
  Task<void> refuse(const Error& error);
  Task<void> discard_body();
  void list_models();
  void settle(const Result<void>& outcome);
  void log_access(const Result<void>& outcome);
  void keep_for_sample();
  void sample_decision(const OpenRequest& seen, const Result<void>& outcome, const RequestClosing& closing);
  [[nodiscard]] RequestFacts facts() const;
  void note_decision();              // decision_note.cpp
  [[nodiscard]] bool keeps_alive() const;
  void reply_json(int status, std::string_view body, std::string_view extra);

  // inbound.cpp: clients that speak another protocol than OpenAI's chat completions
  Result<void> translate_request();
  Result<void> mask_inbound(PiiKinds kinds, Masked& masked, std::unique_ptr<InboundRequest>& made) const;
  Result<void> write_inbound(const Backend& backend, const Target& target, WireBody& wire);
  [[nodiscard]] const Dialect& dialect_for(const Backend& backend) const noexcept;
  [[nodiscard]] ClientForm answered_in() const noexcept;
  void begin_writing();
  Result<void> say(Pieces& events, std::string& memory);
  Result<void> say_end(Pieces& events, const Usage& usage, std::string& memory);
  Result<void> send_inbound(std::string_view body, const Usage& usage);
  [[nodiscard]] std::string refusal_body(const Error& error) const;
  [[nodiscard]] std::string stream_error(const Error& error) const;
  void list_models_as_anthropic();
  Task<Result<void>> count_tokens();
  Task<Result<std::string>> counted_upstream();
  Task<Result<std::string>> ask_for_count(const Step& step);

  // feedback.cpp
  Task<Result<void>> take_feedback();
  Task<Result<OutcomeResult>> record_feedback(const Outcome& outcome);

  // learning.cpp
  void note_features(const FeatureBlob& features);
  void choose_what_to_keep();
  void review_answer();
  void check_form(std::string answer);
  [[nodiscard]] bool is_to_be_judged() const;
  void have_it_judged();

  // admit.cpp
  [[nodiscard]] bool needs_admission() const;
  Task<Result<void>> admit();
  Task<Result<void>> take_rate();
  Task<Result<void>> look_again_in(std::chrono::milliseconds& pause);
  Task<Result<void>> wait_for_lease(std::size_t step);
  void weigh_steps(MonoTime now);
  void rule_out(std::size_t step, Why why, NameId by);
  Result<void> heed_cost_max();
  Task<Result<void>> take_hold();
  void heed_budgets(const Admission& admission);
  Result<void> afford(std::size_t step, const std::size_t* beside = nullptr);
  [[nodiscard]] AttemptCost cost_of(const AttemptRow& attempt) const;
  void charge_budgets(bool is_last);
  void give_back();
  void charge_unheld();
  [[nodiscard]] std::int64_t tokens_used() const;
  [[nodiscard]] Payer payer() const;
  void append_admission_headers(std::string& lines) const;

  // forward.cpp
  Task<Result<void>> forward();
  Task<Result<void>> attempt(const Step& step);
  Result<bool> may_attempt(std::size_t step, Error& last);
  Result<void> prepare_mask(const MaskOrder& order);
  void begin_attempt(const Target& target);
  EngineLoad::Ticket note_begun(const Target& target);
  void finish_attempt(const Target& target, const EngineLoad::Ticket& ticket, Result<void>& outcome, AttemptEnd& end);
  Task<Result<void>> answer_from(const Step& step, AttemptEnd& end);
  Task<Result<void>> begin_answer(const Step& step, AttemptEnd& end, bool& event_stream);
  Task<Result<void>> rest_of_answer(const Step& step, bool event_stream, AttemptEnd& end);
  Task<Result<AnswerHead>> start_call(const Step& step);
  /// What goes out, and what it is made of; must live until the answer's head has come.
  struct Outgoing {
    WireBody wire;
    Call call;
    std::string translated;
  };
  Result<void> write_call(const Step& step, Outgoing& out);
  void open_call(const Step& step);
  void note_dropped(const WireBody& wire);
  static Task<std::string> refusal_text(Transfer& transfer);
  [[nodiscard]] Error refusal(const AnswerHead& head, const Dialect& dialect, const std::string& body) const;
  [[nodiscard]] bool may_go_elsewhere(MonoTime now) const;
  void learn_first_answer();
  void judge(const Target& target, const Result<void>& outcome);
  void count_outcome(TargetHealth& health, bool failed) const;
  void end_attempt(AttemptEnd& end);
  void note_service(const Target& target);
  [[nodiscard]] bool escalates(std::string_view answer);
  [[nodiscard]] bool has_escalation() const;
  Result<void> reply_kept();
  void remember_turn(const AttemptEnd& end);
  [[nodiscard]] std::string reason() const;
  void note_billed_header(const Backend& backend, const AnswerHead& head, AttemptEnd& end) const;
  [[nodiscard]] EngineLoad::Ticket enter_engine(const Target& target) const;
  void leave_engine(const Target& target, const EngineLoad::Ticket& ticket, const AttemptEnd& end) const;
  [[nodiscard]] Usage estimated(std::uint64_t answer_bytes) const;
  static void client_left(void* self);
  static void out_of_time(void* self);

  // hedge.cpp
  struct Leg;
  struct Race;
  class Within;
  [[nodiscard]] bool may_hedge() const;
  Task<Result<void>> attempt_hedged();
  void start_leg(Leg& leg);
  void heed_legs();
  bool begin_second();
  [[nodiscard]] bool may_hedge_at(std::size_t step, MaskOrder& order);
  [[nodiscard]] bool would_wake(const Target& target, MonoTime now) const;
  void decide_for(std::uint8_t leg);
  void comment_for(std::uint8_t leg);
  [[nodiscard]] bool hedge_won() const;
  Task<Result<void>> take_answer_of(std::uint8_t leg);
  Result<void> end_race(std::uint8_t leg);
  void remember_failure(const Leg& leg);
  Result<void> cut_race_short(const Error& why);
  void settle_leg(Leg& leg, const Error& why);
  void note_leg_usage(Leg& leg, const Error& why);
  void count_hedge(const Error* failed);
  [[nodiscard]] std::chrono::milliseconds hedge_after(const Target& target) const;
  [[nodiscard]] std::string hedged() const;
  void abort_race(Fault why);
  Task<void> race_over();
  // hedge_leg.cpp
  Task<void> run_leg(Leg& leg);
  Task<Result<void>> first_answer(Leg& leg);
  Task<Result<AnswerHead>> start_leg_call(Leg& leg);
  Task<Result<void>> until_first_token(Leg& leg);
  Task<Result<void>> until_whole(Leg& leg);
  Result<void> take_chunk(Leg& leg, std::string_view bytes);
  Result<void> check_whole(Leg& leg);
  // cached.cpp
  void consult_cache();
  [[nodiscard]] const AttemptRow* answering_attempt() const;
  [[nodiscard]] bool may_give(const CachedAnswer& answer) const;
  Result<void> reply_cached();
  [[nodiscard]] std::string cost_member() const;
  bool take_cost_out();
  void store_answer();
  void note_cached(RequestClosing& closing) const;
  void count_cache();
  [[nodiscard]] std::string cached_reason() const;
  [[nodiscard]] std::chrono::seconds cached_age() const;
  void append_cache_headers(std::string& lines) const;

  // pass_through.cpp
  Result<std::optional<Api>> find_passed();
  Task<Result<void>> pass_through();
  Task<Result<void>> read_form_body();
  Task<Result<void>> read_plain_body();
  Result<void> look_at_json();
  Result<void> look_at_form(const FormParts& parts);
  Result<void> look_at_field(const FormPart& field);
  [[nodiscard]] Result<void> may_name(std::string_view model) const;
  Result<void> decide_passed();
  [[nodiscard]] Result<NameId> holder_of_object() const;
  [[nodiscard]] Result<NameId> holder_of_files() const;
  Result<void> keep_named_files();
  Result<void> keep_permitted();
  Result<void> keep_one_place(NameId holder);
  // pass_relay.cpp
  Result<void> write_passed(const Step& step, Outgoing& out);
  void write_passed_body(const Target& target, WireBody& wire);
  [[nodiscard]] bool may_repeat(const Error& error) const;
  Task<Result<void>> relay_passed(AttemptEnd& end);
  Task<Result<void>> pump_passed(AttemptEnd& end);
  [[nodiscard]] bool is_short_and_whole(std::string_view first) const;
  Task<Result<void>> relay_description(AttemptEnd& end);
  void note_objects(std::string& body);
  void note_object(std::string_view id);
  void take_passed_usage(AttemptEnd& end) const;
  bool send_passed(std::string_view bytes, bool last);
  void begin_passed_reply(std::string& text, std::optional<std::size_t> length, bool with_cost);
  [[nodiscard]] std::string_view whole_events(std::string_view bytes, bool last);

  // again.cpp
  [[nodiscard]] RetryRules retry_rules(const Step& step) const;
  AttemptPolicy& policy(std::size_t step);
  AttemptPolicy::Move after_skip(std::size_t step);
  AttemptPolicy::Move after_failure(std::size_t step, const Error& error);
  void count_retry(NameId target, bool with_other_key);
  Task<void> pause(std::chrono::milliseconds time);
  [[nodiscard]] std::pair<unsigned, RowResult> earlier_attempts() const;
  [[nodiscard]] std::string retried() const;
  bool may_fit_elsewhere(std::size_t step, const Error& error);

  // upstream_limits.cpp
  void choose_key(const Target& target);
  [[nodiscard]] bool has_other_key(const Target& target) const;
  void note_limits(const Target& target, const AnswerHead& head);
  bool blames_key(const Target& target, const Error& error);
  [[nodiscard]] std::chrono::microseconds limited_for(const Target& target) const;
  bool heed_limit(std::size_t step, Error& why);

  // relay.cpp
  Task<Result<void>> whole(const Dialect& dialect, AttemptEnd& end);
  Result<void> reply_whole(const Dialect& dialect, std::string_view body, AttemptEnd& end);
  Result<void> send_as_stream(std::string_view body, const Usage& usage);
  Result<void> send_whole(const Answer& answer, std::string_view body);
  Task<Result<void>> relay(StreamReader& reader, AttemptEnd& end);
  Task<Result<void>> pump(StreamReader& reader);
  bool pass_on(StreamReader& reader, const Result<std::string_view>& read, Result<void>& outcome);
  void end_stream(StreamReader& reader, AttemptEnd& end, Result<void>& outcome);
  void take_usage(StreamReader& reader, bool finished, const Result<void>& outcome, AttemptEnd& end);
  [[nodiscard]] static bool nothing_answered(const StreamReader& reader, const Result<void>& outcome);
  void note_progress(StreamReader& reader);
  [[nodiscard]] const BilledSeconds* billed_json() const;
  void note_timings(const EngineTimings& timings) const;
  Result<void> restore(Pieces& events, bool at_end, std::string& memory);
  bool send_events(std::span<const std::string_view> events, bool last);
  bool write_events(std::span<const std::string_view> events, bool last);
  void send_stream_error(const Error& error);
  void append_tollgate_headers(std::string& lines, bool with_cost) const;
  static void silence(void* self);

  Session& session_;
  Reactor& reactor_;
  ClientConnection& client_;
  ServingPtr serving_;
  RequestHead& head_;
  MonoTime arrived_;
  std::int64_t arrived_us_;
  RequestId id_;
  RequestIdText id_text_;
  Surface surface_ = Surface::chat;
  ClientForm form_ = ClientForm::openai;     // what the client speaks
  bool body_read_ = false;
  Caller caller_;
  std::string body_;                         // a chat completion in any case: of other forms it is the translation
  std::unique_ptr<Inbound> inbound_;         // absent: form_ is OpenAI's
  MonoTime read_at_;                         // the whole request was there
  ChatView chat_;
  ClientBody body_map_;
  std::optional<Screening> screening_;       // what the text holds, for constraints and routes
  /// The request as targets outside a masking constraint get it; made when the first of them is asked.
  struct MaskedRequest {
    Masked masked;
    PiiKinds kinds;
    ChatView chat;
    ClientBody map;
    std::unique_ptr<InboundRequest> inbound;  // instead of the two, if the client speaks another protocol
  };
  std::unique_ptr<MaskedRequest> masked_;
  bool masks_ = false;                       // the attempt under way, or the last, is sent masked_
  std::unique_ptr<Restorer> restorer_;       // of that attempt, if its answer gets the values back
  OpenRequest* record_ = nullptr;
  Complexity complexity_;
  std::optional<Plan> plan_;
  std::unique_ptr<PassedRequest> passed_;    // absent: it is read and answered as a chat
  std::unique_ptr<CacheUse> cache_;          // absent: the route does not use the response cache
  std::unique_ptr<Admitted> admitted_;       // absent: neither budgets nor limits concern it
  std::size_t step_ = 0;                     // of the plan: the attempt under way or the last
  std::uint64_t conversation_ = 0;           // 0: none that could be known again
  RequestFacts::Conversation last_turn_;
  std::unique_ptr<KeptAnswer> kept_;         // failed its check; sent if no other target answers
  std::unique_ptr<AttemptPolicy> policy_;    // once an attempt has failed
  std::unique_ptr<Race> race_;               // of a first attempt on a route that hedges
  Timer* pause_ = nullptr;                   // between two attempts
  std::unique_ptr<Transfer> transfer_;
  Deadline total_;                           // over all attempts
  Deadline silence_;                         // toward the client: time for a comment
  std::int64_t first_token_us_ = 0;
  MonoTime sent_at_{}, answered_at_{};       // first upstream send; upstream's whole answer there
  MonoTime first_byte_at_{};
  bool replied_ = false;                     // a first byte went to the client: no other target may be asked
  bool streaming_ = false;                   // that byte was a stream's head
  bool error_passed_on_ = false;             // the upstream's own error event went to the client
  bool attempt_open_ = false;
  std::uint8_t number_ = 0;                  // of the attempt under way or the last: its row
  TargetHealth::Pass pass_ = TargetHealth::Pass::usual;   // with which it was admitted
  bool keep_ = true;
  MonoTime progress_at_{};
  std::unique_ptr<AnswerCopy> copy_;         // of the answer, if it will be looked at
  std::unique_ptr<BilledTimeScan> billed_;   // of a stream whose provider says in it what it bills
  std::string dropped_;                      // members that this attempt's dialect left out, for the client to know
  std::unique_ptr<std::string> sampled_body_;  // a copy: this request is shown on the live page (decision_sample.cpp)
  std::string cost_text_;                    // of the request so far; "unknown" if an attempt has no price
  int status_ = 0;                           // what the client got
  std::uint8_t key_ = 0;                     // of the backend's keys: the one this attempt carries
  bool other_key_ = false;                   // that key failed, and another may be tried at once
};

}  // namespace tollgate
