#include "gateway/admin/advice_board.hpp"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "config/as_written.hpp"
#include "gateway/admin/tool_ledger.hpp"
#include "gateway/admin/tool_run.hpp"
#include "gateway/gateway.hpp"
#include "gateway/log.hpp"
#include "gateway/reply.hpp"

namespace tollgate {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr auto as_result = asio::as_tuple(use_task);
constexpr std::chrono::seconds time_max{120};
constexpr std::chrono::seconds nothing_kept{5};        // a ledger without requests may have some in a moment
constexpr std::string_view nothing = "[]\n";
constexpr int share_of_time = 20;
constexpr std::size_t value_bytes_max = 160, told_bytes_max = 2000;

/// Parameters, by the names of the command's options with '_' for '-'.
constexpr std::string_view valued[] = {"since", "until", "target", "model", "tokens_per_day", "requests_per_day", "input_share", "busy_hours", "gpu", "usd_per_gpu_hour",
                                       "usd_per_serverless_gpu_hour", "purchase_usd_per_gpu", "life_years", "kw_per_gpu", "pue", "usd_per_kwh", "colocation_usd_per_kw_month",
                                       "cold_start_seconds", "idle_timeout_seconds", "prefill_tokens_per_second", "decode_tokens_per_second", "decode_alone_tokens_per_second",
                                       "engineering_hours", "usd_per_engineering_hour", "observability_usd_per_month", "ops_usd_per_month"};
constexpr std::string_view flags[] = {"no_team", "needs_own_weights"};

AdminReply refused(int status, std::string code, std::string message, std::string param = {}) {
  Error error = fail(status >= 500 ? Fault::internal : Fault::bad_request, std::move(message), std::move(param));
  error.code = std::move(code);
  return {status, "application/json", error_body(error) + "\n", {}, {}};
}

int hex_digit(char c) noexcept { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }

/// nullopt: wrongly escaped, too long, or not one line of text.
std::optional<std::string> unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    out += c;
  }
  if (out.empty() || out.size() > value_bytes_max) return std::nullopt;
  return out;
}

std::string option_named(std::string_view name) {
  std::string option = "--" + std::string(name);
  std::replace(option.begin(), option.end(), '_', '-');
  return option;
}

Result<std::vector<std::string>> arguments_of(std::string_view target) {
  std::vector<std::string> arguments;
  std::size_t at = target.find('?');
  while (at != std::string_view::npos) {
    const std::size_t end = target.find('&', at + 1);
    const std::string_view pair = target.substr(at + 1, end == std::string_view::npos ? end : end - at - 1);
    at = end;
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const std::optional<std::string> value = equals == std::string_view::npos ? std::optional<std::string>("true") : unescaped(pair.substr(equals + 1));
    const bool is_flag = std::find(std::begin(flags), std::end(flags), name) != std::end(flags);
    if (!is_flag && std::find(std::begin(valued), std::end(valued), name) == std::end(valued)) {
      return fail(Fault::bad_request, "there is no such parameter; they are those of `tollgate advise`, such as tokens_per_day", unescaped(name).value_or("?").substr(0, 64));
    }
    if (!value) return fail(Fault::bad_request, "the value is no line of text that the command takes", std::string(name));
    if (!is_flag) {
      arguments.push_back(option_named(name) + "=" + *value);
    } else if (*value != "false") {
      arguments.push_back(option_named(name));
    }
  }
  return arguments;
}

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& to, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric& metric = to.metric.emplace_back();
  metric.label = std::move(labels);
  metric.gauge.value = value;
}

std::string last_words(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  constexpr std::string_view own_name = "tollgate: ";
  if (text.starts_with(own_name)) text.erase(0, own_name.size());
  if (text.size() > told_bytes_max) text.erase(0, text.size() - told_bytes_max);
  return text;
}

/// Parameters in place of what a ledger says.
bool assumes_traffic(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const std::string& each) { return each.starts_with("--tokens-per-day"); });
}

}  // namespace

AdviceBoard::AdviceBoard(Gateway& gateway) : gateway_(gateway), renewed_(gateway.control_executor()) {}
AdviceBoard::~AdviceBoard() = default;

Task<void> AdviceBoard::keep() {
  Timer timer(gateway_.control_executor());
  timer.expires_after(first_after);
  for (;;) {
    auto [stopped] = co_await timer.async_wait(as_result);
    if (stopped) co_return;
    if (!gateway_.draining() && !renewing_) co_await renew();
    const auto pause = std::max<Clock::duration>(interval, (kept_ ? kept_->took : Clock::duration{}) * share_of_time);
    timer.expires_after(pause);
  }
}

Task<void> AdviceBoard::renew() {
  renewing_ = true;
  renewed_.expires_at(Clock::time_point::max());
  const std::uint64_t generation = gateway_.serving()->generation;
  const auto began = Clock::now();
  std::vector<std::string> none;
  AdminReply reply = co_await work_out(std::move(none));
  const auto now = Clock::now();
  const std::int64_t at_us = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  if (reply.status == 200) note_metrics(reply.body, at_us);
  if (reply.status >= 500) log_event(LogLevel::warn, "the advice could not be renewed", {{"why", reply.body}});
  kept_ = Kept{std::move(reply), generation, now, at_us, now - began};
  renewing_ = false;
  renewed_.cancel();
}

bool AdviceBoard::is_fresh() const {
  if (!kept_ || kept_->generation != gateway_.serving()->generation) return false;
  const bool says_something = kept_->reply.status == 200 && kept_->reply.body != nothing;
  return says_something || Clock::now() - kept_->at < nothing_kept;
}

