// The fixed binary tree in which micro-batches are summed: defined by their number alone, never by the ranks.
#pragma once

#include <cstdint>
#include <vector>

namespace distributed {

/// Consecutive micro-batches [begin, end).
struct MicroBatches {
  int begin, end;
  int count() const { return end - begin; }
};

/// What rank `rank` of `world` computes of `micro_batches`: [V r / P, V (r + 1) / P).
inline MicroBatches micro_batches_of(int micro_batches, int rank, int world) {
  const std::int64_t all = micro_batches;
  return {static_cast<int>(all * rank / world), static_cast<int>(all * (rank + 1) / world)};
}

/// The sum over the leaves [index 2^level, (index + 1) 2^level) that exist, kept in buffer number `buffer`.
struct Subtree {
  int level, index, buffer;
};

/// Adds the complete subtree `node`, next in order, to `complete`, and merges siblings for as long as both are there:
/// `merge(left, right)` adds two buffers and returns the one that holds the sum. A node without a right sibling (the
/// number of leaves need not be a power of two) is its parent. So `complete` always holds the maximal subtrees, at most
/// 2 log2(leaves) of them.
template <typename Merge>
void push(std::vector<Subtree>& complete, Subtree node, int leaves, Merge merge) {
  while ((std::int64_t{1} << node.level) < leaves) {
    const bool is_left = node.index % 2 == 0;
    const bool has_sibling = is_left ? (std::int64_t{node.index + 1} << node.level) < leaves : true;
    if (has_sibling) {
      const bool sibling_is_here = !is_left && !complete.empty() && complete.back().level == node.level &&
                                   complete.back().index == node.index - 1;
      if (!sibling_is_here) break;
      node.buffer = merge(complete.back().buffer, node.buffer);
      complete.pop_back();
    }
    ++node.level;
    node.index /= 2;
  }
  complete.push_back(node);
}

/// The maximal complete subtrees of the leaves `range` of `leaves`, left to right.
inline std::vector<Subtree> complete_subtrees(MicroBatches range, int leaves) {
  std::vector<Subtree> complete;
  for (int leaf = range.begin; leaf < range.end; ++leaf) {
    push(complete, {0, leaf, 0}, leaves, [](int, int) { return 0; });
  }
  return complete;
}

}  // namespace distributed
