#pragma once
// `tollgate sim`: a simulated engine as a program of its own.

namespace tollgate::simulator {

/// Runs until SIGINT or SIGTERM. Returns the exit code: 0 stopped or help shown, 1 could not start, 2 wrong usage.
/// Prints "ready URL" (or with --json one object) on stdout once it listens. argv[0] is the name shown in help.
/// Call it before any other thread is started: it blocks the two signals for the threads it starts.
int run_simulator_command(int argc, char** argv);

}  // namespace tollgate::simulator
