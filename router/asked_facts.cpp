#include "router/asked_facts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "config/keywords.hpp"
#include "router/matcher.hpp"
#include "router/screening.hpp"

namespace tollgate {
namespace {

constexpr std::string_view keywords_question = "keywords:";

std::string keywords_text(const Keywords& keywords) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(keywords_question);
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[keywords.fingerprint() >> shift & 0xFU];
  return text;
}

AskedPart part_of(std::string_view kind, const Condition::Header& wanted) {
  AskedPart part;
  part.presence = std::string(kind) + wanted.name;
  if (wanted.any_of.empty()) {
    part.any_of.push_back(part.presence);
    part.presence.clear();
  }
  for (const std::string& value : wanted.any_of) part.any_of.push_back(std::string(kind) + wanted.name + "=" + value);
  return part;
}

}  // namespace

bool is_pattern(std::string_view model) noexcept { return model.find_first_of("*?") != std::string_view::npos; }

std::vector<AskedPart> asked_parts(const Condition& when) {
  std::vector<AskedPart> parts;
  for (const Condition::Header& wanted : when.headers) parts.push_back(part_of("header:", wanted));
  for (const Condition::Header& wanted : when.metadata) parts.push_back(part_of("metadata:", wanted));
  if (!when.users.empty()) {
    AskedPart users;
    for (const std::string& pattern : when.users) users.any_of.push_back("user:" + pattern);
    parts.push_back(std::move(users));
  }
  if (when.keywords) parts.push_back({{keywords_text(*when.keywords)}, {}});
  return parts;
}

AskedFacts::AskedFacts(const Config& config) {
  for (const Constraint& constraint : config.constraints) ask(constraint.when);
  for (const Route& route : config.routes) ask(route.when);
  nlohmann::ordered_json all{{"questions", questions_}, {"targets", nlohmann::ordered_json::array()}};
  for (const Target& target : config.targets) all["targets"].push_back(tollgate::text(target.id));
  text_ = all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  name_ = Names::global().intern(text_);
}

void AskedFacts::ask(const Condition& when) {
  const auto ask_members = [&](std::string_view kind, const std::vector<Condition::Header>& all, std::vector<Condition::Header> Condition::*member) {
    for (const Condition::Header& wanted : all) {
      Condition present;
      (present.*member).push_back({wanted.name, {}});
      ask(std::string(kind) + wanted.name, std::move(present));
      for (const std::string& value : wanted.any_of) {
        Condition equal;
        (equal.*member).push_back({wanted.name, {value}});
        ask(std::string(kind) + wanted.name + "=" + value, std::move(equal));
      }
    }
  };
  ask_members("header:", when.headers, &Condition::headers);
  ask_members("metadata:", when.metadata, &Condition::metadata);
  for (const std::string& pattern : when.users) {
    Condition user;
    user.users.push_back(pattern);
    ask("user:" + pattern, std::move(user));
  }
  for (const std::string& pattern : when.models) {
    if (!is_pattern(pattern)) continue;
    Condition model;
    model.models.push_back(pattern);
    ask("model:" + pattern, std::move(model));
  }
  if (when.keywords) {
    Condition words;
    words.keywords = when.keywords;
    ask(keywords_text(*when.keywords), std::move(words));
  }
}

void AskedFacts::ask(std::string question, Condition alone) {
  if (questions_.size() == questions_max || std::find(questions_.begin(), questions_.end(), question) != questions_.end()) return;
  questions_.push_back(std::move(question));
  alone_.push_back(std::move(alone));
}

void AskedFacts::answer(const RequestFacts& request, DecisionFacts& facts) const {
  const ChatView& chat = *request.chat;
  const auto number = [](std::uint64_t n) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(n, UINT32_MAX)); };
  facts.asked = name_;
  facts.score = request.complexity.score;
  facts.text_bytes = chat.input_bytes();   // what forecasts go by
  facts.messages = chat.messages;
  facts.tools = chat.tools;
  facts.images = chat.images;
  facts.choices = number(static_cast<std::uint64_t>(std::max<std::int64_t>(chat.choices, 0)));
  facts.service_tier = asked_tier_named(chat.service_tier);
  facts.flags = 0;
  if (chat.json_output) facts.flags |= fact_json;
  if (chat.json_schema) facts.flags |= fact_json_schema;
  if (chat.tool_calls > 0 || chat.tool_results > 0) facts.flags |= fact_tool_turns;
  if (chat.output_tokens_max && *chat.output_tokens_max >= 0) {
    facts.flags |= fact_output_max;
    facts.output_tokens_max = *chat.output_tokens_max;
  }
  if (const Screening* const screening = request.screening; screening != nullptr) {
    if (!screening->readable()) facts.flags |= fact_unreadable;
    if (const std::optional<PiiKinds> kinds = screening->known_kinds()) {
      facts.flags |= fact_screened;
      facts.pii = static_cast<std::uint16_t>(kinds->bits());
    }
  }
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    if (const Keywords* const words = alone_[i].keywords.get(); words != nullptr) {
      const std::optional<bool> said = request.screening != nullptr ? request.screening->known_to_mention(*words) : std::nullopt;
      if (!said) continue;
      facts.known |= bit;
      if (*said) facts.held |= bit;
      continue;
    }
    facts.known |= bit;
    if (matches(alone_[i], request)) facts.held |= bit;
  }
}

void AskedFacts::note_plan(const Plan& plan, const Config& config, DecisionFacts& facts) const {
  const auto index_of = [&](const Target* target) { return static_cast<std::size_t>(target - config.targets.data()); };
  const auto bit_of = [&](const Target* target) { return index_of(target) < targets_max ? std::uint64_t{1} << index_of(target) : 0; };
  for (const Step& step : plan.steps) {
    if (step.is_saturated || step.is_held()) facts.saturated |= bit_of(step.target);   // behind those with room, either way
  }
  for (const RuledOut& out : plan.ruled_out) {
    switch (out.why) {
      case Why::breaker_open:
      case Why::unreachable:
      case Why::draining:
        facts.down |= bit_of(out.target);
        break;
      case Why::first_token:
      case Why::deadline:
      case Why::max_cost:
      case Why::budget:
        facts.excluded |= bit_of(out.target);
        break;
      default:
        break;
    }
  }
  if (!plan.steps.empty() && index_of(plan.steps.front().target) < targets_max) {
    facts.first = static_cast<std::uint8_t>(index_of(plan.steps.front().target));
  }
}

}  // namespace tollgate
