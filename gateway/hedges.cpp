#include "gateway/hedges.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "gateway/series_of.hpp"

namespace tollgate {
namespace {

constexpr std::array<std::string_view, 6> names{"won", "lost", "failed", "cut_short", "no_share", "no_target"};

}  // namespace

void HedgeShare::request(double share_max) noexcept {
  left_ = std::min<std::int64_t>(left_ + std::llround(share_max * static_cast<double>(one)), saved_max);
}

bool HedgeShare::take() noexcept {
  if (left_ < one) return false;
  left_ -= one;
  return true;
}

void Hedges::count(NameId route, NameId target, What what) {
  Cell*& known = by_labels_[{route, target, what}];
  if (known == nullptr) {
    const std::lock_guard lock(growth_);
    known = &cells_.emplace_back();
    known->labels = {route, target, what};
  }
  known->count.add(1);
}

void Hedges::add_to(Totals& totals) const {
  const std::lock_guard lock(growth_);
  for (const Cell& each : cells_) totals[each.labels] += each.count.value();
}

void collect_hedges(const Hedges::Totals& totals, std::vector<prometheus::MetricFamily>& families) {
  using prometheus::MetricType;
  const auto name = [](Hedges::What what) { return std::string(names[static_cast<std::size_t>(what)]); };
  prometheus::MetricFamily& made =
      series_of(families, "tollgate_hedges_total", MetricType::Counter, "route,target,result",
                "Second attempts made beside a slow first one, by where they went and what became of them: won (it answered first), lost, "
                "failed, cut_short (the request ended before either answered).");
  for (const auto& [labels, count] : totals) {
    if (labels.what >= Hedges::What::no_share) continue;
    add_sample(made, static_cast<double>(count),
               {{"route", std::string(text(labels.route))}, {"target", std::string(text(labels.target))}, {"result", name(labels.what)}});
  }
  prometheus::MetricFamily& left_out =
      series_of(families, "tollgate_hedges_left_out_total", MetricType::Counter, "route,reason",
                "Slow first attempts that got no second one beside them: no_share (share_max is used up), no_target (none may or can take it).");
  for (const auto& [labels, count] : totals) {
    if (labels.what < Hedges::What::no_share) continue;
    add_sample(left_out, static_cast<double>(count), {{"route", std::string(text(labels.route))}, {"reason", name(labels.what)}});
  }
}

}  // namespace tollgate
