// Asks engines for their Prometheus exposition, each at its own interval, on a thread of its own: reading some hundred
// kilobytes of text must delay neither a request nor the admin port.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/socket_poll.hpp"

namespace tollgate {
namespace {

constexpr std::size_t page_bytes_max = 8 * 1024 * 1024;  // an engine with many models writes some hundred kilobytes
constexpr std::chrono::milliseconds answer_within_min{1'000}, answer_within_max{5'000};
constexpr std::chrono::milliseconds stop_poll{5};

struct Scraped {
  Scraped(DeadlineWheel& wheel, EngineState& state) : engine(state), deadline(wheel, &Scraped::too_late, this) {}
  static void too_late(void* self) {
    Scraped& scraped = *static_cast<Scraped*>(self);
    if (scraped.transfer) scraped.transfer->abort(Fault::upstream_timeout);
  }

  EngineState& engine;
  Endpoint endpoint;
  std::string backend, path;
  std::chrono::milliseconds interval{};
  Deadline deadline;  // of the whole scrape: a page that trickles in would else take for ever
  std::unique_ptr<Transfer> transfer;
};

class ThreadedScraper final : public EngineScraper {
 public:
  ThreadedScraper(EngineBoard& board, ScrapeFailed told)
      : board_(board),
        told_(std::move(told)),
        transport_(make_native_transport(context_, poll_, wheel_)),
        tls_transport_(make_curl_transport(context_, poll_, wheel_)),
        work_(context_.get_executor()),
        thread_([this] { context_.run(); }) {}

  // Scrapes under way are aborted and end by themselves: what they hold belongs to the transports.
  ~ThreadedScraper() override {
    asio::post(context_, [this] {
      stopping_ = true;
      for (const auto& each : scraped_) {
        if (each->transfer) each->transfer->abort(Fault::internal);
      }
      asio::co_spawn(context_, stop_when_done(), [](const std::exception_ptr&) {});
    });
    thread_.join();
  }

  void watch(const ConfigPtr& config) override {
    auto wanted = std::make_shared<std::vector<std::pair<Backend, EngineState*>>>();
    for (const Backend& backend : config->backends) {
      EngineState& engine = board_.of(backend.name);
      engine.watch(backend.url + backend.engine.path, backend.is_scraped());
      if (backend.is_scraped()) wanted->emplace_back(backend, &engine);
    }
    asio::post(context_, [this, wanted, air_gap = config->air_gap] { replace(*wanted, air_gap); });
  }

 private:
  void replace(const std::vector<std::pair<Backend, EngineState*>>& wanted, bool air_gap) {
    ++generation_;  // the loops of the snapshot before end at their next turn
    scraped_.clear();
    for (const auto& [backend, engine] : wanted) {
      Result<Endpoint> endpoint = parse_endpoint(backend, air_gap);
      if (!endpoint) continue;  // said where the snapshot is made
      auto scraped = std::make_shared<Scraped>(wheel_, *engine);
      scraped->endpoint = std::move(endpoint.value());
      scraped->backend = text(backend.name);
      scraped->path = backend.engine.path;
      scraped->interval = backend.engine.interval;
      scraped->endpoint.timeouts.connect = scraped->endpoint.timeouts.first_byte = scraped->endpoint.timeouts.silence =
          std::clamp(scraped->interval, answer_within_min, answer_within_max);
      scraped_.push_back(scraped);
      ++running_;
      asio::co_spawn(context_, keep_scraping(scraped, generation_), [this](const std::exception_ptr&) { --running_; });
    }
  }

  Task<void> keep_scraping(std::shared_ptr<Scraped> scraped, std::uint64_t generation) {
    Timer timer(context_.get_executor());
    auto due = std::chrono::steady_clock::now();
    while (!stopping_ && generation == generation_) {
      co_await scrape(*scraped, generation);
      due = std::max(due + scraped->interval, std::chrono::steady_clock::now());
      // In short steps, so that the end of the program, or another configuration, is not waited for.
      while (!stopping_ && generation == generation_ && std::chrono::steady_clock::now() < due) {
        timer.expires_at(std::min(due, std::chrono::steady_clock::now() + std::chrono::milliseconds{100}));
        co_await timer.async_wait(asio::as_tuple(use_task));
      }
    }
  }

  Task<void> scrape(Scraped& scraped, std::uint64_t generation) {
    const OwnCounts before = scraped.engine.load.counts();
    std::string page;
    scraped.deadline.set(std::clamp(scraped.interval, answer_within_min, answer_within_max));
    const Result<void> fetched = co_await fetch(scraped, page);
    scraped.deadline.clear();
    scraped.transfer.reset();
    if (stopping_ || generation != generation_) co_return;
    Result<void> outcome = fetched;
    if (fetched) {
      const OwnCounts after = scraped.engine.load.counts();
      const Result<EngineSample> sample = read_engine_metrics(page);
      if (sample) {
        scraped.engine.succeeded(sample.value(), before, after, std::chrono::steady_clock::now());
        co_return;
      }
      outcome = sample.error();
    }
    if (scraped.engine.failed(outcome.error().message)) told_(scraped.backend, outcome.error().message);
  }

  Task<Result<void>> fetch(Scraped& scraped, std::string& page) {
    Call call;
    call.method = "GET";
    call.path = scraped.path;
    call.request_id = "scrape";
    Transport& transport = scraped.endpoint.tls ? *tls_transport_ : *transport_;
    scraped.transfer = transport.open(scraped.endpoint);
    const Result<AnswerHead> head = co_await scraped.transfer->start(call);
    if (!head) co_return head.error();
    if (head.value().status != 200) {
      co_return fail(Fault::upstream_status,
                     "GET " + scraped.path + " was answered with status " + std::to_string(head.value().status));
    }
    for (;;) {
      const Result<std::string_view> bytes = co_await scraped.transfer->read();
      if (!bytes) co_return bytes.error();
      if (bytes.value().empty()) co_return success();
      if (page.size() + bytes.value().size() > page_bytes_max) {
        co_return fail(Fault::upstream_garbage, "the page is larger than 8 MiB");
      }
      page.append(bytes.value());
    }
  }

  Task<void> stop_when_done() {
    Timer timer(context_.get_executor());
    while (running_ > 0) {
      timer.expires_after(stop_poll);
      co_await timer.async_wait(asio::as_tuple(use_task));
    }
    transport_->close_idle();
    tls_transport_->close_idle();
    wheel_.stop();
    work_.reset();
    context_.stop();
  }

  EngineBoard& board_;
  const ScrapeFailed told_;
  asio::io_context context_{1};
  DeadlineWheel wheel_{context_};
  SocketPoll poll_{context_};
  std::unique_ptr<Transport> transport_, tls_transport_;
  asio::executor_work_guard<Executor> work_;
  std::vector<std::shared_ptr<Scraped>> scraped_;
  std::uint64_t generation_ = 0;
  unsigned running_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // last: starts when all else is made
};

}  // namespace

std::unique_ptr<EngineScraper> start_scraper(EngineBoard& board, ScrapeFailed told) {
  return std::make_unique<ThreadedScraper>(board, std::move(told));
}

}  // namespace tollgate
