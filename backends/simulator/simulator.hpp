#pragma once
// A simulated engine with a clock: it queues, prefills, decodes at a speed that falls with load, counts what it does,
// and serves it over real HTTP on loopback. Not a mock: its /metrics add up with what it answered, and it stops
// generating when a client leaves.
//
//    Simulator simulator(options);          // binds; simulator.port() is known at once
//    simulator.start();                     // own thread; the destructor stops and joins
//
// Deterministic from a seed: the same request body and seed give the same answer text and length, whatever else is
// running.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backends/simulator/counters.hpp"
#include "config/config.hpp"

namespace tollgate::simulator {

/// How a simulated engine misbehaves: given to all requests by flags, or to one by the header `x-sim-fault`
/// (for example "status=503", "stall=first-byte", "cut=5", "delay=250ms", "garbage", "usage=wrong"); all of them:
/// faults.hpp.
struct Faults {
  std::string text;    ///< comma separated, as in the header; "" for none
  double share = 1.0;  ///< of requests, chosen by the seed
};

struct Options {
  SimulatedConfig engine;
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free one
  std::string model = "simulated-model";
  std::vector<std::string> more_models;  ///< further names it answers to
  std::size_t context_tokens = 131072;
  std::size_t kv_tokens_max = 400'000;  ///< KV cache: requests wait when it is full
  bool prefix_cache = true;             ///< a system prompt seen before is not computed again, and reported as cached
  double time_scale = 1.0;              ///< 10: everything ten times as fast
  bool announce_simulated = true;       ///< `system_fingerprint: "simulated"` and header x-simulated: true
  std::string api_key;                  ///< when set, others get 401
  Faults faults;
  MetricNames metric_names = MetricNames::vllm;  ///< whose names /metrics uses
};

class Simulator {
 public:
  /// Throws std::runtime_error if the address cannot be bound, or an option makes no sense.
  explicit Simulator(Options options);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;
  void start();
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// "http://127.0.0.1:40123"
  [[nodiscard]] std::string url() const;

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace tollgate::simulator
