// What the ledger keeps of a decision, so that the traffic can be decided again by other rules (docs/simulate.md).

#include "gateway/exchange.hpp"

namespace tollgate {

// After admission, for budgets and the client's own bound take targets from the plan too; before the first attempt. Reads nothing that
// was not read for the decision.
void Exchange::note_decision() {
  if (record_ == nullptr || !screening_ || !serving_->config->ledger.features) return;
  DecisionFacts noted;
  serving_->asked.answer(facts(), noted);
  if (plan_) serving_->asked.note_plan(*plan_, *serving_->config, noted);
  noted.conversation = conversation_;
  write_facts(*record_, noted);
}

}  // namespace tollgate
