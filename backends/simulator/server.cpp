#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <stdexcept>
#include <thread>

#include "backends/simulator/connection.hpp"
#include "backends/simulator/service.hpp"
#include "backends/simulator/simulator.hpp"

namespace tollgate::simulator {
namespace {

using asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

constexpr int backlog = 4096;                                // thousands of streams may start at once
constexpr std::chrono::milliseconds accept_again_after{50};  // when no descriptor is free

Options checked(Options options) {
  const auto need = [](bool holds, const char* what) {
    if (!holds) throw std::runtime_error(std::string("simulator: ") + what);
  };
  need(options.engine.slots > 0, "slots must be at least 1");
  need(options.engine.prefill_tokens_per_second > 0, "prefill tokens per second must be at least 1");
  need(options.engine.decode_tokens_per_second > 0, "decode tokens per second must be at least 1");
  need(options.engine.decode_tokens_per_second_total > 0, "decode tokens per second (total) must be at least 1");
  need(options.engine.output_tokens_mean > 0, "the mean of output tokens must be at least 1");
  need(options.time_scale > 0 && options.time_scale <= 1e6, "the time scale must be above 0 and at most 1000000");
  need(options.faults.share >= 0 && options.faults.share <= 1, "the share of faults must be from 0 to 1");
  need(options.context_tokens >= 16 && options.context_tokens <= 100'000'000,
       "the context must be 16 to 100000000 tokens");
  need(options.kv_tokens_max >= 16, "the KV cache must hold at least 16 tokens");
  need(!options.model.empty(), "the model needs a name");
  return options;
}

FaultPlan plan_of(const Options& options) {
  Result<FaultPlan> plan = parse_faults(options.faults.text);
  if (!plan) throw std::runtime_error("simulator: " + plan.error().message);
  return std::move(plan.value());
}

}  // namespace

struct Simulator::Running {
  explicit Running(Options given) : options(checked(std::move(given))), service(context, options, plan_of(options)) {
    try {
      tcp::resolver resolver(context);
      const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive);
      const tcp::endpoint endpoint = found.begin()->endpoint();
      acceptor.open(endpoint.protocol());
      acceptor.set_option(Acceptor::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen(backlog);
    } catch (const boost::system::system_error& error) {
      throw std::runtime_error("simulator: cannot listen on " + options.host + ":" + std::to_string(options.port) +
                               ": " + error.code().message());
    }
  }

  void accept() {
    acceptor.async_accept([this](const boost::system::error_code& error, Socket socket) {
      if (!acceptor.is_open()) return;
      if (!error) {
        std::make_shared<Connection>(std::move(socket), service)->start();
        return accept();
      }
      accept_timer.expires_after(accept_again_after);
      accept_timer.async_wait([this](const boost::system::error_code& stopped) {
        if (!stopped) accept();
      });
    });
  }

  /// On the server's thread. What is pending ends, and with it run().
  void stop() {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
    service.stop();
  }

  const Options options;
  asio::io_context context{1};
  Service service;
  Acceptor acceptor{context};
  Timer accept_timer{context};
  std::thread thread;
};

Simulator::Simulator(Options options) : running_(std::make_unique<Running>(std::move(options))) {}

Simulator::~Simulator() {
  if (!running_->thread.joinable()) return;
  asio::post(running_->context, [running = running_.get()] { running->stop(); });
  running_->thread.join();
}

void Simulator::start() {
  if (running_->thread.joinable()) return;
  running_->accept();
  running_->thread = std::thread([running = running_.get()] { running->context.run(); });
}

std::uint16_t Simulator::port() const noexcept {
  boost::system::error_code error;
  return running_->acceptor.local_endpoint(error).port();
}

std::string Simulator::url() const {
  const std::string& host = running_->options.host;
  const std::string bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return "http://" + bracketed + ":" + std::to_string(port());
}

}  // namespace tollgate::simulator
