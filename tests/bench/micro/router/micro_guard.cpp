// What constraints cost: detection of personal data and secrets, keywords, masking, and the question before an attempt.
// The figures are in docs/routing/constraints.md.

#include <benchmark/benchmark.h>

#include <string>

#include "config/keywords.hpp"
#include "fleets.hpp"
#include "labelled_requests.hpp"
#include "router/mask.hpp"
#include "router/screening.hpp"

namespace tollgate {
namespace {

using testing::Fleet;

std::string body_of(std::string_view piece, std::size_t bytes) {
  std::string body = R"({"model":"auto","messages":[{"role":"user","content":")";
  while (body.size() < bytes) body.append(piece);
  body.resize(bytes);
  while ((static_cast<unsigned char>(body.back()) & 0xC0U) == 0x80U) body.pop_back();  // no half character at the end
  while (static_cast<unsigned char>(body.back()) >= 0xC0 || body.back() == '\\') body.pop_back();
  return body + "\"}]}";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out;
}

void screen(benchmark::State& state, std::string_view piece) {
  const std::string body = body_of(piece, static_cast<std::size_t>(state.range(0)));
  const ChatView chat;
  for (auto _ : state) {
    const Screening screening(chat, body);
    benchmark::DoNotOptimize(screening.kinds());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void screen_prose(benchmark::State& state) { screen(state, escaped(testing::article) + "\\n"); }
void screen_code(benchmark::State& state) { screen(state, escaped(testing::code) + "\\n"); }
void screen_chinese(benchmark::State& state) { screen(state, "请分析这个分布式系统的设计，并逐步证明它的一致性。"); }
void screen_table_of_numbers(benchmark::State& state) {
  screen(state, R"(10034567;12,50;2026-11-01;0.1234567 1700000000 4711\n)");
}
void screen_address_list(benchmark::State& state) {
  screen(state, R"(Eva Brandt, eva.brandt@firma.example, +49 171 1234567, DE58266869409447879091\n)");
}
/// Marks of secrets and nothing else: the worst that is known.
void screen_marks(benchmark::State& state) { screen(state, state.range(1) == 0 ? "sk-" : "password="); }
BENCHMARK(screen_marks)->Args({64 << 10, 0})->Args({64 << 10, 1})->Unit(benchmark::kMicrosecond);
BENCHMARK(screen_prose)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);
BENCHMARK(screen_code)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);
BENCHMARK(screen_chinese)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);
BENCHMARK(screen_table_of_numbers)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);
BENCHMARK(screen_address_list)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);

void find_keywords(benchmark::State& state) {
  const std::string body = body_of(escaped(testing::article) + "\\n", static_cast<std::size_t>(state.range(0)));
  std::vector<std::string> words;
  for (int i = 0; i < 1000; ++i) words.push_back("project codename" + std::to_string(i));
  const Keywords keywords(words);
  const ChatView chat;
  for (auto _ : state) {
    const Screening screening(chat, body);
    benchmark::DoNotOptimize(screening.mentions(keywords));
  }
}
BENCHMARK(find_keywords)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);

void mask_body(benchmark::State& state) {
  const std::string body = body_of(escaped(testing::article) + " mail eva.brandt@firma.example\\n",
                                   static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(mask(body, usual_pii_kinds, {}, 64));
}
BENCHMARK(mask_body)->Arg(1 << 10)->Arg(64 << 10)->Unit(benchmark::kMicrosecond);

/// A route's request in a configuration without constraints, with constraints on headers only, and with one on the text
/// that was read already.
void ask_permission(benchmark::State& state) {
  Fleet fleet;
  fleet.pool("home", "m", 1.0);
  fleet.managed("cloud", "m", 1.0, 1, 1);
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    Constraint& constraint = fleet.constraint("c" + std::to_string(i));
    constraint.trust = Trust::internal;
    if (i == 3) {
      constraint.when.pii = usual_pii_kinds;
    } else {
      constraint.when.headers.push_back({"x-data-class", {"phi"}});
    }
  }
  const ChatView chat;
  const std::string body = body_of(escaped(testing::article), 64 << 10);
  const Screening screening(chat, body);
  RequestFacts facts{&chat, fleet.complexity, fleet.headers, {}, {}};
  facts.screening = &screening;
  for (auto _ : state) {
    const Permission permission = permits(facts, fleet.config, fleet.config.targets[1]);
    benchmark::DoNotOptimize(&permission);
  }
}
BENCHMARK(ask_permission)->Arg(0)->Arg(3)->Arg(4);

}  // namespace
}  // namespace tollgate
