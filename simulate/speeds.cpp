#include "simulate/speeds.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace tollgate::simulate {
namespace {

constexpr std::size_t rows_max = 50'000;         // of a target; of more, every n-th
constexpr std::size_t samples_min = 5;           // fewer say nothing
constexpr double slowed = 1.3;                   // a request that took so many times what it takes alone met others
constexpr std::size_t slowed_rows_min = 20;

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Slope and level of y over x, the slope not below 0.
std::pair<double, double> line(const std::vector<std::pair<double, double>>& points) {
  double sx = 0, sy = 0, sxx = 0, sxy = 0;
  const auto n = static_cast<double>(points.size());
  for (const auto& [x, y] : points) {
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
  }
  const double spread = n * sxx - sx * sx;
  double slope = spread > 1e-9 ? (n * sxy - sx * sy) / spread : 0;
  slope = std::max(slope, 0.0);
  const double level = (sy - slope * sx) / n;
  if (level >= 0) return {slope, level};
  return {sx > 0 ? sy / sx : 0, 0};
}

/// A x = b for three unknowns by elimination; false: it has no one solution.
bool solve(std::array<std::array<double, 4>, 3>& m, std::array<double, 3>& x) {
  for (std::size_t c = 0; c < 3; ++c) {
    std::size_t pivot = c;
    for (std::size_t r = c; r < 3; ++r) pivot = std::abs(m[r][c]) > std::abs(m[pivot][c]) ? r : pivot;
    if (std::abs(m[pivot][c]) < 1e-6) return false;
    std::swap(m[c], m[pivot]);
    for (std::size_t r = 0; r < 3; ++r) {
      if (r == c) continue;
      const double factor = m[r][c] / m[c][c];
      for (std::size_t k = c; k < 4; ++k) m[r][k] -= factor * m[c][k];
    }
  }
  for (std::size_t i = 0; i < 3; ++i) x[i] = m[i][3] / m[i][i];
  return true;
}

/// Whole answers, of which no first token is known.
void fit_whole(const std::vector<TimedRow>& rows, TargetSpeed& speed) {
  std::array<std::array<double, 4>, 3> m{};
  for (const TimedRow& row : rows) {
    const std::array<double, 4> v{1, row.input, row.output, row.took_us};
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t k = 0; k < 4; ++k) m[i][k] += v[i] * v[k];
    }
  }
  std::array<double, 3> x{};
  if (solve(m, x) && x[0] >= 0 && x[1] >= 0 && x[2] >= 0) {
    speed.overhead_us = x[0];
    speed.us_per_input = x[1];
    speed.us_per_output = x[2];
    return;
  }
  std::vector<std::pair<double, double>> by_output;
  for (const TimedRow& row : rows) by_output.emplace_back(row.output, row.took_us);
  std::tie(speed.us_per_output, speed.overhead_us) = line(by_output);
}

void fit_streams(const std::vector<TimedRow>& rows, TargetSpeed& speed) {
  std::vector<std::pair<double, double>> first;
  std::vector<double> each;
  for (const TimedRow& row : rows) {
    first.emplace_back(row.input, row.first_us);
    if (row.output > 1) each.push_back(std::max(0.0, row.took_us - row.first_us) / (row.output - 1));
  }
  speed.us_per_output = median(each);
  std::tie(speed.us_per_input, speed.overhead_us) = line(first);
  speed.overhead_us = std::max(0.0, speed.overhead_us - speed.us_per_output);
}

/// Of attempts in the order they began: how many others were at work at the same pool, in the mean of their beginning and their end.
void count_company(std::vector<std::pair<std::int64_t, std::int64_t>> spans, std::vector<double>& company) {
  std::vector<std::int64_t> begins, ends;
  for (const auto& [from, to] : spans) {
    begins.push_back(from);
    ends.push_back(to);
  }
  std::sort(begins.begin(), begins.end());
  std::sort(ends.begin(), ends.end());
  const auto at_work = [&](std::int64_t at) {
    const auto begun = std::upper_bound(begins.begin(), begins.end(), at) - begins.begin();
    const auto ended = std::lower_bound(ends.begin(), ends.end(), at) - ends.begin();
    return static_cast<double>(begun - ended);
  };
  for (const auto& [from, to] : spans) company.push_back((at_work(from) + at_work(to)) / 2 - 1);
}

struct Gathered {
  std::vector<TimedRow> rows;
  std::vector<std::size_t> target;   // of each
};

constexpr std::size_t nowhere = SIZE_MAX;

class Measuring {
 public:
  Measuring(const Traffic& traffic, const Config& config) : traffic_(traffic), config_(config) {
    for (std::size_t i = 0; i < config.targets.size(); ++i) index_[config.targets[i].id] = i;
  }

  SpeedBook measure() {
    book_.targets.resize(config_.targets.size());
    book_.pools.resize(config_.backends.size());
    for (std::size_t backend = 0; backend < config_.backends.size(); ++backend) measure_backend(backend);
    guess_the_rest();
    for (std::size_t backend = 0; backend < config_.backends.size(); ++backend) size_pool(backend);
    return std::move(book_);
  }

