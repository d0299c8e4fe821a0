#include "simulate/last_turns.hpp"

#include "router/forecast.hpp"

namespace tollgate::simulate {

RequestFacts::Conversation LastTurns::find(std::uint64_t conversation, std::int64_t now_us) const {
  if (!used_ || conversation == 0 || ttl_us_ <= 0) return {};
  const auto found = turns_.find(conversation);
  if (found == turns_.end() || now_us - found->second.at_us > ttl_us_) return {};
  return {found->second.target, found->second.cached};
}

// As Exchange::remember_turn (gateway/forward.cpp) does it.
void LastTurns::note(std::uint64_t conversation, const RequestFacts::Conversation& before, NameId target, const Usage& usage, UsageSource source,
                     std::int64_t arrived_us) {
  if (!used_ || conversation == 0 || source == UsageSource::none) return;
  const bool same = before.target == target;
  const bool missed = before.cached >= cached_prefix_min && source == UsageSource::exact;
  const bool none_known = before.cached.count() == 0;
  const bool caches = usage.cached_input.count() > 0 || !same || (!missed && !none_known);
  turns_[conversation] = {target, caches ? usage.total_input() : TokenCount{}, arrived_us};
}

}  // namespace tollgate::simulate
