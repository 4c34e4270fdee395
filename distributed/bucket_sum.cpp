#include "distributed/bucket_sum.h"

#include <algorithm>
#include <utility>

#include "kernels/check.h"

namespace distributed {
namespace {

void add_to(std::span<float> sum, std::span<const float> values) {
#pragma omp parallel for
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

}  // namespace

std::vector<Bucket> make_buckets(const Layout& layout, std::int64_t elements) {
  std::vector<Bucket> buckets;
  std::int64_t end = layout.total;
  int last = static_cast<int>(layout.tensors.size()) - 1;
  for (int tensor = last; tensor >= 0; --tensor) {
    const std::int64_t begin = layout.tensors[tensor].offset;
    if (end - begin < elements && tensor > 0) continue;
    buckets.push_back({{begin, end}, tensor, last});
    end = begin;
    last = tensor - 1;
  }
  return buckets;
}

BucketSum::BucketSum(Communicator& communicator, std::span<float> gradient, Sharding sharding,
                     std::vector<Bucket> buckets, int local_micro_batches)
    : communicator_(communicator),
      gradient_(gradient),
      sharding_(sharding),
      buckets_(std::move(buckets)),
      local_micro_batches_(local_micro_batches),
      started_(buckets_.size(), 0) {
  if (local_micro_batches > 1) sum_.emplace(std::ssize(gradient));
}

void BucketSum::bucket_ready(int bucket) {
  if (added_ + 1 == local_micro_batches_) start(bucket);
}

void BucketSum::add() {
  ++added_;
  if (added_ == local_micro_batches_) return;  // bucket_ready() and finish() take the last one from the buffer
  if (added_ == 1) {
    std::ranges::copy(gradient_, sum_->span().begin());
  } else {
    add_to(sum_->span(), gradient_);
  }
}

void BucketSum::start(int bucket) {
  kernels::ensure(std::exchange(started_.at(bucket), 1) == 0, "a bucket is announced once in a backward pass");
  const Range range = buckets_[bucket].range;
  if (sum_) add_to(range.of(gradient_), range.of(sum_->span()));
  if (sharding_ == Sharding::none) {
    communicator_.start_all_reduce(range.of(gradient_));
    return;
  }
  // Shards are ranges of the flat space, not of each bucket: the sum of a piece goes to the rank that owns it.
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const Range shard = shard_range(std::ssize(gradient_), rank, communicator_.size());
    const Range piece{std::max(range.begin, shard.begin), std::min(range.end, shard.end)};
    if (piece.size() > 0) communicator_.start_reduce(piece.of(gradient_), rank);
  }
}

void BucketSum::finish() {
  kernels::ensure(added_ == local_micro_batches_, "every micro-batch of this rank was added");
  for (int bucket = 0; bucket < std::ssize(buckets_); ++bucket) {
    if (!started_[bucket]) start(bucket);
  }
  communicator_.wait();
  std::ranges::fill(started_, 0);
  added_ = 0;
}

}  // namespace distributed
