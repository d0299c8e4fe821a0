#include "gateway/admin/tool_run.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <csignal>
#include <cstring>
#include <fstream>

namespace tollgate {

namespace {

constexpr auto as_result = asio::as_tuple(use_task);
constexpr int first_text = 3;                             // descriptor of the first text, behind standard error
constexpr rlim_t memory_bytes_max = rlim_t{2} << 30U;
constexpr std::chrono::milliseconds reap_poll{5};
constexpr std::string_view progress_prefix = "{\"progress\":";

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool memory_is_bounded = false;                 // a sanitizer reserves terabytes
#else
constexpr bool memory_is_bounded = true;
#endif

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

Error cannot_start(const char* what, int code) {
  return fail(Fault::internal, std::string("a process for this cannot be started: ") + what + ": " + std::strerror(code));   // NOLINT(concurrency-mt-unsafe): on one thread
}

/// A file without a name that holds the text. Above the descriptors that the child gets, so that none is written over.
Result<Descriptor> file_of(const std::string& text) {
  const Descriptor low(::memfd_create("text", MFD_CLOEXEC));
  if (low.number() < 0) return cannot_start("memfd_create", errno);
  Descriptor file(::fcntl(low.number(), F_DUPFD_CLOEXEC, first_text + static_cast<int>(ToolRun::texts_max)));
  if (file.number() < 0 || ::fchmod(file.number(), 0600) != 0) return cannot_start("fcntl", errno);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t wrote = ::write(file.number(), text.data() + done, text.size() - done);
    if (wrote < 0) return cannot_start("write", errno);
    done += static_cast<std::size_t>(wrote);
  }
  return file;
}

/// Pointers into `texts`, ending in a null one.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

struct Actions {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  Actions() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

/// Of a process that may just have ended: nothing here is worth failing for.
void hold_back(pid_t process, const ToolJob& job) {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(process), job.niceness));
  const auto seconds = static_cast<rlim_t>(job.time_max.count()) * 4;   // of all its threads
  const rlimit time{seconds, seconds}, memory{memory_bytes_max, memory_bytes_max}, none{0, 0};
  static_cast<void>(::prlimit(process, RLIMIT_CPU, &time, nullptr));
  static_cast<void>(::prlimit(process, RLIMIT_CORE, &none, nullptr));
  if (memory_is_bounded) static_cast<void>(::prlimit(process, RLIMIT_DATA, &memory, nullptr));
  std::ofstream("/proc/" + std::to_string(process) + "/oom_score_adj") << 1000;
}

}  // namespace

std::string ToolRun::text_path(std::size_t text) { return "/dev/fd/" + std::to_string(first_text + static_cast<int>(text)); }

Result<std::unique_ptr<ToolRun>> ToolRun::start(const Executor& executor, const ToolJob& job) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_start("pipe", errno);
  Descriptor from(ends[0]);
  const Descriptor low(ends[1]);
  const Descriptor to(::fcntl(low.number(), F_DUPFD_CLOEXEC, first_text + static_cast<int>(texts_max)));
  if (to.number() < 0) return cannot_start("fcntl", errno);
  std::vector<Descriptor> files;
  for (const std::string& text : job.texts) {
    Result<Descriptor> file = file_of(text);
    if (!file) return std::move(file).error();
    files.push_back(std::move(file.value()));
  }
  Actions spawn;
  posix_spawn_file_actions_addopen(&spawn.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&spawn.actions, to.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&spawn.actions, to.number(), STDERR_FILENO);
  int next = first_text;
  for (const Descriptor& file : files) posix_spawn_file_actions_adddup2(&spawn.actions, file.number(), next++);
  // Not all of the gateway's sockets close on exec: a client's connection must not live on in there.
  posix_spawn_file_actions_addclosefrom_np(&spawn.actions, next);
  std::vector<std::string> arguments{"tollgate"}, environment = job.environment;
  arguments.insert(arguments.end(), job.arguments.begin(), job.arguments.end());
  const std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(environment);
  pid_t process = 0;
  const int failed = ::posix_spawn(&process, "/proc/self/exe", &spawn.actions, &spawn.attributes, argv.data(), envp.data());
  if (failed != 0) return cannot_start("/proc/self/exe", failed);
  hold_back(process, job);
  return std::unique_ptr<ToolRun>(new ToolRun(executor, from.release(), process, job.time_max));
}

ToolRun::ToolRun(const Executor& executor, int output, pid_t process, std::chrono::seconds time_max)
    : output_(executor, output), timer_(executor), process_(process), time_max_(time_max) {}

ToolRun::~ToolRun() {
  if (!running_) return;
  ::kill(process_, SIGKILL);
  static_cast<void>(::waitpid(process_, nullptr, 0));
}

void ToolRun::kill() noexcept {
  if (!running_) return;
  killed_ = true;
  ::kill(process_, SIGKILL);
}

Task<ToolResult> ToolRun::finish(OnToolProgress on_progress) {
  ToolResult result;
  timer_.expires_after(time_max_);
  timer_.async_wait([this](const boost::system::error_code& stopped) {
    if (stopped || !running_) return;
    too_slow_ = true;
    ::kill(process_, SIGKILL);
  });
  co_await read_all(result, std::move(on_progress));
  result.exit_code = co_await reap();
  if (too_slow_) result.end = ToolResult::End::too_slow;
  if (killed_) result.end = ToolResult::End::killed;
  co_return result;
}

Task<void> ToolRun::read_all(ToolResult& result, OnToolProgress on_progress) {
  std::array<char, 64 * 1024> piece;
  bool in_progress = true;   // progress comes before everything else
  for (;;) {
    const auto room = asio::buffer(piece);
    auto [ended, size] = co_await output_.async_read_some(room, as_result);
    if (ended) co_return;
    result.output.append(piece.data(), size);
    while (in_progress) {
      const std::size_t end = result.output.find('\n');
      const bool is_one = result.output.starts_with(progress_prefix);
      if (end == std::string::npos || !is_one) {
        in_progress = end == std::string::npos && progress_prefix.starts_with(std::string_view(result.output).substr(0, progress_prefix.size()));
        break;
      }
      if (on_progress) on_progress(result.output.substr(progress_prefix.size(), end - progress_prefix.size() - 1));
      result.output.erase(0, end + 1);
    }
    if (result.output.size() > output_bytes_max) {
      result.end = ToolResult::End::too_much;
      ::kill(process_, SIGKILL);
      co_return;
    }
  }
}

// It has closed its output, so it ends at once; but the memory of a large one takes a moment to give back.
Task<int> ToolRun::reap() {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(process_, &status, WNOHANG);
    if (ended != 0) {
      running_ = false;
      timer_.cancel();
      co_return ended == process_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    Timer wait(output_.get_executor());
    wait.expires_after(reap_poll);
    co_await wait.async_wait(as_result);
  }
}

}  // namespace tollgate
