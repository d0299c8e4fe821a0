#include "metrics/shard.hpp"

#include <algorithm>
#include <cmath>

namespace tollgate {
namespace {

std::uint64_t bits(NameId name) noexcept { return static_cast<std::uint32_t>(name); }
NameId name_from(std::uint64_t packed, int shift) noexcept {
  return NameId{static_cast<std::uint32_t>((packed >> shift) & 0xFFFF)};
}
static_assert(Names::names_max <= 0x10000, "packed keys give a name 16 bits");

std::uint64_t count_of(TokenCount tokens) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(tokens.count(), 0));
}

template <class Cell, class Make>
Cell& add_cell(std::mutex& growth, std::deque<Cell>& cells, boost::unordered_flat_map<std::uint64_t, Cell*>& by_key,
               std::uint64_t key, Make&& make) {
  const std::lock_guard lock(growth);
  Cell& cell = make(cells);
  by_key.emplace(key, &cell);
  return cell;
}

}  // namespace

std::uint64_t RequestLabels::packed() const noexcept {
  return bits(route) | bits(target) << 16 | bits(team) << 32 | static_cast<std::uint64_t>(tier) << 48 |
         static_cast<std::uint64_t>(outcome.value) << 56;
}

RequestLabels RequestLabels::of(std::uint64_t packed) noexcept {
  return {name_from(packed, 0), name_from(packed, 16), name_from(packed, 32), static_cast<Tier>((packed >> 48) & 0xFF),
          RowResult{static_cast<std::uint8_t>(packed >> 56)}};
}

Shard::Shard() : other_(Names::global().intern("other")) {}

Shard::RequestCell& Shard::cell_of(RequestLabels labels) noexcept {
  std::uint64_t key = labels.packed();
  if (const auto found = requests_.by_key.find(key); found != requests_.by_key.end()) return *found->second;
  if (requests_.cells.size() >= cells_max && labels.team != other_) {
    labels.team = other_;
    return cell_of(labels);
  }
  return add_cell(growth_, requests_.cells, requests_.by_key, key, [key](auto& cells) -> RequestCell& {
    RequestCell& cell = cells.emplace_back();
    cell.labels = key;
    return cell;
  });
}

Shard::SpendCell& Shard::cell_of(SpendLabels labels) noexcept {
  const std::uint64_t key = bits(labels.target) | bits(labels.team) << 16;
  if (const auto found = spend_.by_key.find(key); found != spend_.by_key.end()) return *found->second;
  if (spend_.cells.size() >= cells_max && labels.team != other_) return cell_of(SpendLabels{labels.target, other_});
  return add_cell(growth_, spend_.cells, spend_.by_key, key, [labels](auto& cells) -> SpendCell& {
    SpendCell& cell = cells.emplace_back();
    cell.labels = labels;
    return cell;
  });
}

Shard::TargetCell& Shard::cell_of(NameId target) noexcept {
  const std::uint64_t key = bits(target);
  if (const auto found = targets_.by_key.find(key); found != targets_.by_key.end()) return *found->second;
  return add_cell(growth_, targets_.cells, targets_.by_key, key, [target](auto& cells) -> TargetCell& {
    TargetCell& cell = cells.emplace_back();
    cell.target = target;
    return cell;
  });
}

void Shard::settled(const OpenRequest& request, const RequestClosing& closing) noexcept {
  const RequestRow& row = request.row;
  RequestCell& cell = cell_of(RequestLabels{row.route, row.target, row.team, row.tier, row.result});
  for (std::size_t i = 0; i < row.attempts; ++i) {
    for (const Usd line : request.attempts[i].charge.lines) cell.usd.add(line);
    attempted(request.attempts[i], row);
  }
  settled_.add(1);
  if (row.purpose != Purpose::client) return;  // money like any other, but nobody asked and nobody waited
  cell.count.add(1);
  if (closing.first_token.count() >= 0 && row.attempts > 0) {
    cell_of(row.target).first_token.observe(closing.first_token.count());
  }
  overhead_.observe(closing.overhead.count());
  duration_.observe(closing.duration.count());
  if (row.route != NameId::none) score_.observe(std::lround(static_cast<double>(row.complexity) * 1e6));
}

