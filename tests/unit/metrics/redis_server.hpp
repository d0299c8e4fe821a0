#pragma once
// A redis-server of a test's own: on a Unix socket in a folder, nothing on disk, stopped by its process id.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <thread>

#include "metrics/shared/redis_link.hpp"
#include "testing.hpp"

namespace tollgate::testing {

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> more = {}) : more_(std::move(more)) { start(); }
  ~RedisServer() { stop(); }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  [[nodiscard]] SharedConfig config() const {
    SharedConfig config;
    config.socket_path = socket();
    config.where = "unix://" + config.socket_path;
    return config;
  }
  void start() {
    std::vector<std::string> words{"redis-server", "--port", "0", "--unixsocket", socket(), "--save", "", "--dir", folder_.path().string()};
    words.insert(words.end(), more_.begin(), more_.end());
    process_ = ::fork();
    if (process_ == 0) {
      const int nowhere = ::open("/dev/null", O_WRONLY);
      ::dup2(nowhere, 1);
      ::dup2(nowhere, 2);
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    for (int i = 0; i < 1'000; ++i) {   // until it answers, also with an error
      RedisLink link(config());
      if (const auto answer = link.ask({{"PING"}}); answer.has_value() || answer.error().message.find("password") != std::string::npos) return;
      if (::waitpid(process_, nullptr, WNOHANG) == process_) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("redis-server does not start; is the package redis-server installed?");
  }
  void stop() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    process_ = 0;
  }

 private:
  [[nodiscard]] std::string socket() const { return folder_.file("redis.sock"); }
  Folder folder_;
  std::vector<std::string> more_;
  pid_t process_ = 0;
};

}  // namespace tollgate::testing