 private:
  void measure_backend(std::size_t backend) {
    std::vector<std::pair<std::int64_t, std::int64_t>> spans;
    Gathered all;
    for (const RecordedRequest& request : traffic_.requests) {
      const RecordedTry* const tries = traffic_.tries_of(request);
      for (std::uint8_t i = 0; i < request.tries; ++i) {
        const RecordedTry& one = tries[i];
        const std::size_t target = index_of(one.target);
        if (target == nowhere || config_.targets[target].backend != backend || one.took_us() <= 0) continue;
        spans.emplace_back(request.arrived_us + one.started_after_us, request.arrived_us + one.ended_after_us);
        const bool usable = one.result.is_ok() && one.usage_source != UsageSource::none && one.usage.total_output().count() > 0;
        TimedRow row;
        row.input = static_cast<double>(one.usage.total_input().count());
        row.output = static_cast<double>(one.usage.total_output().count());
        row.took_us = static_cast<double>(one.took_us());
        if (request.stream && one.first_token_after_us >= 0) row.first_us = static_cast<double>(one.first_token_after_us - one.started_after_us);
        all.rows.push_back(row);
        all.target.push_back(usable ? target : nowhere);
      }
    }
    std::vector<double> company;
    count_company(std::move(spans), company);
    std::vector<std::vector<TimedRow>> by_target(config_.targets.size());
    for (std::size_t i = 0; i < all.rows.size(); ++i) {
      all.rows[i].company = company[i];
      if (all.target[i] != nowhere) by_target[all.target[i]].push_back(all.rows[i]);
    }
    PoolSpeed& pool = book_.pools[backend];
    std::vector<double> knees;
    for (std::size_t target = 0; target < by_target.size(); ++target) {
      const std::vector<TimedRow>& rows = by_target[target];
      if (rows.size() < samples_min) continue;
      TargetSpeed& speed = book_.targets[target];
      speed = fit(rows);
      speed.source = SpeedSource::measured;
      for (const TimedRow& row : rows) {
        most_at_once_ = std::max(most_at_once_, row.company + 1);
        const double alone = speed.time(row.input, row.output).whole_us;
        if (alone > 0 && row.took_us > slowed * alone && row.company >= 1) knees.push_back((row.company + 1) * alone / row.took_us);
      }
      pool.full_speed = std::max(pool.full_speed, most_at_once_);
    }
    most_at_once_ = 0;
    if (knees.size() >= slowed_rows_min && knees.size() * 100 >= all.rows.size()) {
      pool.full_speed = std::max(1.0, median(knees));
      pool.seen_full = true;
    }
  }

  [[nodiscard]] std::size_t index_of(NameId target) const {
    const auto found = index_.find(target);
    return found == index_.end() ? nowhere : found->second;
  }

  [[nodiscard]] static std::int64_t gpus_of(const Backend& backend) { return backend.pool ? backend.pool->gpus / std::max<std::int64_t>(backend.pool->replicas, 1) : 0; }

  bool guess_by_model(std::size_t target) {
    const Target& wanted = config_.targets[target];
    for (std::size_t other = 0; other < config_.targets.size(); ++other) {
      const Target& known = config_.targets[other];
      const Backend &a = config_.backend_of(wanted), &b = config_.backend_of(known);
      const bool same_hardware = a.pool.has_value() == b.pool.has_value() && (!a.pool || a.pool->gpu == b.pool->gpu) && gpus_of(a) == gpus_of(b);
      if (book_.targets[other].source != SpeedSource::measured || known.upstream != wanted.upstream || !same_hardware) continue;
      book_.targets[target] = book_.targets[other];
      book_.targets[target].source = SpeedSource::same_model;
      book_.targets[target].samples = 0;
      copied_from_[target] = other;
      return true;
    }
    return false;
  }

  bool guess_by_configuration(std::size_t target) {
    const Backend& backend = config_.backend_of(config_.targets[target]);
    TargetSpeed& speed = book_.targets[target];
    if (backend.simulated && backend.simulated->prefill_tokens_per_second > 0 && backend.simulated->decode_tokens_per_second > 0) {
      speed.us_per_input = 1e6 / backend.simulated->prefill_tokens_per_second;
      speed.us_per_output = 1e6 / backend.simulated->decode_tokens_per_second;
    } else if (backend.pool && backend.pool->token_weights.calibrated()) {
      speed.us_per_input = 1e6 / static_cast<double>(backend.pool->token_weights.prefill_per_second);
      constexpr double alone_per_second = 50;   // of one request, where only the sum of all is known
      speed.us_per_output = 1e6 / alone_per_second;
    } else {
      return false;
    }
    speed.source = SpeedSource::configured;
    return true;
  }

  void guess_the_rest() {
    std::vector<TimedRow> rows;
    for (std::size_t target = 0; target < book_.targets.size(); ++target) {
      if (book_.targets[target].source == SpeedSource::measured || guess_by_model(target) || guess_by_configuration(target)) continue;
      if (rows.empty()) rows = everything();
      book_.targets[target] = fit(rows);
      book_.targets[target].samples = 0;
      book_.targets[target].source = SpeedSource::everything;
    }
  }

