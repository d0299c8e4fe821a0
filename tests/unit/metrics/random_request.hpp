#pragma once
// Random settled requests, for tests that write the same rows twice.

#include "testing.hpp"

namespace tollgate::testing {

inline constexpr std::int64_t random_begin_us = 1'790'000'000'000'000 / 86'400'000'000 * 86'400'000'000;

/// A name of a few.
inline NameId any_of(std::mt19937_64& random, const char* kind, unsigned count) {
  return Names::global().intern(std::string(kind) + "-" + std::to_string(random() % count));
}

inline Fault any_fault(std::mt19937_64& random) {
  if (random() % 6 == 0) return Fault::hedge_lost;
  return static_cast<Fault>(random() % (static_cast<unsigned>(Fault::io_failed) + 1));
}

/// Within three days of random_begin_us; rising with `n`.
inline OpenRequest random_settled(std::mt19937_64& random, std::int64_t n) {
  OpenRequest open;
  RequestRow& row = open.row;
  row.arrived_us = random_begin_us + n * 3'600'000'000 / 4 + static_cast<std::int64_t>(random() % 1'000'000);
  row.id = next_request_id(7, row.arrived_us);
  row.ended_us = row.arrived_us + static_cast<std::int64_t>(random() % 9'000'000);
  row.model = any_of(random, "Modell-ä", 3);
  row.route = any_of(random, "route", 3);
  row.team = random() % 5 == 0 ? Names::global().intern("") : any_of(random, "Team", 4);
  row.key = any_of(random, "key'\"\\", 3);
  row.complexity = static_cast<float>(random() % 1'000'001) / 1e6F;
  row.tier = static_cast<Tier>(random() % tier_count);
  row.surface = static_cast<Surface>(random() % 3);
  row.stream = random() % 2 == 0;
  row.result = random() % 3 == 0 ? RowResult::of(any_fault(random)) : RowResult::ok();
  row.http_status = static_cast<std::int16_t>(200 + random() % 304);
  row.attempts = static_cast<std::uint8_t>(random() % 4);
  row.recovered = random() % 9 == 0;
  row.input_bytes = static_cast<std::int32_t>(random() % 1'000'000);
  row.purpose = random() % 4 == 0 ? static_cast<Purpose>(random() % 4) : Purpose::client;
  if (random() % 2 == 0) {
    row.rules = any_of(random, "rules", 2);
    row.covered = random();
    row.masked = static_cast<std::uint8_t>(random() % 4);
  }
  if (random() % 5 == 0) {  // the response cache answered it
    row.attempts = 0;
    row.result = RowResult::ok();
    row.purpose = Purpose::client;
    row.cached_from = any_of(random, "back/end", 4);
    row.cached_origin = RequestId{static_cast<std::int64_t>(row.id) - static_cast<std::int64_t>(random() % 1'000'000) - 1};
    row.saved_known = random() % 4 != 0;
    row.saved = Usd{static_cast<std::int64_t>(random() % 700'000'000'000'000'000)};
    row.cached_masked = random() % 2 == 0;
  }
  for (std::uint8_t i = 0; i < row.attempts; ++i) {
    AttemptRow& attempt = open.attempts[i];
    attempt.number = static_cast<std::uint8_t>(i + 1);
    attempt.target = any_of(random, "back/end", 4);
    row.target = attempt.target;
    attempt.result = random() % 2 == 0 ? RowResult::ok() : RowResult::of(any_fault(random));
    attempt.usage_source = static_cast<UsageSource>(random() % 4);
    attempt.pool_method = static_cast<PoolMethod>(random() % 4);
    attempt.pricing = static_cast<Pricing>(random() % 3);
    attempt.ended = true;
    attempt.http_status = 200;
    attempt.started_us = row.arrived_us + i * 1000;
    attempt.first_token_us = random() % 2 == 0 ? 0 : attempt.started_us + 500;
    attempt.ended_us = attempt.started_us + 900;
    attempt.usage = usage_of(static_cast<std::int64_t>(random() % 100'000), static_cast<std::int64_t>(random() % 9'000));
    attempt.usage.cached_input = TokenCount{static_cast<std::int64_t>(random() % 100)};
    for (Usd& line : attempt.charge.lines) {
      line = random() % 3 == 0 ? Usd{static_cast<std::int64_t>(random() % 700'000'000'000'000'000)} : Usd{};
    }
    if (random() % 3 == 0) {
      attempt.service_tier = any_of(random, "tier", 2);
      for (std::int32_t& tokens : attempt.usage.rare) tokens = static_cast<std::int32_t>(random() % 1'000);
    }
  }
  if (random() % 2 == 0) {
    open.notes.features.version = 3;
    open.notes.features.size = static_cast<std::uint8_t>(random() % 40);
    for (auto& byte : open.notes.features.bytes) byte = static_cast<std::uint8_t>(random());
    open.notes.flags = static_cast<std::uint16_t>(random() % 16);
    open.notes.input_tokens = static_cast<std::int32_t>(random() % 10'000);
    open.notes.output_tokens_max = random() % 2 == 0 ? -1 : 512;
    open.notes.of = row.id;
  }
  if (random() % 2 == 0) {
    open.facts.asked = any_of(random, "asked", 2);
    open.facts.of = row.id;
  }
  return open;
}

}  // namespace tollgate::testing
