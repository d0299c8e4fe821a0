#include "metrics/shared/redis_store.hpp"

#include <algorithm>
#include <charconv>

#include "config/decimal.hpp"

namespace tollgate {

namespace embedded {
extern const std::string_view budget_lua, rate_lua, forget_lua;
}

namespace {

using Status = ShareReply::Status;

std::int64_t number_of(const std::string& text) noexcept {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Status status_of(const std::string& word) noexcept {
  if (word == "ok") return Status::ok;
  if (word == "grace") return Status::grace;
  return word == "stale" ? Status::stale : Status::fenced;
}

/// A list of so many texts.
bool has_form(const RedisReply& reply, std::size_t size) noexcept {
  if (reply.kind != RedisReply::Kind::list || reply.list.size() != size) return false;
  for (const RedisReply& part : reply.list) {
    if (part.kind != RedisReply::Kind::text) return false;
  }
  return true;
}

ShareReply share_of(const std::vector<RedisReply>& parts) {
  ShareReply reply;
  reply.status = status_of(parts[0].text);
  reply.number = static_cast<std::uint64_t>(number_of(parts[2].text));
  reply.granted = picodollars_from(parts[3].text);
  reply.others_granted = picodollars_from(parts[4].text);
  reply.others_spent = picodollars_from(parts[5].text);
  reply.others_held = picodollars_from(parts[6].text);
  reply.gateways = static_cast<unsigned>(number_of(parts[7].text));
  reply.scarce = parts[8].text == "1";
  reply.lines = parts[9].text;
  return reply;
}

RateReply rate_of(const std::vector<RedisReply>& parts) {
  return {status_of(parts[0].text), number_of(parts[1].text), number_of(parts[2].text), number_of(parts[3].text),
          static_cast<unsigned>(number_of(parts[4].text))};
}

}  // namespace

std::string picodollars_text(UsdSum sum) { return sum <= UsdSum{} ? "0" : decimal_text(sum.picodollars(), 0); }

UsdSum picodollars_from(std::string_view text) {
  const Result<Int128> read = parse_decimal(text, 0);
  return read ? UsdSum{read.value()} : UsdSum{};
}

RedisCommand RedisStore::command_of(ShareSender& sender, const ShareReport& report) const {
  return {"EVALSHA",
          budget_script_,
          "2",
          config_.key_prefix + "store",
          config_.key_prefix + report.key,
          sender.gateway,
          sender.token,
          std::to_string(++sender.number),
          sender.is_first ? "1" : "0",
          link_.server_run(),
          report.known ? "1" : "0",
          picodollars_text(report.spent),
          picodollars_text(report.held),
          picodollars_text(report.have),
          picodollars_text(report.wish),
          picodollars_text(report.need),
          picodollars_text(report.limit),
          std::to_string(report.ttl_ms),
          std::to_string(report.stale_ms),
          std::to_string(config_.grace.count()),
          std::to_string(config_.gateways_min),
          report.remembered};
}

RedisCommand RedisStore::command_of(ShareSender& sender, const RateReport& report) const {
  return {"EVALSHA",
          rate_script_,
          "2",
          config_.key_prefix + "store",
          config_.key_prefix + report.key,
          sender.gateway,
          sender.token,
          std::to_string(++sender.number),
          sender.is_first ? "1" : "0",
          std::to_string(report.used),
          std::to_string(report.have),
          std::to_string(report.wish),
          std::to_string(report.need),
          std::to_string(report.per_minute),
          std::to_string(rate_lease.count()),
          report.places ? "1" : "0"};
}

Result<void> RedisStore::load_scripts() {
  TOLLGATE_TRY(const std::vector<RedisReply> loaded, link_.ask({{"SCRIPT", "LOAD", std::string(embedded::budget_lua)},
                                                                 {"SCRIPT", "LOAD", std::string(embedded::rate_lua)}}));
  for (const RedisReply& reply : loaded) {
    if (reply.kind != RedisReply::Kind::text) return fail(Fault::io_failed, config_.where + " takes no script: " + reply.text);
  }
  budget_script_ = loaded[0].text;
  rate_script_ = loaded[1].text;
  return success();
}

Result<std::vector<RedisReply>> RedisStore::run(ShareSender& sender, const std::vector<ShareReport>& shares,
                                                const std::vector<RateReport>& rates) {
  std::vector<RedisCommand> commands;
  for (const ShareReport& report : shares) commands.push_back(command_of(sender, report));
  for (const RateReport& report : rates) commands.push_back(command_of(sender, report));
  if (commands.empty()) {
    TOLLGATE_TRY(const std::vector<RedisReply> pong, link_.ask({{"PING"}}));
    if (pong[0].kind == RedisReply::Kind::error) return fail(Fault::io_failed, config_.where + ": " + pong[0].text);
    return std::vector<RedisReply>{};
  }
  return link_.ask(commands);
}

// A restarted server knows no scripts: they are given again, once. The reports are sent anew with numbers of their own, so those
// of the first try that were carried out do no harm.
Result<ShareAnswers> RedisStore::exchange(ShareSender& sender, const std::vector<ShareReport>& shares, const std::vector<RateReport>& rates) {
  TOLLGATE_TRY(link_.ready());  // the run of the server is part of what is said
  if (budget_script_.empty()) {
    TOLLGATE_TRY(load_scripts());
  }
  TOLLGATE_TRY(std::vector<RedisReply> replies, run(sender, shares, rates));
  const auto is_unknown = [](const RedisReply& reply) { return reply.kind == RedisReply::Kind::error && reply.text.starts_with("NOSCRIPT"); };
  for (const RedisReply& reply : replies) {
    if (!is_unknown(reply)) continue;
    TOLLGATE_TRY(load_scripts());
    TOLLGATE_TRY(std::vector<RedisReply> again, run(sender, shares, rates));
    replies = std::move(again);
    break;
  }
  constexpr std::size_t share_parts = 10, rate_parts = 5;
  ShareAnswers answers;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const bool is_share = i < shares.size();
    if (!has_form(replies[i], is_share ? share_parts : rate_parts)) {
      return fail(Fault::io_failed, config_.where + ": " + (replies[i].kind == RedisReply::Kind::error ? replies[i].text : "an answer of no known form"));
    }
    if (is_share) {
      answers.shares.push_back(share_of(replies[i].list));
      answers.epoch = replies[i].list[1].text;
    } else {
      answers.rates.push_back(rate_of(replies[i].list));
    }
  }
  return answers;
}

std::string RedisStore::remark() const {
  if (link_.eviction().empty()) return {};
  return config_.where + " drops keys when its memory is full (maxmemory-policy " + link_.eviction() +
         "), and with them what was spent; set it to noeviction";
}

Result<std::vector<RedisStore::Freed>> RedisStore::forget(const std::string& gateway) {
  std::vector<Freed> all;
  std::string cursor = "0";
  do {
    TOLLGATE_TRY(const std::vector<RedisReply> page, link_.ask({{"SCAN", cursor, "MATCH", config_.key_prefix + "budget:*", "COUNT", "500"}}));
    if (page[0].kind != RedisReply::Kind::list || page[0].list.size() != 2) return fail(Fault::io_failed, config_.where + ": " + page[0].text);
    for (const RedisReply& key : page[0].list[1].list) {
      TOLLGATE_TRY(const std::vector<RedisReply> freed, link_.ask({{"EVAL", std::string(embedded::forget_lua), "1", key.text, gateway}}));
      if (freed[0].kind == RedisReply::Kind::error) return fail(Fault::io_failed, config_.where + ": " + freed[0].text);
      if (!has_form(freed[0], 2)) continue;
      const UsdSum spent = picodollars_from(freed[0].list[1].text);
      all.push_back({key.text.substr(config_.key_prefix.size()), std::max(picodollars_from(freed[0].list[0].text) - spent, UsdSum{}), spent});
    }
    cursor = page[0].list[0].text;
  } while (cursor != "0");
  return all;
}

}  // namespace tollgate
