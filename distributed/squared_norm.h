// The squared norm of a sharded flat vector, with the same bits on every number of ranks.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/parameters.h"
#include "kernels/device.h"

namespace distributed {

/// The sum of squares in double precision as kernels::SquareSums divides it, the numbers in order. Reads only this
/// rank's shard (parameters.h: shard_range).
class SquaredNorm {
 public:
  /// `flat` is in the device's memory.
  SquaredNorm(Communicator& communicator, std::shared_ptr<kernels::Device> device, std::span<float> flat);
  /// Sums this rank's shard. Has its place in the order of what the device is told, also in the midst of a program.
  void start() const { step_.run({.base = base_}); }
  /// Collective.
  double finish() const;

 private:
  Communicator& communicator_;
  std::shared_ptr<kernels::Device> device_;
  std::int64_t total_;
  std::vector<std::int64_t> counts_;  // of each rank's numbers
  std::shared_ptr<std::byte> numbers_;
  kernels::Step step_;
  std::vector<std::byte*> base_;
};

}  // namespace distributed