  [[nodiscard]] std::vector<TimedRow> everything() const {
    std::vector<TimedRow> rows;
    const std::size_t every = traffic_.tries.size() / rows_max + 1;
    for (std::size_t i = 0; i < traffic_.tries.size(); i += every) {
      const RecordedTry& one = traffic_.tries[i];
      if (!one.result.is_ok() || one.usage.total_output().count() <= 0 || one.took_us() <= 0) continue;
      rows.push_back({static_cast<double>(one.usage.total_input().count()), static_cast<double>(one.usage.total_output().count()), -1,
                      static_cast<double>(one.took_us()), 0});
    }
    return rows;
  }

  void size_pool(std::size_t index) {
    const Backend& backend = config_.backends[index];
    if (!backend.pool) return;
    PoolSpeed& pool = book_.pools[index];
    const Pool& hardware = *backend.pool;
    double us_per_output = 0;
    unsigned concurrency = 0;
    for (std::size_t target = 0; target < config_.targets.size(); ++target) {
      if (config_.targets[target].backend != index) continue;
      us_per_output = std::max(us_per_output, book_.targets[target].us_per_output);
      concurrency = std::max(concurrency, config_.targets[target].concurrency_max);
      const auto twin = copied_from_.find(target);
      if (pool.full_speed <= 0 && twin != copied_from_.end()) {
        const PoolSpeed& other = book_.pools[config_.targets[twin->second].backend];
        const Backend& its = config_.backends[config_.targets[twin->second].backend];
        pool = other;
        pool.full_speed *= static_cast<double>(hardware.replicas) / static_cast<double>(its.pool ? its.pool->replicas : 1);
      }
    }
    if (backend.simulated) {
      const double alone = backend.simulated->decode_tokens_per_second, total = backend.simulated->decode_tokens_per_second_total;
      if (alone > 0 && total > 0) pool.full_speed = std::max(1.0, total / alone);
      pool.places = std::max(1U, backend.simulated->slots);
      pool.seen_full = true;
    } else if (hardware.token_weights.calibrated()) {
      pool.full_speed = std::max(1.0, static_cast<double>(hardware.token_weights.decode_per_second) * us_per_output / 1e6);
      pool.seen_full = true;
    } else if (!pool.seen_full) {
      pool.full_speed = std::max({pool.full_speed, static_cast<double>(concurrency), 1.0});
    }
    if (hardware.billing == Billing::serverless) {
      const double of_workers = static_cast<double>(hardware.serverless.requests_per_worker) * static_cast<double>(hardware.serverless.workers_max);
      pool.full_speed = of_workers;
      pool.places = std::max<std::uint32_t>(pool.places, static_cast<std::uint32_t>(of_workers));
    }
    if (concurrency > pool.places) pool.places = concurrency;
  }

  const Traffic& traffic_;
  const Config& config_;
  std::map<NameId, std::size_t> index_;
  std::map<std::size_t, std::size_t> copied_from_;
  double most_at_once_ = 0;
  SpeedBook book_;
};

}  // namespace

std::string_view name_of(SpeedSource source) noexcept {
  static constexpr std::array<std::string_view, 4> names{"measured", "same model elsewhere", "configured", "not known: as all traffic"};
  return names[static_cast<std::size_t>(source)];
}

TargetSpeed fit(std::vector<TimedRow> rows) {
  TargetSpeed speed;
  speed.samples = static_cast<std::int64_t>(rows.size());
  if (rows.empty()) return speed;
  if (rows.size() > rows_max) {
    const std::size_t every = rows.size() / rows_max + 1;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows.size(); i += every) rows[kept++] = rows[i];
    rows.resize(kept);
  }
  // Those with about the least company, and no fewer than tell something.
  std::stable_sort(rows.begin(), rows.end(), [](const TimedRow& a, const TimedRow& b) { return a.company < b.company; });
  if (const std::size_t few = std::max(rows.size() / 10, 4 * samples_min); rows.size() > few) {
    constexpr double about = 0.5;
    const double company = rows[few - 1].company + about;
    rows.erase(std::find_if(rows.begin(), rows.end(), [company](const TimedRow& row) { return row.company > company; }), rows.end());
  }
  std::vector<TimedRow> streams;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(streams), [](const TimedRow& row) { return row.first_us >= 0; });
  if (streams.size() >= samples_min) {
    fit_streams(streams, speed);
  } else {
    fit_whole(rows, speed);
  }
  // What the few parameters miss on the whole is put right by a common factor.
  double took = 0, said = 0;
  for (const TimedRow& row : rows) {
    took += row.took_us;
    said += speed.time(row.input, row.output).whole_us;
  }
  if (said > 0 && took > 0) {
    const double factor = took / said;
    speed.overhead_us *= factor;
    speed.us_per_input *= factor;
    speed.us_per_output *= factor;
  }
  return speed;
}

SpeedBook measure(const Traffic& traffic, const Config& config) { return Measuring(traffic, config).measure(); }

}  // namespace tollgate::simulate
