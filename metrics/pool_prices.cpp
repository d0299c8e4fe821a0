#include "metrics/pool_prices.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace tollgate {
namespace {

std::optional<Usd> per_million(UsdSum money, std::uint64_t tokens) {
  constexpr Int128 million = 1'000'000;
  constexpr Int128 most = std::numeric_limits<std::int64_t>::max();
  if (tokens == 0 || money.picodollars() < 0) return std::nullopt;
  const Int128 price = divide_half_even(money.picodollars() * million, static_cast<Int128>(tokens));
  return Usd{static_cast<std::int64_t>(std::min(price, most))};
}

std::optional<Usd> busy_price(const PoolSample& from, const PoolSample& to) {
  return per_million(to.attributed - from.attributed, to.tokens - from.tokens);
}
std::optional<Usd> loaded_price(const PoolSample& from, const PoolSample& to) {
  return per_million((to.billed - from.billed) - (to.foreign - from.foreign), to.tokens - from.tokens);
}

/// Tokens per second; nullopt: too short a time to say.
std::optional<double> rate(const PoolSample& from, const PoolSample& to, std::chrono::seconds at_least) {
  const std::chrono::duration<double> time = to.at - from.at;
  if (time < at_least) return std::nullopt;
  std::uint64_t tokens = to.tokens - from.tokens;
  if (from.engine_tokens && to.engine_tokens && *to.engine_tokens >= *from.engine_tokens) {
    tokens = *to.engine_tokens - *from.engine_tokens;
  }
  return static_cast<double>(tokens) / time.count();
}

}  // namespace

std::string_view name_of(SaturationSource source) noexcept {
  static constexpr std::array<std::string_view, 4> names{"none", "peak", "learned", "configured"};
  return names[static_cast<std::size_t>(source)];
}

const PoolSample& PoolWindow::before(std::chrono::seconds age) const noexcept {
  const MonoTime then = samples_.back().at - age;
  auto from = std::upper_bound(samples_.begin(), samples_.end(), then,
                               [](MonoTime time, const PoolSample& sample) { return time < sample.at; });
  if (from != samples_.begin()) --from;
  // Counts of the engine are compared with its own only: from where they are known.
  while (samples_.back().engine_tokens && !from->engine_tokens) ++from;
  return *from;
}

void PoolWindow::learn() {
  const PoolSample& from = before(learn_span);
  const PoolSample& to = samples_.back();
  const auto seen = rate(from, to, learn_span);
  if (!seen) return;
  peak_ = std::max(peak_, *seen);
  if (from.queue && to.queue) learned_ = std::max(learned_, *seen);
}

void PoolWindow::add(const PoolSample& sample) {
  if (!samples_.empty() && sample.at <= samples_.back().at) return;
  if (!first_) first_ = sample;
  samples_.push_back(sample);
  while (samples_.size() > 2 && samples_[1].at <= sample.at - span) samples_.pop_front();
  learn();
}

PoolPrices PoolWindow::prices(std::int64_t saturation) const {
  constexpr std::chrono::seconds rate_least{5};
  PoolPrices prices;
  if (samples_.empty()) return prices;
  const PoolSample& from = samples_.front();
  const PoolSample& to = samples_.back();
  prices.busy = busy_price(from, to);
  prices.loaded = loaded_price(from, to);
  prices.busy_since_start = busy_price(*first_, to);
  prices.loaded_since_start = loaded_price(*first_, to);
  prices.tokens_per_second = rate(before(rate_span), to, rate_least);
  if (saturation > 0) {
    prices.saturation_tokens_per_second = static_cast<double>(saturation);
    prices.saturation_source = SaturationSource::configured;
  } else if (learned_ > 0 || peak_ > 0) {
    prices.saturation_tokens_per_second = learned_ > 0 ? learned_ : peak_;
    prices.saturation_source = learned_ > 0 ? SaturationSource::learned : SaturationSource::peak;
  }
  if (prices.saturation_source != SaturationSource::none && prices.tokens_per_second) {
    prices.load_ratio = *prices.tokens_per_second / prices.saturation_tokens_per_second;
  }
  const bool known_full =
      prices.saturation_source == SaturationSource::configured && prices.load_ratio.value_or(0) >= 1;
  if (to.full || known_full) {
    prices.marginal = prices.busy;
  } else {
    prices.marginal = Usd{};
  }
  return prices;
}

}  // namespace tollgate