Task<AdminReply> AdviceBoard::answer(const AdminRequest& request) {
  Result<std::vector<std::string>> arguments = arguments_of(request.target);
  if (!arguments) co_return refused(400, "", arguments.error().message, arguments.error().param);
  if (!arguments.value().empty()) {
    if (asked_) co_return refused(409, "busy", "other advice is being worked out; one at a time: try again in a moment");
    asked_ = true;
    AdminReply reply = co_await work_out(std::move(arguments.value()));
    asked_ = false;
    co_return reply;
  }
  while (renewing_) co_await renewed_.async_wait(as_result);
  const bool fresh = is_fresh();
  if (!fresh) co_await renew();
  AdminReply reply = kept_->reply;
  reply.age = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - kept_->at).count());
  co_return reply;
}

Task<AdminReply> AdviceBoard::work_out(std::vector<std::string> arguments) {
  const ConfigPtr config = gateway_.config();
  const auto written = gateway_.as_written();
  const std::string& in_force = written->text;
  ToolJob job;
  job.arguments = {"advise", "--json"};
  if (!in_force.empty()) {
    job.arguments.insert(job.arguments.end(), {"--config", ToolRun::text_path(0)});
    job.texts = {in_force};
    job.environment = environment_for(in_force, *written);
  }
  job.arguments.insert(job.arguments.end(), arguments.begin(), arguments.end());
  job.time_max = time_max;
  if (!assumes_traffic(job.arguments)) {
    if (const Result<void> readable = read_ledger(config->ledger, job); !readable) co_return refused(503, "", readable.error().message);
  }
  Result<std::unique_ptr<ToolRun>> run = ToolRun::start(gateway_.control_executor(), job);
  if (!run) co_return refused(503, "", run.error().message);
  OnToolProgress none;
  ToolResult result = co_await run.value()->finish(std::move(none));
  if (result.end != ToolResult::End::exited || result.exit_code < 0) {
    co_return refused(503, result.end == ToolResult::End::too_slow ? "too_slow" : "ended", "the advice was given up: it took too long or too much memory; ask for a shorter period with since");
  }
  if (result.output.starts_with('[')) co_return AdminReply{200, "application/json", std::move(result.output), {}, {}};
  if (result.output.find("holds no answers") != std::string::npos) co_return AdminReply{200, "application/json", std::string(nothing), {}, {}};
  co_return refused(result.exit_code == 2 ? 400 : 500, result.exit_code == 2 ? "wrong_option" : "ended", last_words(std::move(result.output)));
}

void AdviceBoard::note_metrics(const std::string& body, std::int64_t at_us) {
  const Json pages = Json::parse(body, nullptr, false);
  if (!pages.is_array()) return;
  const ConfigPtr config = gateway_.config();
  const std::lock_guard lock(mutex_);
  tiers_.clear();
  advised_.clear();
  savings_.clear();
  at_seconds_ = static_cast<double>(at_us) / 1e6;
  for (const Json& page : pages) {
    // A ledger remembers targets that no configuration knows any more; labels are names of the configuration.
    const std::string workload = page.value("target", Json()).is_string() ? page["target"].get<std::string>() : std::string();
    if (config->find_target(workload) == nullptr || page.contains("unknown")) continue;
    std::map<std::string, double> cheapest;
    for (const Json& tier : page["tiers"]) {
      if (!tier.contains("per_month")) continue;
      const double usd = std::stod(tier["per_month"]["usd"].get<std::string>());
      const auto [known, is_new] = cheapest.emplace(tier["tier"].get<std::string>(), usd);
      if (!is_new) known->second = std::min(known->second, usd);
    }
    for (const auto& [tier, usd] : cheapest) tiers_.push_back({workload, tier, usd});
    advised_.emplace_back(workload, page["advice"].get<std::string>());
    if (page["saving_per_month_usd"].is_string()) savings_.emplace_back(workload, std::stod(page["saving_per_month_usd"].get<std::string>()));
  }
}

void AdviceBoard::collect(std::vector<MetricFamily>& families) const {
  const std::lock_guard lock(mutex_);
  MetricFamily cost = family("tollgate_advice_usd_per_month",
                             "What the requests that a target answered in the last 30 days would cost a month on the cheapest offer of each tier, by `tollgate advise`: managed, serverless, "
                             "dedicated (rented), owned; operations counted.",
                             MetricType::Gauge);  // by {"workload", …} and {"tier", …}
  for (const Tier& tier : tiers_) add(cost, tier.usd_per_month, {{"workload", tier.workload}, {"tier", tier.tier}});
  MetricFamily advised = family("tollgate_advice_info", "1 for the tier that `tollgate advise` recommends for the traffic of a target.", MetricType::Gauge);  // by {"workload", …} and {"advice", …}
  for (const auto& [workload, advice] : advised_) add(advised, 1, {{"workload", workload}, {"advice", advice}});
  MetricFamily saving = family("tollgate_advice_saving_usd_per_month",
                               "What the recommended tier saves a month against the cheapest managed host of the same model; below 0 it costs more, as where data may not leave.",
                               MetricType::Gauge);  // by {"workload", …}
  for (const auto& [workload, usd] : savings_) add(saving, usd, {{"workload", workload}});
  families.push_back(std::move(cost));
  families.push_back(std::move(advised));
  families.push_back(std::move(saving));
  if (at_seconds_ > 0) {
    families.push_back(family("tollgate_advice_timestamp_seconds", "When the advice was last worked out.", MetricType::Gauge));
    add(families.back(), at_seconds_);
  }
}

}  // namespace tollgate
