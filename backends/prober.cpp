// Asks engines for their health, each in its own time, on a thread of its own.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <thread>

#include "backends/backends.hpp"
#include "backends/deadline_wheel.hpp"
#include "backends/socket_poll.hpp"
#include "config/dialects.hpp"

namespace tollgate {

namespace {

constexpr std::chrono::milliseconds answer_within{2'000};
constexpr int failures_before_unreachable = 2;    // one lost probe is no outage

struct Probed {
  Endpoint endpoint;
  std::string_view path;          // of the dialect's facts: lives for ever
  std::vector<TargetHealth*> targets;
  int failures = 0;
  bool under_way = false;
};

class ThreadedProber final : public Prober {
 public:
  ThreadedProber(HealthBoard& board, std::chrono::milliseconds interval)
      : board_(board), interval_(interval), transport_(make_native_transport(context_, poll_, wheel_)), tls_transport_(make_curl_transport(context_, poll_, wheel_)),
        work_(context_.get_executor()), timer_(context_.get_executor()), thread_([this] { run(); }) {}

  ~ThreadedProber() override {
    context_.stop();
    thread_.join();
  }

  void watch(const ConfigPtr& config) override {
    std::vector<std::shared_ptr<Probed>> wanted;
    for (std::size_t i = 0; i < config->backends.size(); ++i) {
      const Backend& backend = config->backends[i];
      const std::string_view path = facts_of(backend.dialect).health_path;
      if (path.empty()) continue;                               // only engines offer a health path
      if (backend.pool && (backend.pool->billing == Billing::serverless || backend.pool->billing == Billing::reported)) {
        // Who asks a serverless worker keeps it up, and pays for it; and one that scaled to zero is not down.
        for (const Target& target : config->targets) {
          if (target.backend == i) board_.of(target.id).probed(true);
        }
        continue;
      }
      Result<Endpoint> endpoint = parse_endpoint(backend, config->air_gap);
      if (!endpoint) continue;                                  // said where the snapshot is made
      auto probed = std::make_shared<Probed>();
      probed->endpoint = std::move(endpoint.value());
      probed->path = path;
      probed->endpoint.timeouts.connect = probed->endpoint.timeouts.first_byte = answer_within;
      for (const Target& target : config->targets) {
        if (target.backend == i) probed->targets.push_back(&board_.of(target.id));
      }
      wanted.push_back(std::move(probed));
    }
    asio::post(context_, [this, wanted = std::move(wanted)] {
      probed_ = wanted;
      probe_all();
    });
  }

 private:
  void run() {
    schedule();
    context_.run();
  }

  void schedule() {
    timer_.expires_after(interval_);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      probe_all();
      schedule();
    });
  }

  void probe_all() {
    for (const auto& each : probed_) {
      if (each->under_way) continue;
      each->under_way = true;
      asio::co_spawn(context_, probe(each), [](const std::exception_ptr&) {});
    }
  }

  Task<void> probe(std::shared_ptr<Probed> probed) {
    Call call;
    call.method = "GET";
    call.path = probed->path;
    call.request_id = "probe";
    Transport& transport = probed->endpoint.tls ? *tls_transport_ : *transport_;
    const std::unique_ptr<Transfer> transfer = transport.open(probed->endpoint);
    const Result<AnswerHead> head = co_await transfer->start(call);
    const bool healthy = head.has_value() && head.value().status == 200;
    probed->failures = healthy ? 0 : probed->failures + 1;
    probed->under_way = false;
    if (!healthy && probed->failures < failures_before_unreachable) co_return;
    for (TargetHealth* target : probed->targets) target->probed(healthy);
  }

  HealthBoard& board_;
  const std::chrono::milliseconds interval_;
  asio::io_context context_{1};
  DeadlineWheel wheel_{context_};
  SocketPoll poll_{context_};
  std::unique_ptr<Transport> transport_, tls_transport_;
  asio::executor_work_guard<Executor> work_;
  Timer timer_;
  std::vector<std::shared_ptr<Probed>> probed_;
  std::thread thread_;            // last: starts when all else is made
};

}  // namespace

std::unique_ptr<Prober> start_prober(HealthBoard& board, std::chrono::milliseconds interval) {
  return std::make_unique<ThreadedProber>(board, interval);
}

}  // namespace tollgate
