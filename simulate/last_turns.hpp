#pragma once
// Conversations and where their last turns went, as the gateway remembers them (gateway/conversations.hpp).

#include <unordered_map>

#include "router/router.hpp"
#include "metrics/usage.hpp"

namespace tollgate::simulate {

class LastTurns {
 public:
  explicit LastTurns(const Config& config) : ttl_us_(config.sticky_ttl.count() * 1000), used_(config.knows_conversations) {}
  [[nodiscard]] RequestFacts::Conversation find(std::uint64_t conversation, std::int64_t now_us) const;
  void note(std::uint64_t conversation, const RequestFacts::Conversation& before, NameId target, const Usage& usage, UsageSource source, std::int64_t arrived_us);

 private:
  struct Turn {
    NameId target{};
    TokenCount cached;
    std::int64_t at_us = 0;
  };
  std::int64_t ttl_us_;
  bool used_;
  std::unordered_map<std::uint64_t, Turn> turns_;
};

}  // namespace tollgate::simulate
