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
  [[nodiscard]] std::string remark() const override;

  /// What a gateway that will not come back had leased and not spent.
  struct Freed {
    std::string key;
    UsdSum leased, spent;
  };
  /// Gives it back to the others: only for one that does not run. What it had spent stays spent.
  [[nodiscard]] Result<std::vector<Freed>> forget(const std::string& gateway);

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
