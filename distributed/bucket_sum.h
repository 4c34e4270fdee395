// The sum of all micro-batches' gradients as the ranks' library makes it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "distributed/bucket.h"
#include "distributed/communicator.h"
#include "distributed/device_vectors.h"

namespace distributed {

/// Adds micro-batches plainly and lets the collectives sum the ranks: the bits depend on the number of ranks and on the
/// buckets.
class BucketSum {
 public:
  /// `gradient`: where each micro-batch's gradient is written, and finally the sum, in the device's memory. The
  /// collectives must outlive it.
  BucketSum(const Communicator& communicator, kernels::Collectives& collectives,
            std::shared_ptr<kernels::Device> device, std::span<float> gradient, Sharding sharding,
            std::vector<Bucket> buckets, int local_micro_batches);

  const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Takes the gradient of the next micro-batch of this rank, but for the last one, from the buffer.
  void add();
  /// Of the last one the bucket is complete: starts its sum over the ranks, which is then in the gradient buffer:
  /// everywhere, or with Sharding::optimizer in this rank's shard. Collective.
  void start(int bucket);

 private:
  int world_;
  kernels::Collectives& collectives_;
  std::shared_ptr<kernels::Device> device_;
  std::span<float> gradient_;
  Sharding sharding_;
  std::vector<Bucket> buckets_;
  int local_micro_batches_;
  int added_ = 0;                    // of this step
  std::optional<DeviceVector> sum_;  // of all but the last micro-batch
  std::optional<DeviceAddition> first_, next_;
  std::vector<DeviceAddition> last_;  // by bucket
};

}  // namespace distributed
