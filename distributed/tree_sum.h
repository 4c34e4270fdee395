// The sum of all micro-batches' gradients with the same bits on every number of ranks.
#pragma once

#include <span>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/parameters.h"
#include "distributed/subtrees.h"

namespace distributed {

/// Each rank adds its micro-batches up to the maximal complete subtrees of the fixed tree (a binary counter of partial
/// sums: O(log) buffers). Then each rank sends its shard's owner that part of every subtree, and the owner goes on
/// adding in the tree's order. An all-to-all only moves numbers, so the sum does not depend on how MPI would add them.
class TreeSum {
 public:
  /// `gradient`: where each micro-batch's gradient is written, and finally the sum.
  TreeSum(Communicator& communicator, std::span<float> gradient, int micro_batches);

  /// Takes the gradient of the next micro-batch from the buffer.
  void add(int micro_batch);
  /// Leaves the sum in this rank's shard of the gradient buffer; the rest of it is undefined. Collective.
  void finish();
  /// Memory taken so far, in bytes.
  std::int64_t bytes() const;

 private:
  int free_buffer();
  void exchange();
  void add_received();

  Communicator& communicator_;
  std::span<float> gradient_;
  int leaves_;
  Range shard_;
  std::vector<std::vector<Subtree>> of_rank_;  // the subtrees every rank ends with
  std::vector<Floats> partial_;
  std::vector<int> free_;
  std::vector<Subtree> complete_;
  Floats received_;  // this rank's shard of every rank's every subtree, in the tree's order
};

}  // namespace distributed
