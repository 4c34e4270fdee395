// The sum of all micro-batches' gradients with the same bits on every number of ranks.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "distributed/bucket.h"
#include "distributed/communicator.h"
#include "distributed/device_vectors.h"
#include "distributed/subtrees.h"

namespace distributed {

/// Each rank adds its micro-batches up to the maximal complete subtrees of the fixed tree (a binary counter of partial
/// sums: O(log) vectors). Then, bucket by bucket, each rank sends its shard's owner that part of every subtree, and the
/// owner goes on adding in the tree's order. An exchange only moves numbers, so the sum does not depend on how it is
/// made.
class TreeSum {
 public:
  /// `gradient`: where each micro-batch's gradient is written, and finally the sum, in the device's memory. The
  /// collectives must outlive it.
  TreeSum(const Communicator& communicator, kernels::Collectives& collectives, std::shared_ptr<kernels::Device> device,
          std::span<float> gradient, std::vector<Bucket> buckets, int micro_batches);

  const std::vector<Bucket>& buckets() const { return buckets_; }
  /// Takes the gradient of a micro-batch of this rank, in order and but for the last one, from the buffer.
  void add(int micro_batch) { additions_[static_cast<std::size_t>(micro_batch - own_.begin)].run(); }
  /// Of the last one the bucket is complete: starts its exchange. Collective.
  void start(int bucket);
  /// When all of them have been exchanged: leaves the sum in this rank's shard of the buffer; the rest of it is
  /// undefined.
  void finish();

 private:
  void plan_own_sums();
  void plan_received_sums();
  void exchange(Range bucket, std::size_t round);
  std::span<float> received(int subtree) const {
    return received_->span().subspan(subtree * shard_.size(), shard_.size());
  }

  int rank_, world_;
  kernels::Collectives& collectives_;
  std::shared_ptr<kernels::Device> device_;
  std::span<float> gradient_;
  std::vector<Bucket> buckets_;
  int leaves_;
  MicroBatches own_;
  Range shard_;
  std::vector<std::vector<Subtree>> of_rank_;  // the subtrees every rank ends with
  std::vector<DeviceVector> partial_;
  std::vector<DeviceAddition> additions_;         // of every micro-batch but the last
  std::vector<DeviceAddition> last_additions_;    // of the last, by bucket
  std::vector<std::span<const float>> complete_;  // the sums of this rank's subtrees
  std::optional<DeviceVector> received_;  // this rank's shard of every rank's every subtree, in the tree's order
  std::vector<DeviceAddition> received_additions_;
};

}  // namespace distributed
