#pragma once
// The store of shared budgets and limits in Redis or Valkey: one script call per report, all of a batch in one round trip. The
// scripts, budget.lua and rate.lua, hold the rules; each call is one atomic step of the server.

#include "metrics/shared/redis_link.hpp"
#include "metrics/shared/share.hpp"

namespace tollgate {

class RedisStore : public ShareStore {
 public:
  explicit RedisStore(const SharedConfig& config) : config_(config), link_(config) {}
  [[nodiscard]] Result<ShareAnswers> exchange(ShareSender& sender, const std::vector<ShareReport>& shares,
                                              const std::vector<RateReport>& rates) override;
  [[nodiscard]] const RedisLink& link() const noexcept { return link_; }

 private:
  [[nodiscard]] RedisCommand command_of(ShareSender& sender, const ShareReport& report) const;
  [[nodiscard]] RedisCommand command_of(ShareSender& sender, const RateReport& report) const;
  [[nodiscard]] Result<std::vector<RedisReply>> run(ShareSender& sender, const std::vector<ShareReport>& shares,
                                                    const std::vector<RateReport>& rates);
  [[nodiscard]] Result<void> load_scripts();

  const SharedConfig config_;
  RedisLink link_;
  std::string budget_script_, rate_script_;  ///< their names at the server
};

}  // namespace tollgate
