// An emulated GPU: runs kernels that g++ compiled, thread by thread, and says what is wrong with them.
#pragma once

#include "kernels/simt/block.h"

namespace kernels::simt {

struct Options {
  Order order = Order::forward;
  std::uint64_t seed = 1;  // of Order::random
};

/// One at a time runs, on one CPU. What the kernels' own compilation looks for comes on top: addresses and undefined
/// behaviour with the sanitizers, races with -fsanitize=thread and thread_hooks.cpp.
class Device {
 public:
  explicit Device(Options options = {});

  /// The device that a launch's stream stands for.
  static Device& of(void* stream);

  /// Runs the body for every thread of every block. Throws Error, a line that names kernel, block, threads and lines,
  /// where the launch cannot be made or the kernel cannot come to its end.
  void run(const Launch& launch);

 private:
  Options options_;
  Fibres fibres_;
  Races races_;
};

}  // namespace kernels::simt
