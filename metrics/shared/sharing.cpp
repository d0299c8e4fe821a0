#include "metrics/shared/sharing.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

namespace tollgate {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds denied_pause{10};   // between exchanges while requests lack what the store has not
constexpr milliseconds backoff_first{50}, backoff_most{500};
constexpr milliseconds silence_most{1'000};                 // with nothing to report the store is asked whether it is there
constexpr unsigned failures_to_be_lost = 2;  // one may be a connection that the server closed

std::string random_word() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

std::int64_t wall_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Sharing::Sharing(std::unique_ptr<ShareStore> store, const SharedConfig& config, Shared shared, std::string gateway, OnChange on_change)
    : store_(std::move(store)), config_(config), shared_(shared), on_change_(std::move(on_change)) {
  sender_.gateway = std::move(gateway);
  sender_.token = random_word();
  status_.gateway = sender_.gateway;
  status_.error = "not asked yet";
  status_.since_us = wall_us();
  thread_ = std::thread([this] { run(); });
}

// Called by requests, many at a time: only the first after an exchange takes the lock.
void Sharing::wake() noexcept {
  if (woken_.exchange(true, std::memory_order_acq_rel)) return;
  { const std::lock_guard lock(mutex_); }
  work_.notify_one();
}

void Sharing::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

SharingStatus Sharing::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Sharing::run() {
  MonoTime asked_at{};
  for (;;) {
    woken_.store(false, std::memory_order_release);  // before the reports are made: a need that comes later wakes again
    const std::uint64_t exchanges = status_.exchanges;  // this thread alone writes it
    const MonoTime now = std::chrono::steady_clock::now();
    denied_ = exchange();
    const bool was_silent = status_.exchanges == exchanges;
    if (was_silent && now - asked_at >= silence_most) note(store_->exchange(sender_, {}, {}), now);
    if (status_.exchanges != exchanges) asked_at = now;
    wait_for_work();
    const std::lock_guard lock(mutex_);
    if (stopping_) break;
  }
  shared_.budgets.stop_leasing();
  shared_.limits.stop_leasing();
  static_cast<void>(exchange());
}

void Sharing::wait_for_work() {
  const auto must_stop = [this] { return stopping_; };
  std::unique_lock lock(mutex_);
  if (failed_in_a_row_ > 0) {
    work_.wait_for(lock, std::min(backoff_first * (1 << std::min(failed_in_a_row_ - 1, 8U)), backoff_most), must_stop);
    return;
  }
  if (denied_ && work_.wait_for(lock, denied_pause, must_stop)) return;
  work_.wait_for(lock, config_.report, [this] { return stopping_ || woken_.load(std::memory_order_acquire); });
}

bool Sharing::exchange() {
  const MonoTime asked_at = std::chrono::steady_clock::now();
  const std::vector<ShareReport> shares = shared_.budgets.reports(BudgetClock::now());
  const std::vector<RateReport> rates = shared_.limits.reports(asked_at);
  const bool was_reached = failed_in_a_row_ == 0;
  if (shares.empty() && rates.empty() && was_reached) return false;
  const Result<ShareAnswers> answers = store_->exchange(sender_, shares, rates);
  note(answers, asked_at);
  if (!answers) return false;
  bool lacks = shared_.budgets.take_answers(answers.value().shares, asked_at);
  lacks = shared_.limits.take_answers(answers.value().rates, asked_at) || lacks;
  return lacks;
}

void Sharing::note(const Result<ShareAnswers>& answers, MonoTime asked_at) {
  bool fenced = false;
  if (answers) {
    const auto is_fenced = [](const auto& reply) { return reply.status == ShareReply::Status::fenced; };
    fenced = std::any_of(answers.value().shares.begin(), answers.value().shares.end(), is_fenced) ||
             std::any_of(answers.value().rates.begin(), answers.value().rates.end(), is_fenced);
    for (const ShareReply& reply : answers.value().shares) {
      if (reply.status == ShareReply::Status::stale) sender_.number = std::max(sender_.number, reply.number);
    }
    const bool said_something = !answers.value().shares.empty() || !answers.value().rates.empty();
    if (!said_something) fenced = status_.fenced;  // this thread alone writes it
    if (said_something && !fenced) sender_.is_first = false;
  }
  failed_in_a_row_ = answers ? 0 : failed_in_a_row_ + 1;
  const bool is_lost = fenced || failed_in_a_row_ >= failures_to_be_lost;
  if (is_lost || answers) {
    shared_.budgets.set_store_lost(is_lost);
    shared_.limits.set_store_lost(is_lost, asked_at);
  }
  std::optional<SharingStatus> changed;
  {
    const std::lock_guard lock(mutex_);
    ++status_.exchanges;
    if (!answers) ++status_.failures;
    if (answers) {
      status_.exchange_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - asked_at).count();
      const std::string& epoch = answers.value().epoch;
      if (!epoch.empty() && !epoch_.empty() && epoch != epoch_) ++status_.losses;
      if (!epoch.empty()) epoch_ = epoch;
    }
    const bool reached = !is_lost && (answers.has_value() || status_.reached);
    status_.error = answers ? (fenced ? "another process reports as gateway '" + sender_.gateway + "': give each gateway a ledger and a name of its own" : "")
                            : answers.error().message;
    if (answers) status_.remark = store_->remark();
    const bool first = status_.exchanges == 1 && !answers;
    if (reached != status_.reached || fenced != status_.fenced || first) {
      status_.reached = reached;
      status_.fenced = fenced;
      status_.since_us = wall_us();
      changed = status_;
    }
  }
  if (changed) on_change_(*changed);
}

Result<std::string> sharing_name(const Config& config) {
  if (config.shared && !config.shared->gateway.empty()) return config.shared->gateway;
  const std::string path = config.ledger.path + ".sharing";
  std::string name;
  if (std::ifstream(path) >> name && !name.empty()) return name;
  char host[64] = "gateway";
  ::gethostname(host, sizeof host - 1);
  name = std::string(host) + "-" + random_word().substr(0, 8);
  std::ofstream file(path);
  file << name << '\n';
  file.flush();
  if (!file) return fail(Fault::io_failed, "cannot write " + path + ", which keeps this gateway's name among those that share its budgets; give shared.gateway a name instead");
  return name;
}

}  // namespace tollgate
