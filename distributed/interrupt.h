// Being asked to stop: by a signal to this rank, or by a file in the run's folder.
#pragma once

#include <filesystem>

namespace distributed {

/// From here on SIGTERM, SIGINT and SIGUSR1 only set a flag; a second SIGTERM or SIGINT ends the process at once.
void catch_interrupts();

/// Whether this rank was signalled, or `halt_file` exists (an empty path is not looked for). Ranks see signals at
/// different steps: agree on the answer before acting on it.
bool interrupted(const std::filesystem::path& halt_file);

/// Exit status of a run that stopped cleanly because it was asked to, and wants to be started again (EX_TEMPFAIL).
inline constexpr int exit_interrupted = 75;

}  // namespace distributed
