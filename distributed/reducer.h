// From the micro-batches' gradients on all ranks to the sum that the optimiser reads.
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "distributed/bucket_sum.h"
#include "distributed/communicator.h"
#include "distributed/parameters.h"
#include "distributed/subtrees.h"
#include "distributed/tree_sum.h"

namespace distributed {

enum class Reduction {
  deterministic,  ///< a fixed tree over the micro-batches: the same bits on every number of ranks
  fast,           ///< buckets are summed by MPI while the backward pass still runs
};

/// One step: for each of micro_batches() in order, the backward pass writes its gradient over the buffer (all of every
/// tensor; padding stays zero) and add() takes it; then finish(). In between, fast wants bucket_ready() and progress(),
/// which deterministic ignores.
class Reducer {
 public:
  /// The global batch is `micro_batches`, whatever the number of ranks. `parameters` must outlive the reducer; its
  /// gradient is the buffer. Throws InputError where there are fewer micro-batches than ranks.
  Reducer(Communicator& communicator, Parameters& parameters, Reduction reduction, int micro_batches,
          std::int64_t bucket_elements);

  /// What this rank computes.
  MicroBatches micro_batches() const { return own_; }
  /// fast: the buckets, in the order in which the backward pass completes them. deterministic: none.
  std::span<const Bucket> buckets() const;

  /// All tensors of a bucket have their gradient of the current micro-batch. Collective in the last micro-batch.
  void bucket_ready(int bucket);
  /// To be called often while computing, every millisecond or so.
  void progress();
  /// Takes one micro-batch: its gradient from the buffer, and numbers (losses, counts) that are summed too; as many in
  /// every call.
  void add(int micro_batch, std::span<const double> numbers = {});
  /// Leaves the sum over all micro-batches in parameters.range() of the gradient buffer (the rest is undefined) and
  /// returns the sums of the numbers, added in the fixed tree in either mode, on every rank. Collective.
  std::vector<double> finish();
  /// Memory taken so far besides the gradient, in bytes.
  std::int64_t bytes() const;

 private:
  std::vector<double> sum_numbers() const;

  Communicator& communicator_;
  Parameters& parameters_;
  int micro_batches_;
  MicroBatches own_;
  int next_;
  std::vector<double> numbers_;  // of this rank's micro-batches, one after another
  std::variant<TreeSum, BucketSum> sum_;
};

}  // namespace distributed
