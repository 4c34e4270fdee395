// From the micro-batches' gradients on all ranks to the sum that the optimiser reads, and its norm.
#pragma once

#include <span>
#include <variant>
#include <vector>

#include "distributed/bucket_sum.h"
#include "distributed/communicator.h"
#include "distributed/mirrored.h"
#include "distributed/parameters.h"
#include "distributed/squared_norm.h"
#include "distributed/subtrees.h"
#include "distributed/tree_sum.h"

namespace distributed {

enum class Reduction {
  deterministic,  ///< a fixed tree over the micro-batches: the same bits on every number of ranks
  fast,           ///< as the collectives sum
};

/// One step: for each of micro_batches() in order, the backward pass writes its gradient over the buffer (all of every
/// tensor; padding stays zero) and add() takes it. The last one is exchanged meanwhile, by start() of every bucket and
/// complete(), or afterwards by exchange(); then finish().
class Reducer {
 public:
  /// The global batch is `micro_batches`, whatever the number of ranks. `gradient` is the buffer; it and the
  /// collectives must outlive the reducer. Throws InputError where there are fewer micro-batches than ranks, or too
  /// little memory.
  Reducer(Communicator& communicator, kernels::Collectives& collectives, std::shared_ptr<kernels::Device> device,
          const Parameters& parameters, const Mirrored& gradient, Reduction reduction, int micro_batches,
          std::int64_t bucket_elements);

  /// What this rank computes.
  MicroBatches micro_batches() const { return own_; }
  /// In the order in which the backward pass completes them.
  std::span<const Bucket> buckets() const;
  kernels::Collectives& collectives() const { return collectives_; }

  /// Takes one micro-batch: its gradient from the buffer, and numbers (losses, counts) that are summed too; as many in
  /// every call.
  void add(int micro_batch, std::span<const double> numbers = {});

  /// All tensors of a bucket have their gradient of this rank's last micro-batch. Collective.
  void start(int bucket);
  /// Every bucket was started: leaves the sum over all micro-batches in parameters.range() of the gradient buffer (the
  /// rest is undefined). Collective.
  void complete();
  /// Both, for all buckets.
  void exchange();

  struct Sums {
    std::vector<double> numbers;  // added in the fixed tree in either mode
    double gradient_norm;
  };
  /// On every rank. Collective.
  Sums finish();

 private:
  std::vector<double> sum_numbers() const;

  Communicator& communicator_;
  kernels::Collectives& collectives_;
  std::span<float> gradient_;
  Sharding sharding_;
  int micro_batches_;
  MicroBatches own_;
  int next_;
  std::vector<double> numbers_;  // of this rank's micro-batches, one after another
  std::variant<TreeSum, BucketSum> sum_;
  SquaredNorm norm_;
};

}  // namespace distributed
