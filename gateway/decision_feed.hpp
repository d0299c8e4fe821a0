#pragma once
// The last decisions of a reactor, for people to look at: a sample, never the flood. The control thread allows so many
// a second; what is beyond that is not looked at. While nothing is allowed, a request costs one relaxed load.
//
//    const bool sampled = feed.take_one();                                          // the reactor, when it has decided
//    … if (sampled) feed.add(std::make_shared<const DecisionSample>(…));              // … and when the request is over
//    feed.allow(8, 32);                                                             // the control thread, now and then
//    for (const auto& decision : feed.take()) …
//
// No prompt or answer text is in it. A reactor never waits: if the control thread holds the lock, the sample is lost.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "metrics/records.hpp"

namespace tollgate {

/// One request and its answer, once it is over.
struct DecisionSample {
  RequestRow request;
  std::vector<AttemptRow> attempts;
  std::string model;        ///< as the client wrote it, cut
  std::string reason;       ///< of the step that was tried last; why it was refused, if it was
  std::string explanation;  ///< JSON of router/explain.hpp
  std::optional<Usd> cost;  ///< absent: some attempt has no price
  std::int64_t duration_us = 0;
  std::int64_t first_token_us = -1;  ///< after arrival; negative: none
};
using DecisionPtr = std::shared_ptr<const DecisionSample>;

class DecisionFeed {
 public:
  /// Kept between two calls of take(); newer ones are lost.
  static constexpr std::size_t waiting_max = 64;

  // -- the reactor --
  /// True: this request is to be sampled, and so many fewer are allowed after it.
  [[nodiscard]] bool take_one() noexcept {
    if (allowed_.load(std::memory_order_relaxed) <= 0) return false;
    allowed_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  }
  void add(DecisionPtr decision) noexcept;

  // -- the control thread --
  /// Allows `more`, up to `most` at once.
  void allow(int more, int most) noexcept;
  /// Those since the last call, oldest first.
  [[nodiscard]] std::vector<DecisionPtr> take();

 private:
  std::atomic<int> allowed_{0};
  std::mutex mutex_;
  std::vector<DecisionPtr> waiting_;
};

}  // namespace tollgate
