#include "distributed/interrupt.h"

#include <unistd.h>
#include <csignal>

namespace distributed {
namespace {

// A signal handler can reach nothing but static storage: the one piece of mutable global state.
volatile std::sig_atomic_t signalled = 0;

extern "C" void note_signal(int signal) {
  if (signalled && signal != SIGUSR1) _exit(128 + signal);
  signalled = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
}

bool interrupted(const std::filesystem::path& halt_file) {
  return signalled || (!halt_file.empty() && std::filesystem::exists(halt_file));
}

}  // namespace distributed
