// `tollgate sim` without the rest of the program.
#include "backends/simulator/command.hpp"

int main(int argc, char** argv) { return tollgate::simulator::run_simulator_command(argc, argv); }
