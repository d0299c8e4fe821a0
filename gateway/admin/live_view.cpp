#include "gateway/admin/live_view.hpp"

#include <algorithm>

#include "gateway/gateway.hpp"
#include "gateway/unix_time.hpp"
#include "metrics/shard.hpp"

namespace tollgate {

namespace {

bool is_input(std::string_view token_class) { return !token_class.starts_with("output") && token_class != "reasoning"; }

void add_row(const CostsReport& report, const CostsRow& row, EarlierToday& into) {
  DaySums& sums = into.sums;
  const auto count = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  sums.requests += count(row.requests);
  if (row.labels.front() != RowResult::ok().name()) sums.failed += count(row.requests);
  sums.attempts += count(row.attempts);
  sums.unpriced += count(row.unpriced);
  sums.spend += row.known_usd();
  for (std::size_t i = 0; i < report.kinds.size(); ++i) {
    if (report.kinds[i] == name_of(ChargeKind::gpu)) sums.gpu += row.spend[i];
  }
  for (std::size_t i = 0; i < report.token_classes.size(); ++i) {
    if (report.token_classes[i] == "reasoning") continue;  // is part of output
    (is_input(report.token_classes[i]) ? sums.input_tokens : sums.output_tokens) += row.tokens[i];
  }
  for (const auto& [name, theirs] : row.baselines) {
    sums.baselines[Names::global().intern(name)] +=
        DayBaseline{count(theirs.compared), count(theirs.unknown), theirs.baseline, theirs.actual};
  }
}

/// How many gateways the pool's bill in the ledger is of.
std::int64_t gateways_of(const Config& config, std::string_view pool) {
  for (const Backend& backend : config.backends) {
    if (backend.pool && text(backend.pool->name) == pool) return backend.pool->gateways;
  }
  return 1;
}

/// Of this gateway alone, as everything else on the page; of a divided pool's bill its part.
Result<EarlierToday> read_ledger(Accounts& accounts, const Config& config, std::int64_t since_us, std::int64_t until_us) {
  EarlierToday earlier;
  const LedgerPlace place = config.ledger.place();
  TOLLGATE_TRY(const std::unique_ptr<LedgerReader> ledger, LedgerReader::open(place));
  TOLLGATE_TRY(const CostsReport report, ledger->costs({since_us, until_us, {Dimension::outcome}, config.ledger.path}));
  for (const CostsRow& row : report.rows) add_row(report, row, earlier);
  // The recorder writes up to this moment, also the time in which no gateway ran, to the hours it belongs to.
  accounts.flush();
  for (const PoolStatus& pool : accounts.pools()) earlier.counted[std::string(text(pool.pool))] = pool.billed;
  TOLLGATE_TRY(const PoolHoursReport hours, ledger->pool_hours({since_us, unix_micros(), {PoolDimension::pool}}));
  for (const PoolHoursRow& row : hours.rows) {
    const std::string& pool = row.labels.front();
    const std::int64_t gateways = place.is_postgres() ? gateways_of(config, pool) : 1;
    earlier.pool_bills[pool] += UsdSum{row.lines.billed.picodollars() / gateways};
  }
  return earlier;
}

}  // namespace

LiveView::LiveView(Gateway& gateway) : gateway_(gateway), started_us_(unix_micros()), day_(started_us_ / day_us) {
  reader_ = std::thread([this, config = gateway.config()] {
    Result<EarlierToday> read = read_ledger(gateway_.accounts(), *config, started_us_ / day_us * day_us, started_us_);
    EarlierToday earlier;
    if (read) {
      earlier = std::move(read.value());
    } else {
      earlier.error = read.error().message;
    }
    const std::lock_guard lock(mutex_);
    earlier_ = std::move(earlier);
  });
  tick(std::chrono::steady_clock::now());
  // The first requests are those that somebody sends to see what happens.
  for (const auto& reactor : gateway_.reactors()) reactor->decisions().allow(sampled_at_once, sampled_at_once);
}

LiveView::~LiveView() { reader_.join(); }

LiveSample LiveView::sample(MonoTime now) const {
  LiveSample sample;
  sample.at = now;
  const ShardTotals totals = gateway_.accounts().totals();
  sample.requests = totals.settled;
  for (const auto& [labels, sums] : totals.spend) {
    LiveSample::OfTarget& target = sample.targets[labels.target];
    for (std::size_t kind = 0; kind < charge_kind_count; ++kind) {
      target.spend += sums.usd[kind];
      if (kind != static_cast<std::size_t>(ChargeKind::gpu)) sample.bill += sums.usd[kind];
    }
  }
  for (const auto& [target, of] : totals.targets) {
    LiveSample::OfTarget& into = sample.targets[target];
    for (std::size_t i = 0; i < result_count; ++i) {
      into.attempts += of.attempts[i];
      if (!result_at(i).is_ok() && !result_at(i).is_lost_hedge()) into.failed += of.attempts[i];
    }
  }
  for (const auto& [target, of] : sample.targets) sample.spend += of.spend;
  for (const PoolStatus& pool : gateway_.accounts().pools()) {
    sample.bill += pool.billed;
    sample.pool_bills[pool.pool] = pool.billed - pool.foreign;
  }
  sample.worth = gateway_.accounts().committed().worth;
  return sample;
}

void LiveView::roll_day(std::int64_t day) {
  if (day <= day_) return;
  day_ = day;
  at_midnight_.clear();
  for (const PoolStatus& pool : gateway_.accounts().pools()) at_midnight_[std::string(text(pool.pool))] = pool.billed;
}

void LiveView::tick(MonoTime now) {
  roll_day(unix_micros() / day_us);
  samples_.push_back(sample(now));
  while (samples_.size() > 2 && samples_[1].at <= now - history_span) samples_.pop_front();
  const int more = *watchers_ > 0 ? sampled_watched : sampled;
  for (const auto& reactor : gateway_.reactors()) reactor->decisions().allow(more, sampled_at_once);
  take_decisions();
  overview_.clear();
}

const std::string& LiveView::overview_of_tick() {
  if (overview_.empty()) overview_ = overview();
  return overview_;
}

void LiveView::take_decisions() {
  std::vector<DecisionPtr> news;
  for (const auto& reactor : gateway_.reactors()) {
    std::vector<DecisionPtr> taken = reactor->decisions().take();
    news.insert(news.end(), taken.begin(), taken.end());
  }
  const auto end_of = [](const DecisionPtr& decision) { return decision->request.arrived_us + decision->duration_us; };
  std::stable_sort(news.begin(), news.end(),
                   [&](const DecisionPtr& a, const DecisionPtr& b) { return end_of(a) < end_of(b); });
  for (DecisionPtr& decision : news) decisions_.push_front(std::move(decision));
  decisions_seen_ += news.size();
  while (decisions_.size() > decisions_max) decisions_.pop_back();
}

const std::deque<DecisionPtr>& LiveView::decisions() {
  take_decisions();
  return decisions_;
}

DecisionPtr LiveView::decision(std::string_view id) {
  for (const DecisionPtr& decision : decisions()) {
    if (text(decision->request.id).view() == id) return decision;
  }
  return nullptr;
}

std::uint64_t LiveView::decisions_seen() {
  take_decisions();
  return decisions_seen_;
}

std::vector<DecisionPtr> LiveView::decisions_after(std::uint64_t count) {
  take_decisions();
  const std::uint64_t fresh =
      std::min<std::uint64_t>(decisions_seen_ - std::min(count, decisions_seen_), decisions_.size());
  return {decisions_.begin(), decisions_.begin() + static_cast<std::ptrdiff_t>(fresh)};
}

LiveView::Rates LiveView::rates(std::chrono::seconds span) const {
  Rates rates;
  const LiveSample& to = samples_.back();
  const LiveSample* from = &samples_.front();
  for (const LiveSample& sample : samples_) {
    if (sample.at <= to.at - span) from = &sample;
  }
  rates.seconds = std::chrono::duration<double>(to.at - from->at).count();
  rates.spend = to.spend - from->spend;
  rates.bill = to.bill - from->bill;
  rates.requests = to.requests - from->requests;
  for (const auto& [target, now] : to.targets) {
    const auto before = from->targets.find(target);
    LiveSample::OfTarget& of = rates.targets[target];
    of = now;
    if (before == from->targets.end()) continue;
    of.attempts -= before->second.attempts;
    of.failed -= before->second.failed;
    of.spend -= before->second.spend;
  }
  return rates;
}

LiveView::Today LiveView::today() const {
  Today today;
  today.sums = gateway_.accounts().committed().on(day_);
  const bool began_today = started_us_ / day_us == day_;
  EarlierToday earlier;
  {
    const std::lock_guard lock(mutex_);
    today.complete = !began_today || (earlier_ && earlier_->error.empty());
    if (began_today && earlier_) earlier = *earlier_;
  }
  today.error = earlier.error;
  today.sums += earlier.sums;
  today.pools = earlier.pool_bills;
  const std::map<std::string, UsdSum>& counted = began_today ? earlier.counted : at_midnight_;
  for (const PoolStatus& pool : gateway_.accounts().pools()) {
    const std::string name(text(pool.pool));
    const auto before = counted.find(name);
    today.pools[name] += before == counted.end() ? pool.billed : pool.billed - before->second;
  }
  for (const auto& [name, bill] : today.pools) today.hardware += bill;
  return today;
}

LiveView::BreakEven LiveView::break_even(NameId pool, NameId baseline, double busy_ratio) const {
  BreakEven point;
  const LiveSample& from = samples_.front();
  const LiveSample& to = samples_.back();
  point.seconds = std::chrono::duration<double>(to.at - from.at).count();
  const auto bill_at = [pool](const LiveSample& sample) {
    const auto found = sample.pool_bills.find(pool);
    return found == sample.pool_bills.end() ? UsdSum{} : found->second;
  };
  point.bill = bill_at(to) - bill_at(from);
  const ServingPtr serving = gateway_.serving();
  for (const Target& target : serving->config->targets) {
    const Backend& backend = serving->config->backend_of(target);
    if (!backend.pool || backend.pool->name != pool) continue;
    const auto worth_at = [&](const LiveSample& sample) {
      const auto found = sample.worth.find({baseline, target.id});
      return found == sample.worth.end() ? UsdSum{} : found->second;
    };
    point.worth += worth_at(to) - worth_at(from);
  }
  const Int128 worth = point.worth.picodollars();
  if (worth <= 0 || point.bill.picodollars() <= 0 || busy_ratio <= 0) return point;
  point.ratio = busy_ratio * static_cast<double>(point.bill.picodollars()) / static_cast<double>(worth);
  return point;
}

bool LiveView::scraped_lately() const noexcept {
  return scraped_at_ && std::chrono::steady_clock::now() - *scraped_at_ < scrape_forgotten;
}

}  // namespace tollgate
