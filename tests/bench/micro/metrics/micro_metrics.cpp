// What the books cost a request, and what the ledger takes: ./bench_metrics. The ledger lies in TMPDIR; point that at
// the disk in question.

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "metrics/gpu_pool.hpp"
#include "metrics/metrics.hpp"

namespace tollgate {
namespace {

NameId name(std::string_view text) { return Names::global().intern(text); }

Pool bench_pool() {
  Pool pool;
  pool.name = name("home");
  pool.gpu = "H100";
  pool.gpus = 2;
  pool.rate_picodollars = Int128{4'980'000'000'000} * 8760 + Int128{24'000'000'000'000'000};
  pool.rate_denominator = 8760;
  return pool;
}

class Bench {
 public:
  Bench(std::uint32_t slots, std::chrono::milliseconds interval, std::size_t baselines = 0) {
    std::string made = (std::filesystem::temp_directory_path() / "tollgate-bench-XXXXXX").string();
    folder_ = ::mkdtemp(made.data());
    LedgerConfig config;
    config.path = (folder_ / "bench.db").string();
    config.open_requests_max = slots;
    config.commit_interval = interval;
    auto started = Accounts::start(config, 1);
    if (!started) throw std::runtime_error(started.error().message);
    accounts = std::move(started).value();
    home.pool = bench_pool();
    local.id = name("home/llama-70b");
    managed.id = name("claude/sonnet");
    TokenPrices& prices = managed.prices.emplace();
    prices.input = UsdPerToken{3'000'000'000};
    prices.output = UsdPerToken{15'000'000'000};
    (void)name("red");
    auto with = std::make_shared<Config>();
    with->backends.push_back(home);
    managed.surfaces = {Surface::chat};
    with->targets.push_back(managed);
    for (std::size_t i = 0; i < baselines; ++i) with->baselines.push_back({name("baseline-" + std::to_string(i)), {0}});
    if (!accounts->adopt(with)) throw std::runtime_error("adopt");
  }
  ~Bench() {
    accounts.reset();
    std::filesystem::remove_all(folder_);
  }

  void request(bool on_pool) {
    Books& books = accounts->books(0);
    const RequestOpened opened{next_request_id(0, 1'800'000'000'000'000),
                               1'800'000'000'000'000,
                               name_auto,
                               red,
                               red,
                               Surface::chat,
                               false,
                               900};
    OpenRequest* open = nullptr;
    while ((open = books.open(opened)) == nullptr) accounts->flush();
    books.decided(*open, name_auto, 0.2F, Tier::simple);
    const MonoTime begin = std::chrono::steady_clock::now();
    books.begin_attempt(*open, on_pool ? local : managed, on_pool ? home : cloud, begin);
    AttemptEnd end;
    end.result = RowResult::ok();
    end.http_status = 200;
    end.usage.input = TokenCount{200};
    end.usage.output = TokenCount{80};
    end.usage_source = UsageSource::exact;
    benchmark::DoNotOptimize(books.end_attempt(*open, end, begin + std::chrono::microseconds{700}));
    RequestClosing closing;
    closing.result = RowResult::ok();
    closing.http_status = 200;
    closing.duration = std::chrono::microseconds{800};
    closing.overhead = std::chrono::microseconds{20};
    books.settle(*open, closing);
  }

  std::unique_ptr<Accounts> accounts;
  Target local, managed;
  Backend home, cloud;
  NameId name_auto = name("auto"), red = name("red");

 private:
  std::filesystem::path folder_;
};

// Bursts of 1,000 requests, the commits between them not measured: what a reactor's thread spends. The ledger thread
// sleeps meanwhile.
void books_of_a_request(benchmark::State& state) {
  Bench bench(16384, std::chrono::milliseconds{1'000});
  for (int i = 0; i < 1000; ++i) bench.request(state.range(0) != 0);
  for (auto _ : state) {
    state.PauseTiming();
    bench.accounts->flush();
    state.ResumeTiming();
    for (int i = 0; i < 1000; ++i) bench.request(state.range(0) != 0);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(books_of_a_request)->ArgName("pool")->Arg(0)->Arg(1)->MinTime(0.5);

void rows_committed_with_full_sync(benchmark::State& state) {
  const std::int64_t baselines = state.range(0);
  Bench bench(16384, std::chrono::milliseconds{10}, static_cast<std::size_t>(baselines));
  for (auto _ : state) {
    for (int i = 0; i < 8000; ++i) bench.request(true);
    bench.accounts->flush();
  }
  const auto rows = static_cast<double>(state.iterations() * 8000 * (2 + baselines));
  state.counters["rows/s"] = benchmark::Counter(rows, benchmark::Counter::kIsRate);
}
BENCHMARK(rows_committed_with_full_sync)
    ->ArgName("baselines")
    ->Arg(0)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(2);

void progress_of_a_stream(benchmark::State& state) {
  Bench bench(16, std::chrono::milliseconds{1'000});
  Books& books = bench.accounts->books(0);
  OpenRequest& open = *books.open({next_request_id(0), 0, {}, {}, {}, Surface::chat, true, 0});
  books.begin_attempt(open, bench.managed, bench.cloud, std::chrono::steady_clock::now());
  Usage usage;
  for (auto _ : state) {
    usage.output += TokenCount{1};
    if (usage.output.count() > 1'000'000) usage.output = {};
    books.progress(open, usage, UsageSource::continuous);
  }
  books.settle(open, {});
}
BENCHMARK(progress_of_a_stream);

// One begin and one end, with every thread on the same pool: how long the lock makes reactors wait for each other.
void pool_begin_and_end(benchmark::State& state) {
  static GpuPool pool(
      bench_pool(),
      std::chrono::steady_clock::now());
  for (auto _ : state) {
    const MonoTime now = std::chrono::steady_clock::now();
    const GpuPool::Run run = pool.begin(now);
    benchmark::DoNotOptimize(pool.end(run, now + std::chrono::nanoseconds{300}));
  }
}
BENCHMARK(pool_begin_and_end)->ThreadRange(1, 8)->UseRealTime();

void render(benchmark::State& state) {
  Bench bench(16384, std::chrono::milliseconds{10});
  for (int i = 0; i < 1000; ++i) bench.request(i % 2 == 0);
  for (auto _ : state) benchmark::DoNotOptimize(bench.accounts->render_metrics());
}
BENCHMARK(render)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tollgate
