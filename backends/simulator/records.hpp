#pragma once
// The truth of requests, for those who test accounting: what /sim/requests answers.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tollgate::simulator {

struct Record {
  std::string id;           ///< x-request-id
  std::string response_id;  ///< "chatcmpl-…"; "" if none was made
  std::string endpoint, model, fault;
  bool stream = false;
  int status = 0;  ///< as sent; 0: no head was sent (yet)
  std::uint32_t choices = 0;
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  bool prompt_processed =
      false;  ///< false: given up before its prefill was done; prompt_tokens are not in the counters then
  std::uint32_t preemptions = 0;
  std::string finish_reason;  ///< of the first choice; "abort", "error"; "" while it runs
  double gpu_seconds = 0, work_seconds = 0, queue_seconds = 0;
  std::optional<double> ttft_seconds;
  double started_at = 0;  ///< Unix time
  std::optional<double> finished_at, aborted_at;
  [[nodiscard]] std::string json() const;
};

/// The last records_max finished requests, found by either id.
class Records {
 public:
  static constexpr std::size_t records_max = 10'000;
  void add(Record record);
  [[nodiscard]] const Record* find(std::string_view id) const;
  /// The newest first, at most `limit`.
  [[nodiscard]] std::string json_list(std::size_t limit) const;
  [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }

 private:
  void forget_oldest();
  std::deque<Record> records_;
  std::uint64_t first_ = 0;                               // number of the oldest record kept
  std::unordered_map<std::string, std::uint64_t> by_id_;  // the newest of an id
};

}  // namespace tollgate::simulator
