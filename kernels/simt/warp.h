// The rules by which the lanes of a warp meet: shuffles, votes, __syncwarp, tensor core instructions.
#pragma once

#include <array>
#include <span>

#include "kernels/simt/thread.h"

namespace kernels::simt {

class Warp {
 public:
  /// lanes: the 1 to 32 threads of the warp, none of which has started.
  explicit Warp(std::span<Thread> lanes);
  void reset();

  /// The thread arrives with its state, mask, collective and place set. Where it is the last of the mask, the
  /// collective is done and the mask is returned: these lanes go on; otherwise 0. Throws Error where the lanes do not
  /// match.
  unsigned arrive(Thread& thread, void* argument);
  /// Throws Error where a lane waits for this one.
  void exit(const Thread& thread);

  unsigned alive() const { return alive_; }

 private:
  unsigned existing() const { return lanes_.size() == 32 ? ~0u : (1u << lanes_.size()) - 1; }

  std::span<Thread> lanes_;
  std::array<void*, 32> arguments_{};
  unsigned alive_ = 0, waiting_ = 0;
};

}  // namespace kernels::simt
