// System calls of this program that can be made to fail, to lie, or to be the last thing the process does.
#pragma once

#include <string>
#include <vector>

namespace distributed::testing {

enum class Deed {
  fail,  ///< return -1 with errno `code`
  lie,   ///< of write: store zeros and report success
  kill,  ///< SIGKILL to the own process before the call
};

/// Befalls the calls of `call` ("write", "pread", "fsync", "mkdir", "renameat2", "unlinkat", or "" for all that change
/// something) whose path contains `path`: after `skip` of them, `times` of them.
struct Fault {
  Deed deed;
  std::string call, path;
  int skip = 0, times = 1 << 30;
  int code = 0;
};

/// While it lives, the fault is there, and every call is recorded as "fsync PATH".
class FaultySystem {
 public:
  explicit FaultySystem(Fault fault);
  ~FaultySystem();
  FaultySystem(const FaultySystem&) = delete;
  FaultySystem& operator=(const FaultySystem&) = delete;
  static std::vector<std::string> calls();
};

}  // namespace distributed::testing
