#include "simulate/rules.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "router/complexity.hpp"

namespace tollgate::simulate {
namespace {

// No header of a request and no model's name can hold these bytes.
constexpr std::string_view header_prefix = "\x01question ";
constexpr std::string_view model_prefix = "\x02;";

std::uint64_t bit_of(const std::vector<std::string>& questions, const std::string& question) {
  const auto found = std::find(questions.begin(), questions.end(), question);
  const auto index = static_cast<std::size_t>(found - questions.begin());
  return found == questions.end() || index >= AskedFacts::questions_max ? 0 : std::uint64_t{1} << index;
}

}  // namespace

Rules::Rules(ConfigPtr config) : original_(std::move(config)), rewritten_(*original_) {
  for (Constraint& constraint : rewritten_.constraints) rewrite(constraint.when);
  for (Route& route : rewritten_.routes) rewrite(route.when);
}

std::size_t Rules::number_of(Question question) {
  const auto found = std::find_if(questions_.begin(), questions_.end(), [&](const Question& known) {
    return known.any_of == question.any_of && known.presence == question.presence && known.pii == question.pii;
  });
  if (found != questions_.end()) return static_cast<std::size_t>(found - questions_.begin());
  question.header = std::string(header_prefix) + std::to_string(questions_.size());
  questions_.push_back(std::move(question));
  return questions_.size() - 1;
}

void Rules::rewrite(Condition& when) {
  std::vector<Question> asked;
  for (AskedPart& part : asked_parts(when)) {
    Question question;
    question.any_of = std::move(part.any_of);
    question.presence = std::move(part.presence);
    asked.push_back(std::move(question));
  }
  if (when.pii.any()) {
    Question question;
    question.pii = when.pii;
    asked.push_back(std::move(question));
  }
  when.headers.clear();
  when.metadata.clear();
  when.users.clear();
  when.keywords.reset();
  when.pii = {};
  for (Question& question : asked) when.headers.push_back({questions_[number_of(std::move(question))].header, {}});
  // A name that is not configured is recorded as "other": which patterns it fitted is a question, and the name then says so itself.
  const std::vector<std::string> patterns = when.models;
  for (const std::string& pattern : patterns) {
    if (!is_pattern(pattern)) continue;
    Question question;
    question.any_of = {"model:" + pattern};
    question.is_model = true;
    when.models.push_back(std::string(model_prefix) + "*;" + std::to_string(number_of(std::move(question))) + ";*");
  }
}

const Rules::Translation& Rules::translation_of(NameId asked) const {
  std::unique_ptr<Translation>& made = translations_[asked];
  if (made) return *made;
  made = std::make_unique<Translation>();
  const nlohmann::json parsed = nlohmann::json::parse(text(asked), nullptr, false);
  const auto strings = [&](const char* member) {
    std::vector<std::string> list;
    if (!parsed.is_object() || !parsed.contains(member) || !parsed[member].is_array()) return list;
    for (const auto& each : parsed[member]) list.push_back(each.is_string() ? each.get<std::string>() : std::string());
    return list;
  };
  const std::vector<std::string> recorded = strings("questions");
  for (const Question& question : questions_) {
    Translation::Answer answer;
    answer.complete = true;
    for (const std::string& each : question.any_of) {
      const std::uint64_t bit = bit_of(recorded, each);
      answer.any_of |= bit;
      answer.complete = answer.complete && bit != 0;
    }
    if (!question.presence.empty()) answer.presence = bit_of(recorded, question.presence);
    made->answers.push_back(answer);
  }
  made->target_names = strings("targets");
  made->targets.fill(-1);
  for (std::size_t i = 0; i < made->target_names.size() && i < made->targets.size(); ++i) {
    const Target* const target = rewritten_.find_target(made->target_names[i]);
    if (target != nullptr) made->targets[i] = static_cast<std::int16_t>(target - rewritten_.targets.data());
  }
  return *made;
}

namespace {
/// Texts of which so much cannot be read: nothing, or a part.
ChatView with_text_bytes(std::uint64_t bytes) {
  ChatView chat;
  chat.text_bytes = bytes;
  return chat;
}
}  // namespace

Replayed::Replayed(const Rules& rules)
    : rules_(rules),
      readable_(with_text_bytes(0)),
      unreadable_(with_text_bytes(1)),
      text_readable_(readable_, {}),
      text_unreadable_(unreadable_, {}) {}

Replayed::Answer Replayed::answer(std::size_t number) const noexcept {
  const Rules::Question& question = rules_.questions_[number];
  const DecisionFacts& facts = recorded_->facts;
  if (question.is_model && text(recorded_->model) != "other") return Answer::no;   // its real name is compared
  if (translation_ == nullptr) return Answer::unknown;
  if (question.pii.any()) {
    if ((facts.flags & (fact_screened | fact_unreadable)) == 0) return Answer::unknown;
    if ((facts.flags & fact_unreadable) != 0) return Answer::yes;
    return (PiiKinds::from_bits(facts.pii) & question.pii).any() ? Answer::yes : Answer::no;
  }
  const Rules::Translation::Answer& how = translation_->answers[number];
  if ((facts.held & facts.known & how.any_of) != 0) return Answer::yes;
  if (how.complete && (facts.known & how.any_of) == how.any_of) return Answer::no;
  if (how.presence != 0 && (facts.known & how.presence) != 0 && (facts.held & how.presence) == 0) return Answer::no;
  return Answer::unknown;
}

void Replayed::assign(const RecordedRequest& recorded, const RecordedTry* tries) {
  recorded_ = &recorded;
  const DecisionFacts& facts = recorded.facts;
  translation_ = recorded.has_facts ? &rules_.translation_of(facts.asked) : nullptr;
  chat_.stream = recorded.stream;
  chat_.surface = recorded.surface;
  chat_.choices = 1;
  chat_.output_tokens_max.reset();
  chat_.service_tier = {};
  float score = recorded.score;
  if (recorded.has_facts) {
    score = facts.score;
    chat_.text_bytes = facts.text_bytes;
    chat_.messages = facts.messages;
    chat_.tools = facts.tools;
    chat_.images = facts.images;
    chat_.tool_calls = (facts.flags & fact_tool_turns) != 0 ? 1 : 0;
    chat_.choices = facts.choices;
    chat_.json_output = (facts.flags & fact_json) != 0;
    chat_.json_schema = (facts.flags & fact_json_schema) != 0;
    chat_.service_tier = name_of(facts.service_tier);
    if ((facts.flags & fact_output_max) != 0) chat_.output_tokens_max = facts.output_tokens_max;
  } else {
    // Of older rows the size is known by what the answering target counted, else by the body.
    std::int64_t tokens = 0;
    for (std::uint8_t i = 0; i < recorded.tries; ++i) tokens = std::max(tokens, tries[i].usage.total_input().count());
    chat_.text_bytes = tokens > 0 ? 4 * static_cast<std::uint64_t>(tokens) : static_cast<std::uint64_t>(std::max(recorded.input_bytes, 0));
    chat_.messages = chat_.tools = chat_.images = chat_.tool_calls = 0;
    chat_.json_output = chat_.json_schema = false;
  }
  answers_.resize(rules_.questions_.size());
  unknown_ = translation_ == nullptr ? 1 : 0;
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    answers_[i] = answer(i);
    if (answers_[i] == Answer::unknown) ++unknown_;
  }
  facts_ = RequestFacts{&chat_, {score, tier_of(score, rules_.config().tiers)}, {}, recorded.team, recorded.key, nullptr};
  facts_.screening = (facts.flags & fact_unreadable) != 0 && recorded.has_facts ? &text_unreadable_ : &text_readable_;
  facts_.arrived_us = recorded.arrived_us;
  facts_.dice = static_cast<std::uint64_t>(recorded.id);
  built_ = false;
}

const RequestFacts& Replayed::facts(Unknown unknown) {
  if (built_ && (built_for_ == unknown || unknown_ == 0)) return facts_;
  built_ = true;
  built_for_ = unknown;
  headers_.clear();
  model_.clear();
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const bool holds = answers_[i] == Answer::yes || (answers_[i] == Answer::unknown && unknown == Unknown::holds);
    if (!holds) continue;
    const Rules::Question& question = rules_.questions_[i];
    if (question.is_model) {
      if (model_.empty()) model_ = model_prefix;
      model_.append(";").append(std::to_string(i)).append(";");
    } else {
      headers_.push_back({question.header, "yes"});
    }
  }
  chat_.model = model_.empty() ? text(recorded_->model) : std::string_view(model_);
  facts_.headers = headers_;
  return facts_;
}

}  // namespace tollgate::simulate
