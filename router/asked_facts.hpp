#pragma once
// What the rules of a configuration ask of a request that no row of the ledger answers by itself: headers, metadata, the user, words
// of the text, patterns on the model's name. Each question has a number, and the answers stand in the ledger as bits
// (metrics/decision_facts.hpp), so that other rules can be tried on the traffic (simulate/) without its text.
//
//    const AskedFacts asked(config);                   // once per snapshot
//    asked.answer(request_facts, decision_facts);      // what is known by now; reads no text that was not read already
//    asked.note_plan(plan, decision_facts);
//
// A question is written as text: "header:x-data-class", "header:x-data-class=phi", "metadata:team=red", "user:bot-*", "model:gpt-*",
// "keywords:1f3a…". Pure, any thread.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metrics/decision_facts.hpp"
#include "router/router.hpp"

namespace tollgate {

class AskedFacts {
 public:
  static constexpr std::size_t questions_max = 64, targets_max = 64;

  explicit AskedFacts(const Config& config);

  /// Request and answers; the same request may be answered again, when more of its text was read.
  void answer(const RequestFacts& request, DecisionFacts& facts) const;
  /// The state that the plan shows, and its first target.
  void note_plan(const Plan& plan, const Config& config, DecisionFacts& facts) const;
  /// JSON: {"questions": […], "targets": […]}, the same for the same rules and targets.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The same, interned.
  [[nodiscard]] NameId name() const noexcept { return name_; }
  [[nodiscard]] const std::vector<std::string>& questions() const noexcept { return questions_; }

 private:
  void ask(const Condition& when);
  void ask(std::string question, Condition alone);

  std::vector<std::string> questions_;
  std::vector<Condition> alone_;  // per question: a condition that holds exactly where its answer is yes
  std::string text_;
  NameId name_{};
};

/// The questions that a condition's parts ask; a part holds where one of its questions is answered by yes.
struct AskedPart {
  std::vector<std::string> any_of;
  std::string presence;   ///< answered by no: so are all of any_of; "": there is no such question
};
[[nodiscard]] std::vector<AskedPart> asked_parts(const Condition& when);
[[nodiscard]] bool is_pattern(std::string_view model) noexcept;

}  // namespace tollgate
