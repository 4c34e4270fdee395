#include "distributed/tree_sum.h"

#include <algorithm>
#include <utility>

#include "kernels/check.h"

namespace distributed {
namespace {

// The gradient buffer's number among the partial sums.
constexpr int in_gradient = -1;
constexpr const char* purpose = "partial sums of gradients";

std::vector<std::vector<Subtree>> subtrees_of_ranks(int leaves, int world) {
  std::vector<std::vector<Subtree>> all;
  for (int rank = 0; rank < world; ++rank) {
    all.push_back(complete_subtrees(micro_batches_of(leaves, rank, world), leaves));
  }
  return all;
}

}  // namespace

TreeSum::TreeSum(const Communicator& communicator, kernels::Collectives& collectives,
                 std::shared_ptr<kernels::Device> device, std::span<float> gradient, std::vector<Bucket> buckets,
                 int micro_batches)
    : rank_(communicator.rank()),
      world_(communicator.size()),
      collectives_(collectives),
      device_(std::move(device)),
      gradient_(gradient),
      buckets_(std::move(buckets)),
      leaves_(micro_batches),
      own_(micro_batches_of(leaves_, rank_, world_)),
      shard_(shard_range(std::ssize(gradient), rank_, world_)),
      of_rank_(subtrees_of_ranks(micro_batches, world_)) {
  plan_own_sums();
  if (world_ > 1) plan_received_sums();
}

// The tree is fixed, so what is added to what in each micro-batch is known beforehand.
void TreeSum::plan_own_sums() {
  std::vector<Subtree> complete;
  std::vector<int> free;  // of the partial sums
  const auto vector = [&](int number) { return number == in_gradient ? gradient_ : partial_[number].span(); };
  for (int leaf = own_.begin; leaf < own_.end; ++leaf) {
    std::vector<int> left;  // partial sums to add to the gradient, innermost first
    push(complete, {0, leaf, in_gradient}, leaves_, [&](int sibling, int) {
      left.push_back(sibling);
      return in_gradient;
    });
    std::vector<std::span<const float>> terms;
    for (const int sibling : left) terms.push_back(vector(sibling));
    if (leaf + 1 < own_.end) {
      if (free.empty()) {
        free.push_back(static_cast<int>(partial_.size()));
        partial_.emplace_back(*device_, std::ssize(gradient_), purpose);
      }
      complete.back().buffer = free.back();
      free.pop_back();
      additions_.emplace_back(*device_, terms, gradient_, vector(complete.back().buffer));
    } else {
      for (const Bucket& bucket : buckets_) {
        std::vector<std::span<const float>> parts;
        for (const auto& term : terms) parts.push_back(bucket.range.of(term));
        last_additions_.emplace_back(*device_, parts, bucket.range.of(gradient_));
      }
    }
    free.insert(free.end(), left.begin(), left.end());
  }
  for (const Subtree& subtree : complete) complete_.push_back(vector(subtree.buffer));
}

void TreeSum::plan_received_sums() {
  int count = 0;
  for (const auto& subtrees : of_rank_) count += static_cast<int>(subtrees.size());
  received_.emplace(*device_, count * shard_.size(), purpose);
  std::vector<Subtree> complete;
  int number = 0;
  for (const auto& subtrees : of_rank_) {
    for (const Subtree& subtree : subtrees) {
      std::vector<std::span<const float>> terms;
      push(complete, {subtree.level, subtree.index, number}, leaves_, [&](int left, int right) {
        terms.push_back(received(left));
        return right;
      });
      const bool is_last = number + 1 == count;
      received_additions_.emplace_back(*device_, terms, received(number),
                                       is_last ? shard_.of(gradient_) : std::span<float>());
      ++number;
    }
  }
  kernels::ensure(complete.size() == 1, "the ranks' subtrees make the whole tree");
}

void TreeSum::start(int bucket) {
  last_additions_[bucket].run();
  if (world_ == 1) return;
  const auto rounds = std::ranges::max_element(of_rank_, {}, [](const auto& subtrees) { return subtrees.size(); });
  for (std::size_t round = 0; round < rounds->size(); ++round) exchange(buckets_[bucket].range, round);
}

// One subtree of each rank per round, sent from where it lies.
void TreeSum::exchange(Range bucket, std::size_t round) {
  const std::vector<Range> shards = shards_of(bucket, std::ssize(gradient_), world_);
  const Range own = shards[rank_];
  const bool sends = round < complete_.size();
  kernels::Pieces<const float> send{.values = sends ? complete_[round] : gradient_, .counts = {}, .offsets = {}};
  kernels::Pieces<float> receive{.values = received_->span(), .counts = {}, .offsets = {}};
  std::size_t before = 0;  // subtrees to the left of this rank's
  for (int rank = 0; rank < world_; ++rank) {
    const bool receives = round < of_rank_[rank].size() && own.size() > 0;
    send.counts.push_back(sends ? shards[rank].size() : 0);
    send.offsets.push_back(shards[rank].begin);
    receive.counts.push_back(receives ? own.size() : 0);
    receive.offsets.push_back(
        receives ? static_cast<std::int64_t>(before + round) * shard_.size() + own.begin - shard_.begin : 0);
    before += of_rank_[rank].size();
  }
  collectives_.start_all_to_all(send, receive);
}

void TreeSum::finish() {
  for (const DeviceAddition& addition : received_additions_) addition.run();
}

}  // namespace distributed
