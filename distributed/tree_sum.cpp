#include "distributed/tree_sum.h"

#include <algorithm>
#include <utility>

#include "kernels/check.h"

namespace distributed {
namespace {

// The gradient buffer's number among the partial sums.
constexpr int in_gradient = -1;
// Additions go chunk by chunk so that a chunk stays in cache through all levels of the tree.
constexpr std::int64_t chunk_elements = 4096;

template <typename Work>
void for_chunks(std::int64_t count, Work work) {
#pragma omp parallel for
  for (std::int64_t begin = 0; begin < count; begin += chunk_elements)
    work(begin, std::min(chunk_elements, count - begin));
}

void add_to(std::span<float> sum, std::span<const float> values) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
}

std::vector<std::vector<Subtree>> subtrees_of_ranks(int leaves, int world) {
  std::vector<std::vector<Subtree>> all;
  for (int rank = 0; rank < world; ++rank) {
    all.push_back(complete_subtrees(micro_batches_of(leaves, rank, world), leaves));
  }
  return all;
}

std::int64_t count_all(const std::vector<std::vector<Subtree>>& of_rank) {
  std::int64_t count = 0;
  for (const auto& subtrees : of_rank) count += std::ssize(subtrees);
  return count;
}

}  // namespace

TreeSum::TreeSum(Communicator& communicator, std::span<float> gradient, int micro_batches)
    : communicator_(communicator),
      gradient_(gradient),
      leaves_(micro_batches),
      shard_(shard_range(std::ssize(gradient), communicator.rank(), communicator.size())),
      of_rank_(subtrees_of_ranks(micro_batches, communicator.size())),
      received_(communicator.size() == 1 ? 0 : count_all(of_rank_) * shard_.size()) {}

int TreeSum::free_buffer() {
  if (free_.empty()) {
    partial_.emplace_back(std::ssize(gradient_));
    return static_cast<int>(partial_.size()) - 1;
  }
  const int buffer = free_.back();
  free_.pop_back();
  return buffer;
}

void TreeSum::add(int micro_batch) {
  const MicroBatches own = micro_batches_of(leaves_, communicator_.rank(), communicator_.size());
  std::vector<int> left;  // partial sums to add to the gradient, innermost first
  push(complete_, {0, micro_batch, in_gradient}, leaves_, [&](int sibling, int) {
    left.push_back(sibling);
    return in_gradient;
  });
  const bool is_last = micro_batch + 1 == own.end;
  if (!is_last) complete_.back().buffer = free_buffer();
  const std::span<float> kept = is_last ? gradient_ : partial_[complete_.back().buffer].span();
  for_chunks(std::ssize(gradient_), [&](std::int64_t begin, std::int64_t count) {
    const std::span<float> sum = gradient_.subspan(begin, count);
    for (const int sibling : left) add_to(sum, partial_[sibling].span().subspan(begin, count));
    if (!is_last) std::ranges::copy(sum, kept.subspan(begin, count).begin());
  });
  free_.insert(free_.end(), left.begin(), left.end());
}

void TreeSum::finish() {
  if (communicator_.size() > 1) {
    exchange();
    add_received();
  }
  for (const Subtree& subtree : complete_) {
    if (subtree.buffer != in_gradient) free_.push_back(subtree.buffer);
  }
  complete_.clear();
}

std::int64_t TreeSum::bytes() const {
  std::int64_t bytes = received_.bytes();
  for (const Floats& partial : partial_) bytes += partial.bytes();
  return bytes;
}

// One subtree of each rank per round, sent from where it lies.
void TreeSum::exchange() {
  const int world = communicator_.size();
  const std::int64_t total = std::ssize(gradient_);
  const std::size_t rounds =
      std::ranges::max_element(of_rank_, {}, [](const auto& subtrees) { return subtrees.size(); })->size();
  for (std::size_t round = 0; round < rounds; ++round) {
    const bool sends = round < complete_.size();
    const bool is_partial = sends && complete_[round].buffer != in_gradient;
    Communicator::Pieces<const float> send{
        .values = is_partial ? partial_[complete_[round].buffer].span() : gradient_, .counts = {}, .offsets = {}};
    Communicator::Pieces<float> receive{.values = received_.span(), .counts = {}, .offsets = {}};
    std::int64_t before = 0;  // subtrees to the left of this rank's
    for (int rank = 0; rank < world; ++rank) {
      const Range theirs = shard_range(total, rank, world);
      const bool receives = round < of_rank_[rank].size();
      send.counts.push_back(sends ? theirs.size() : 0);
      send.offsets.push_back(theirs.begin);
      receive.counts.push_back(receives ? shard_.size() : 0);
      receive.offsets.push_back(receives ? (before + static_cast<std::int64_t>(round)) * shard_.size() : 0);
      before += std::ssize(of_rank_[rank]);
    }
    communicator_.all_to_all(send, receive);
  }
}

void TreeSum::add_received() {
  std::vector<std::pair<int, int>> additions;  // to buffer, of buffer
  std::vector<Subtree> complete;
  int buffer = 0;
  for (const auto& subtrees : of_rank_) {
    for (const Subtree& subtree : subtrees) {
      push(complete, {subtree.level, subtree.index, buffer++}, leaves_, [&](int left, int right) {
        additions.emplace_back(left, right);
        return left;
      });
    }
  }
  kernels::ensure(complete.size() == 1 && complete[0].buffer == 0, "the ranks' subtrees make the whole tree");
  const std::span<float> received = received_.span(), sum = shard_.of(gradient_);
  for_chunks(shard_.size(), [&](std::int64_t begin, std::int64_t count) {
    const auto chunk = [&](int number) { return received.subspan(number * shard_.size() + begin, count); };
    for (const auto& [left, right] : additions) add_to(chunk(left), chunk(right));
    std::ranges::copy(chunk(0), sum.subspan(begin, count).begin());
  });
}

}  // namespace distributed
