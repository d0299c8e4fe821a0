#pragma once
// One shadow evaluation, and those under way on one reactor. See gateway/shadow.hpp.
//
// Law: nothing leaves for a target before permits() was asked anew, a budget holds its worst case, and a ledger slot
// was taken; once it was, the slot is settled, whatever happens in between.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/judge.hpp"
#include "gateway/own_call.hpp"
#include "gateway/shadow.hpp"
#include "router/screening.hpp"

namespace tollgate {

class ShadowRun : public std::enable_shared_from_this<ShadowRun> {
 public:
  ShadowRun(Reactor& reactor, Shadows& shadows, std::unique_ptr<ShadowJob> job);
  ShadowRun(const ShadowRun&) = delete;
  ShadowRun& operator=(const ShadowRun&) = delete;

  Task<ShadowEnd> evaluate();
  /// What is under way is cut off, and charged for what is known of it.
  void stop() { calls_.stop(); }

 private:
  Task<Result<void>> judge();
  Task<void> on_worker(std::function<void()> work);
  [[nodiscard]] Result<void> read_request();
  void take_apart();
  [[nodiscard]] std::string said_for(const Target& target) const;
  [[nodiscard]] Result<void> may_leave_for(const Target& target) const;
  [[nodiscard]] Result<void> has_room(const Target& target);
  Task<Result<void>> ask(OwnCall& call);
  void record_score(std::int32_t ppm);

  Reactor& reactor_;
  Shadows& shadows_;
  const std::unique_ptr<ShadowJob> job_;
  const Config& config_;  // the job's
  ChatView chat_;         // of the request as it was served: what constraints are asked with
  ClientBody map_;
  std::vector<HeaderField> headers_;
  std::optional<Screening> screening_;
  RequestFacts facts_;
  std::optional<ShadowTexts> texts_;
  std::string strong_text_, judge_body_;
  std::optional<std::int32_t> score_;
  OwnCalls calls_;
};

/// Of one reactor, on its thread.
class ShadowRuns {
 public:
  ShadowRuns(Reactor& reactor, Shadows& shadows) : reactor_(reactor), shadows_(shadows) {}
  void submit(std::unique_ptr<ShadowJob> job) { shadows_.submit(reactor_, std::move(job)); }
  void count(ShadowEnd end) noexcept { shadows_.count(end); }
  /// Its turn has come.
  void start(std::unique_ptr<ShadowJob> job);
  /// The reactor drains: what waits is dropped, what is under way is cut off.
  void stop();
  [[nodiscard]] bool idle() const noexcept { return under_way_.empty(); }

 private:
  void finish(const ShadowRun* run, ShadowEnd end);

  Reactor& reactor_;
  Shadows& shadows_;
  std::vector<std::shared_ptr<ShadowRun>> under_way_;
};

}  // namespace tollgate
