#pragma once
// A configuration made ready to decide recorded requests: by the router's own code (decide()), with its questions about text, headers
// and metadata answered from the ledger instead of from the request.
//
//    const Rules rules(config);
//    Replayed request(rules, recorded);           // facts as the router wants them
//    Result<Plan> plan = decide(request.facts(), rules.config(), states);
//    if (request.has_unknown()) … decide again with request.facts(Unknown::holds): another plan means that it cannot be said …
//
// How: each question becomes a header of its own in a copy of the configuration (names that no client can send), which a replayed
// request carries where the ledger answers yes. Nothing else of the rules is changed. What the ledger has no answer to is unknown:
// it is taken as no, or as yes, never silently as either.

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "router/asked_facts.hpp"
#include "router/screening.hpp"
#include "simulate/traffic.hpp"

namespace tollgate::simulate {

class Rules {
 public:
  explicit Rules(ConfigPtr config);
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;

  /// With the questions replaced; plans point into it. Targets, backends, routes and constraints stand in the order of the original.
  [[nodiscard]] const Config& config() const noexcept { return rewritten_; }
  [[nodiscard]] const Config& original() const noexcept { return *original_; }
  [[nodiscard]] std::size_t questions() const noexcept { return questions_.size(); }

  /// How one recorded set of answers serves these rules.
  struct Translation {
    struct Answer {
      std::uint64_t any_of = 0;      ///< recorded questions of which one yes is enough
      bool complete = false;         ///< all that count were asked then
      std::uint64_t presence = 0;    ///< answered by no: so is this one
    };
    std::vector<Answer> answers;     ///< per question of these rules
    std::array<std::int16_t, AskedFacts::targets_max> targets{};   ///< recorded index → of these rules; -1: not there
    std::vector<std::string> target_names;                         ///< by recorded index
  };
  [[nodiscard]] const Translation& translation_of(NameId asked) const;

 private:
  friend class Replayed;
  struct Question {
    std::vector<std::string> any_of;
    std::string presence;
    PiiKinds pii;                    ///< any: asks for these instead
    bool is_model = false;           ///< a pattern on the model's name
    std::string header;              ///< that stands for it
  };
  void rewrite(Condition& when);
  [[nodiscard]] std::size_t number_of(Question question);

  ConfigPtr original_;
  Config rewritten_;
  std::vector<Question> questions_;
  mutable std::map<NameId, std::unique_ptr<Translation>> translations_;
};

enum class Unknown : std::uint8_t { does_not_hold, holds };

/// One recorded request as decide() takes it. Reusable: assign() the next.
class Replayed {
 public:
  explicit Replayed(const Rules& rules);
  Replayed(const Replayed&) = delete;
  Replayed& operator=(const Replayed&) = delete;
  void assign(const RecordedRequest& recorded, const RecordedTry* tries);
  /// Some question of the rules has no answer in the ledger, or the request has no facts there at all.
  [[nodiscard]] bool has_unknown() const noexcept { return unknown_ > 0; }
  [[nodiscard]] const RequestFacts& facts(Unknown unknown = Unknown::does_not_hold);
  [[nodiscard]] const ChatView& chat() const noexcept { return chat_; }
  void set_conversation(const RequestFacts::Conversation& conversation) noexcept { facts_.conversation = conversation; }

 private:
  enum class Answer : std::uint8_t { no, yes, unknown };
  [[nodiscard]] Answer answer(std::size_t question) const noexcept;

  const Rules& rules_;
  const RecordedRequest* recorded_ = nullptr;
  const Rules::Translation* translation_ = nullptr;
  ChatView chat_, readable_, unreadable_;
  Screening text_readable_, text_unreadable_;
  std::string model_;
  std::vector<HeaderField> headers_;
  std::vector<Answer> answers_;
  std::size_t unknown_ = 0;
  Unknown built_for_ = Unknown::does_not_hold;
  bool built_ = false;
  RequestFacts facts_{};
};

}  // namespace tollgate::simulate
