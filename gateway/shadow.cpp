#include "gateway/shadow.hpp"

#include <prometheus/metric_family.h>

#include <boost/asio/post.hpp>

#include "gateway/reactor.hpp"
#include "gateway/shadow_run.hpp"

namespace tollgate {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add(MetricFamily& to, std::uint64_t value, std::vector<prometheus::ClientMetric::Label> labels) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  (to.type == MetricType::Gauge ? metric.gauge.value : metric.counter.value) = static_cast<double>(value);
  to.metric.push_back(std::move(metric));
}

}  // namespace

std::string_view name_of(ShadowEnd end) noexcept {
  static constexpr std::array<std::string_view, shadow_end_count> names{
      "judged", "unreadable", "failed", "unavailable", "forbidden", "over_budget", "unsuitable", "left_out", "stopped"};
  return names[static_cast<std::size_t>(end)];
}

bool is_shadowed(const Config& config, const Target& target) noexcept {
  const Backend& backend = config.backend_of(target);
  const bool own = backend.pool.has_value() || backend.trust == Trust::internal;
  return own && target.id != config.targets[config.shadow.target].id;
}

Shadows::Shadows() = default;

Shadows::~Shadows() {
  close();
  worker_.join();
}

void Shadows::submit(Reactor& reactor, std::unique_ptr<ShadowJob> job) {
  const ShadowConfig& rules = job->serving->config->shadow;
  {
    const std::lock_guard lock(mutex_);
    const bool full = waiting_.size() >= rules.waiting_max || waiting_bytes_ + job->bytes() > bytes_max;
    if (closed_ || (running_ >= rules.concurrency_max && full))
      return count(closed_ ? ShadowEnd::stopped : ShadowEnd::left_out);
    if (running_ >= rules.concurrency_max) {
      waiting_bytes_ += job->bytes();
      waiting_.push_back({&reactor, std::move(job)});
      return;
    }
    ++running_;
  }
  start({&reactor, std::move(job)});
}

void Shadows::ended(ShadowEnd end) {
  count(end);
  Waiting next{};
  {
    const std::lock_guard lock(mutex_);
    --running_;
    if (waiting_.empty() || running_ >= waiting_.front().job->serving->config->shadow.concurrency_max) return;
    next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.job->bytes();
    ++running_;
  }
  start(std::move(next));
}

// Not before the handler under way is done: the client's connection goes first.
void Shadows::start(Waiting next) {
  asio::post(next.reactor->context(), [reactor = next.reactor, job = std::move(next.job)]() mutable {
    reactor->shadow_runs().start(std::move(job));
  });
}

void Shadows::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (std::size_t i = 0; i < waiting_.size(); ++i) count(ShadowEnd::stopped);
  waiting_.clear();
  waiting_bytes_ = 0;
}

std::size_t Shadows::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

std::size_t Shadows::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void collect_shadows(const Shadows& shadows, std::vector<MetricFamily>& families) {
  MetricFamily ends = family("tollgate_shadow_evaluations_total",
                             "Answers that were drawn to be repeated and judged, by what became of it. What it cost "
                             "is in tollgate_route_spend_usd_total, on the routes (shadow) and (judge).",
                             MetricType::Counter);
  for (std::size_t i = 0; i < shadow_end_count; ++i) {
    const auto end = static_cast<ShadowEnd>(i);
    add(ends, shadows.count_of(end), {{"result", std::string(name_of(end))}});
  }
  families.push_back(std::move(ends));
  MetricFamily waiting = family("tollgate_shadow_evaluations_waiting",
                                "Answers that wait for their evaluation to begin.", MetricType::Gauge);
  add(waiting, shadows.waiting(), {});
  families.push_back(std::move(waiting));
}

}  // namespace tollgate
