// The sum of all micro-batches' gradients, bucket by bucket while the backward pass still runs.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/parameters.h"

namespace distributed {

/// Whole tensors [first_tensor, last_tensor] of a layout, and the range they fill.
struct Bucket {
  Range range;
  int first_tensor, last_tensor;
};

/// Buckets of at least `elements` elements (but the last, which is what remains) in the order in which a backward pass
/// completes them: bucket 0 is the end of the flat space, for layouts are in the order of the forward pass.
std::vector<Bucket> make_buckets(const Layout& layout, std::int64_t elements);

/// Adds micro-batches plainly and lets MPI sum the ranks: the bits depend on the number of ranks and on the buckets.
class BucketSum {
 public:
  BucketSum(Communicator& communicator, std::span<float> gradient, Sharding sharding, std::vector<Bucket> buckets,
            int local_micro_batches);

  const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Bucket `bucket` of the current micro-batch is complete: starts its sum over the ranks if that is the last one.
  void bucket_ready(int bucket);
  /// Takes the gradient of the next micro-batch from the buffer.
  void add();
  /// Starts the buckets that were not announced and waits for all. The sum is then in the gradient buffer: everywhere,
  /// or with Sharding::optimizer in this rank's shard. Collective.
  void finish();
  /// Memory taken, in bytes.
  std::int64_t bytes() const { return sum_ ? sum_->bytes() : 0; }

 private:
  void start(int bucket);

  Communicator& communicator_;
  std::span<float> gradient_;
  Sharding sharding_;
  std::vector<Bucket> buckets_;
  int local_micro_batches_;
  int added_ = 0;
  std::vector<char> started_;
  std::optional<Floats> sum_;  // of all but the last micro-batch
};

}  // namespace distributed
