#pragma once
// A command of this program as a process of its own: what takes seconds of processor time, reads a whole ledger or loads a
// configuration that somebody typed. It has the lowest priority, bounds on memory and time, no socket of the gateway, and only the
// environment it is given; names it learns and what it crashes of die with it.
//
//    Result<std::unique_ptr<ToolRun>> run = ToolRun::start(executor, {{"check", "--json", ToolRun::text_path(0)}, environment, {yaml}});
//    const ToolResult result = co_await run.value()->finish(on_progress);
//
// Threads: that of the executor. Destroying it ends the process; so does kill(), after which finish() returns.

#include <sys/types.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/task.hpp"
#include "config/result.hpp"

namespace tollgate {

struct ToolJob {
  std::vector<std::string> arguments;      ///< behind the program's name
  std::vector<std::string> environment;    ///< "NAME=value"
  std::vector<std::string> texts;          ///< readable as files at text_path(0), text_path(1), …
  std::chrono::seconds time_max{300};
  int niceness = 19;                       ///< the lowest priority, for what takes long
};

struct ToolResult {
  enum class End : std::uint8_t { exited, killed, too_slow, too_much };   ///< too_much: said more than output_bytes_max
  End end = End::exited;
  int exit_code = -1;                      ///< -1: by a signal
  std::string output;                      ///< standard output and standard error, progress left out
};

/// {"step": "reading", "share": 0.4}: one line as it came.
using OnToolProgress = std::function<void(std::string line)>;

class ToolRun {
 public:
  static constexpr std::size_t output_bytes_max = 32 * 1024 * 1024;
  static constexpr std::size_t texts_max = 4;
  [[nodiscard]] static std::string text_path(std::size_t text);

  static Result<std::unique_ptr<ToolRun>> start(const Executor& executor, const ToolJob& job);
  ~ToolRun();
  ToolRun(const ToolRun&) = delete;
  ToolRun& operator=(const ToolRun&) = delete;

  /// Once.
  Task<ToolResult> finish(OnToolProgress on_progress);
  void kill() noexcept;

 private:
  ToolRun(const Executor& executor, int output, pid_t process, std::chrono::seconds time_max);
  Task<void> read_all(ToolResult& result, OnToolProgress on_progress);
  Task<int> reap();

  asio::posix::basic_stream_descriptor<Executor> output_;
  Timer timer_;
  const pid_t process_;
  const std::chrono::seconds time_max_;
  bool running_ = true, killed_ = false, too_slow_ = false;
};

}  // namespace tollgate
