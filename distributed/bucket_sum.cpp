#include "distributed/bucket_sum.h"

#include <utility>

namespace distributed {

BucketSum::BucketSum(const Communicator& communicator, kernels::Collectives& collectives,
                     std::shared_ptr<kernels::Device> device, std::span<float> gradient, Sharding sharding,
                     std::vector<Bucket> buckets, int local_micro_batches)
    : world_(communicator.size()),
      collectives_(collectives),
      device_(std::move(device)),
      gradient_(gradient),
      sharding_(sharding),
      buckets_(std::move(buckets)),
      local_micro_batches_(local_micro_batches) {
  if (local_micro_batches == 1) return;
  const std::span<float> sum =
      sum_.emplace(*device_, std::ssize(gradient), "the sum of gradients of micro-batches").span();
  const std::span<const float> terms[] = {gradient};
  first_.emplace(*device_, std::span<const std::span<const float>>(), gradient, sum);
  next_.emplace(*device_, terms, sum);
  for (const Bucket& bucket : buckets_) {
    const std::span<const float> before[] = {bucket.range.of(sum)};
    last_.emplace_back(*device_, before, bucket.range.of(gradient));
  }
}

void BucketSum::add() {
  (added_ == 0 ? first_ : next_)->run();
  added_ = (added_ + 1) % (local_micro_batches_ - 1);
}

void BucketSum::start(int bucket) {
  const Range range = buckets_[bucket].range;
  if (sum_) last_[bucket].run();
  if (sharding_ == Sharding::none) return collectives_.start_all_reduce(range.of(gradient_));
  // Shards are ranges of the flat space, not of each bucket: the sum of a piece goes to the rank that owns it.
  std::vector<std::int64_t> counts;
  for (const Range& piece : shards_of(range, std::ssize(gradient_), world_)) counts.push_back(piece.size());
  collectives_.start_reduce_scatter(range.of(gradient_), counts);
}

}  // namespace distributed
