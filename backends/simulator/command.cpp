#include "backends/simulator/command.hpp"

#include <sys/resource.h>

#include <csignal>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "backends/simulator/options.hpp"
#include "config/dialects.hpp"

namespace tollgate::simulator {
namespace {

/// As many descriptors as the system gives: each stream takes one.
void allow_many_connections() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string ready_line(const CommandLine& line, const Simulator& simulator) {
  if (!line.json) return "ready " + simulator.url();
  return nlohmann::ordered_json{{"ready", true},
                                {"url", simulator.url()},
                                {"port", simulator.port()},
                                {"model", line.options.model},
                                {"personality", facts_of(line.options.engine.personality).name}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

int run_simulator_command(int argc, char** argv) {
  Result<CommandLine> read = parse_command_line(argc, argv);
  if (!read) {
    std::cerr << "tollgate sim: " << read.error().message << "\nSee tollgate sim --help.\n";
    return 2;
  }
  const CommandLine& line = read.value();
  if (!line.help.empty()) {
    std::cout << line.help;
    return 0;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // the server's thread inherits it; they are waited for below
  std::signal(SIGPIPE, SIG_IGN);                  // whoever reads our stdout may go away
  allow_many_connections();
  try {
    Simulator simulator(line.options);
    simulator.start();
    std::cout << ready_line(line, simulator) << std::endl;
    int signal = 0;
    sigwait(&signals, &signal);
  } catch (const std::exception& error) {
    std::cerr << "tollgate sim: " << error.what() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace tollgate::simulator