void Shard::reported(NameId target, Usd said, Usd by_prices) noexcept {
  TargetCell& cell = cell_of(target);
  cell.reported.add(said);
  cell.by_prices.add(by_prices);
}

void Shard::attempted(const AttemptRow& attempt, const RequestRow& row) noexcept {
  TargetCell& of_target = cell_of(attempt.target);
  if (row.purpose == Purpose::client) of_target.attempts[index_of(attempt.result)].add(1);
  if (attempt.pricing == Pricing::unpriced) of_target.unpriced.add(1);
  usage_sources_[std::min<std::size_t>(static_cast<std::size_t>(attempt.usage_source), usage_source_count - 1)].add(1);
  const Usage& usage = attempt.usage;
  if (row.stream && attempt.result.is_ok() && attempt.first_token_us > 0 && usage.total_output().count() > 1 &&
      attempt.ended_us > attempt.first_token_us) {
    of_target.per_token.observe((attempt.ended_us - attempt.first_token_us) * 1000 / (usage.total_output().count() - 1));
  }
  SpendCell& spend = cell_of(SpendLabels{attempt.target, row.team});
  for (std::size_t kind = 0; kind < charge_kind_count; ++kind) spend.usd[kind].add(attempt.charge.lines[kind]);
  spend.tokens[static_cast<std::size_t>(TokenType::input)].add(count_of(usage.input));
  spend.tokens[static_cast<std::size_t>(TokenType::cached_input)].add(count_of(usage.cached_input));
  spend.tokens[static_cast<std::size_t>(TokenType::cache_write)].add(count_of(usage.cache_write));
  spend.tokens[static_cast<std::size_t>(TokenType::output)].add(count_of(usage.output));
  for (std::size_t i = 0; i < rare_class_count; ++i) {
    if (usage.rare[i] > 0) spend.tokens[4 + i].add(static_cast<std::uint64_t>(usage.rare[i]));
  }
  spend.reasoning_tokens.add(count_of(usage.reasoning));
}

void Shard::add_to(ShardTotals& totals) const {
  const std::lock_guard lock(growth_);
  for (const RequestCell& cell : requests_.cells) {
    totals.requests[cell.labels] += cell.count.value();
    const RequestLabels labels = RequestLabels::of(cell.labels);
    totals.routes[{labels.route, labels.tier}] += cell.usd.value();
  }
  for (const SpendCell& cell : spend_.cells) {
    ShardTotals::Spend& sum = totals.spend[cell.labels];
    for (std::size_t i = 0; i < charge_kind_count; ++i) sum.usd[i] += cell.usd[i].value();
    for (std::size_t i = 0; i < token_type_count; ++i) sum.tokens[i] += cell.tokens[i].value();
    sum.reasoning_tokens += cell.reasoning_tokens.value();
  }
  for (const TargetCell& cell : targets_.cells) {
    ShardTotals::OfTarget& sum = totals.targets[cell.target];
    for (std::size_t i = 0; i < result_count; ++i) sum.attempts[i] += cell.attempts[i].value();
    sum.unpriced += cell.unpriced.value();
    sum.reported += cell.reported.value();
    sum.by_prices += cell.by_prices.value();
    cell.first_token.add_to(sum.first_token);
    cell.per_token.add_to(sum.per_token);
  }
  for (std::size_t i = 0; i < usage_source_count; ++i) totals.usage_sources[i] += usage_sources_[i].value();
  for (std::size_t i = 0; i < result_count; ++i) totals.refused[i] += refused_[i].value();
  totals.settled += settled_.value();
  overhead_.add_to(totals.overhead);
  duration_.add_to(totals.duration);
  score_.add_to(totals.score);
}

}  // namespace tollgate
