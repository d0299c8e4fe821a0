#pragma once
// The store of shared budgets as it should be, in memory and with a clock that the test turns: what metrics/shared/budget.lua does,
// in C++. shared_store_test.cpp holds the two against each other; sharing_property_test.cpp runs gateways against this one.

#include <map>
#include <set>
#include <sstream>

#include "metrics/shared/share.hpp"

namespace tollgate::testing {

class ModelStore : public ShareStore {
 public:
  struct Line {
    std::string token;
    std::uint64_t number = 0;
    UsdSum granted, spent, held;
    std::int64_t seen = 0;
  };
  struct Window {
    std::map<std::string, Line> lines;
    std::int64_t grace = 0, scarce = -1'000'000;
  };

  std::int64_t now_ms = 1'000'000, grace_ms = 2'000;
  unsigned gateways_min = 1;
  std::string run = "run-1";  ///< of the server
  std::map<std::string, Window> windows;

  void lose_everything() {
    windows.clear();
    tokens_.clear();
    seen_.clear();
    runs_.clear();
    epoch_.clear();
  }

  Result<ShareAnswers> exchange(ShareSender& sender, const std::vector<ShareReport>& shares, const std::vector<RateReport>&) override {
    ShareAnswers answers;
    for (const ShareReport& report : shares) answers.shares.push_back(apply(sender, ++sender.number, report));
    answers.epoch = epoch_;
    return answers;
  }

  ShareReply apply(const ShareSender& sender, std::uint64_t number, const ShareReport& report) {
    using Status = ShareReply::Status;
    if (epoch_.empty()) {
      epoch_ = sender.token + "-" + std::to_string(number);
      grace_ = now_ms + grace_ms;
      runs_ = {run};
    } else if (runs_.insert(run).second) {
      grace_ = now_ms + grace_ms;
    }
    ShareReply reply;
    const auto bearer = tokens_.find(sender.gateway);
    if (bearer != tokens_.end() && bearer->second != sender.token && !sender.is_first) {
      reply.status = Status::fenced;
      reply.gateways = 0;
      return reply;
    }
    tokens_[sender.gateway] = sender.token;
    seen_.insert(sender.gateway);
    const bool exists = windows.contains(report.key);
    Window& window = windows[report.key];
    if (!exists && report.known) window.grace = now_ms + grace_ms;
    remember(window, sender.gateway, report.remembered);

    const auto mine = window.lines.find(sender.gateway);
    if (mine != window.lines.end() && mine->second.token == sender.token) {
      if (number <= mine->second.number) {
        reply.status = Status::stale;
        reply.number = mine->second.number;
        reply.gateways = 0;
        return reply;
      }
    } else if (mine != window.lines.end() && report.stale_ms == 0 && report.spent < mine->second.spent) {
      Line lost = mine->second;
      lost.granted = lost.spent = mine->second.spent - report.spent;
      lost.held = UsdSum{};
      lost.seen = now_ms;
      window.lines[sender.gateway + "~" + mine->second.token.substr(0, 8)] = lost;
    }
    for (auto each = window.lines.begin(); each != window.lines.end();) {
      if (each->first == sender.gateway) {
        ++each;
      } else if (report.stale_ms > 0 && now_ms - each->second.seen > report.stale_ms) {
        each = window.lines.erase(each);
      } else {
        reply.others_granted += each->second.granted;
        reply.others_spent += each->second.spent;
        reply.others_held += each->second.held;
        ++reply.gateways;
        ++each;
      }
    }
    const bool waits = now_ms < grace_ || now_ms < window.grace || seen_.size() < gateways_min;
    reply.granted = report.have;
    if (!waits && report.have < report.wish) {
      const UsdSum taken = reply.others_granted + report.have;
      const UsdSum left = taken < report.limit ? report.limit - taken : UsdSum{};
      reply.granted = report.have + std::min(report.wish - report.have, left);
      if (reply.granted < report.spent + report.held + report.need) {
        reply.granted = report.have;
        window.scarce = now_ms;
      }
    }
    window.lines[sender.gateway] = {sender.token, number, reply.granted, report.spent, report.held, now_ms};
    for (const auto& [name, line] : window.lines) {
      if (name != sender.gateway) reply.lines += name + "=" + text_of(line) + ";";
    }
    reply.status = waits ? Status::grace : Status::ok;
    reply.number = number;
    reply.scarce = now_ms - window.scarce < 1'000;
    return reply;
  }

 private:
  static std::string text_of(const Line& line) {
    return line.token + " " + std::to_string(line.number) + " " + picodollars_text(line.granted) + " " + picodollars_text(line.spent) + " " +
           picodollars_text(line.held) + " " + std::to_string(line.seen);
  }
  void remember(Window& window, const std::string& gateway, const std::string& lines) {
    std::istringstream all(lines);
    for (std::string entry; std::getline(all, entry, ';');) {
      const std::size_t sign = entry.find('=');
      const std::string name = entry.substr(0, sign);
      std::istringstream words(entry.substr(sign + 1));
      Line told;
      std::string granted, spent, held;
      words >> told.token >> told.number >> granted >> spent >> held >> told.seen;
      told.granted = picodollars_from(granted);
      told.spent = picodollars_from(spent);
      told.held = picodollars_from(held);
      if (name == gateway) continue;
      const auto there = window.lines.find(name);
      const bool older = there != window.lines.end() && (there->second.token != told.token || there->second.number >= told.number);
      if (!older) window.lines[name] = told;
    }
  }

  std::string epoch_;
  std::int64_t grace_ = 0;
  std::map<std::string, std::string> tokens_;
  std::set<std::string> seen_, runs_;
};

}  // namespace tollgate::testing
