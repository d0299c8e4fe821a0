#pragma once
// What the connections of one simulated server share: the engine and its clock, the options, the records, and the
// endpoints that do not generate. Threads: the server's one.

#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "backends/simulator/connection.hpp"
#include "backends/simulator/engine.hpp"
#include "backends/simulator/faults.hpp"
#include "backends/simulator/media.hpp"
#include "backends/simulator/records.hpp"
#include "backends/simulator/simulator.hpp"

namespace tollgate::simulator {

/// An answer of an endpoint that does not generate.
struct Page {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class Service {
 public:
  Service(asio::io_context& context, const Options& options, FaultPlan faults);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Lives what the engine did up to now: tells the exchanges, flushes their connections, sets the timer. Nothing while
  /// it already does so. Call it before submit() and abort().
  void step();
  /// Gives the engine jobs; their ids are numbered from the returned one.
  SequenceId submit(std::vector<Job>& jobs, Exchange& exchange);
  /// The truth of the sequence, if it was living.
  std::optional<SequenceTruth> abort(SequenceId id);
  [[nodiscard]] const SequenceTruth* truth(SequenceId id) { return engine_.truth(id); }
  [[nodiscard]] EngineTime engine_now() const noexcept { return stepped_to_; }

  /// The page at a path, for requests that do not generate.
  [[nodiscard]] Page page(const HttpRequest& request);
  [[nodiscard]] bool knows_model(std::string_view model) const noexcept;
  [[nodiscard]] bool is_authorized(const HttpRequest& request) const noexcept;
  /// The fault of the flags, for the requests that they choose.
  [[nodiscard]] const FaultPlan* common_fault() noexcept;
  /// A fresh x-request-id.
  [[nodiscard]] std::string new_id();
  /// x-ratelimit-* header lines; takes one request and `tokens` from the buckets, which never refuse.
  [[nodiscard]] std::string rate_limit_headers(std::uint32_t tokens);
  void count_fault() noexcept { ++faults_; }
  void count_request() noexcept { ++requests_; }

  void add(Connection& connection) { connections_.insert(&connection); }
  void remove(Connection& connection) { connections_.erase(&connection); }
  void touch(std::shared_ptr<Connection> connection) {
    touched_.push_back(std::move(connection));
    flush_soon();
  }
  /// A job that waits to be fetched; its id. The oldest go when there are too many.
  std::string keep_job(HttpRequest request);
  /// The job, which is forgotten; nullopt: there is none of that id.
  [[nodiscard]] std::optional<HttpRequest> take_job(const std::string& id);
  [[nodiscard]] bool has_job(const std::string& id) const { return jobs_.contains(id); }
  void open(Exchange& exchange);
  void close(Exchange& exchange, Record record);
  /// Closes all connections and stops the clock.
  void stop();

  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] std::size_t context_tokens() const noexcept;
  [[nodiscard]] asio::io_context& context() noexcept { return context_; }
  /// Where connections read into: one buffer for all, for what is read is taken out at once.
  [[nodiscard]] std::array<char, 65536>& scratch() noexcept { return scratch_; }

 private:
  void flush_soon();
  void flush();
  void arm();
  [[nodiscard]] EngineTime clock() const noexcept;
  [[nodiscard]] std::string metrics();
  [[nodiscard]] Page models(std::string_view path) const;
  [[nodiscard]] Page requests(std::string_view query);
  [[nodiscard]] Page error_page(int status, std::string message, std::string code) const;

  asio::io_context& context_;
  const Options& options_;
  const FaultPlan faults_plan_;
  const std::chrono::steady_clock::time_point start_;
  const std::int64_t created_;
  std::array<char, 65536> scratch_{};

  Engine engine_;
  std::vector<EngineEvent> events_;
  std::unordered_map<SequenceId, Exchange*> by_sequence_;
  std::unordered_map<std::string, Exchange*> open_;
  Records records_;
  Media media_;
  std::unordered_map<std::string, HttpRequest> jobs_;
  std::deque<std::string> job_order_;
  std::unordered_set<Connection*> connections_;
  std::vector<std::shared_ptr<Connection>> touched_;
  Timer timer_;
  std::optional<EngineTime> armed_;
  EngineTime stepped_to_{0};
  SequenceId next_sequence_ = 1;
  std::uint64_t ids_ = 0, requests_ = 0, faults_ = 0, chances_ = 0;
  bool stepping_ = false, flush_posted_ = false, stopped_ = false;
  double request_bucket_ = 0, token_bucket_ = 0;  // used up, refilled with time
  std::chrono::steady_clock::time_point buckets_at_;
};

[[nodiscard]] double unix_now() noexcept;

}  // namespace tollgate::simulator
