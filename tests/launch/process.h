// Runs the binary as a user would and keeps what it printed.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/folder.h"

namespace tests {

struct Outcome {
  int status = -1;
  std::string output;  // standard output and error together
};

/// All bytes of a file.
inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The command line with the binary that was built in place of `scoremle`.
inline std::string with_binary(std::string command) {
  const std::string name = "scoremle", binary = SCOREMLE_BINARY;
  for (std::size_t at = 0; (at = command.find(name + " ", at)) != std::string::npos; at += binary.size()) {
    command.replace(at, name.size(), binary);
  }
  return command;
}

/// Runs a shell command line, in which `scoremle` is the binary that was built.
inline Outcome run(const std::string& command_line) {
  const std::string command = with_binary(command_line);
  Outcome outcome;
  FILE* pipe = popen(("(" + command + ") 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  for (std::size_t got; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    outcome.output.append(buffer.data(), got);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

/// mpirun with `ranks` ranks, as root, with more ranks than cores.
inline std::string mpirun(int ranks) {
  return "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 "
         "OMPI_MCA_hwloc_base_binding_policy=none "
         "OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_vader_single_copy_mechanism=none mpirun --quiet -n " +
         std::to_string(ranks) + " ";
}

}  // namespace tests
