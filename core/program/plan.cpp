#include "core/program/plan.h"

#include <algorithm>
#include <numeric>

namespace core::program {
namespace {

using kernels::memory_alignment;
std::size_t rounded(std::size_t bytes) {
  return (bytes + memory_alignment - 1) / memory_alignment * memory_alignment;
}

/// A block of the arena and the records [first, last] during which it must not be touched by others.
struct Block {
  std::size_t bytes;
  std::size_t first, last;
  std::size_t* offset;
};

/// Gives the block the lowest gap between the blocks that are alive with it; `placed` is sorted by offset.
void place(Block block, std::vector<Block>& placed) {
  std::size_t offset = 0;
  for (const Block& other : placed) {
    if (other.last < block.first || block.last < other.first) continue;
    if (offset + block.bytes <= *other.offset) break;
    offset = std::max(offset, *other.offset + other.bytes);
  }
  *block.offset = offset;
  placed.insert(std::upper_bound(placed.begin(), placed.end(), block,
                                 [](const Block& a, const Block& b) { return *a.offset < *b.offset; }),
                block);
}

}  // namespace

Plan plan_memory(const Program& program, std::span<const std::size_t> scratch_bytes, std::size_t guard_bytes) {
  const auto tensors = program.tensors();
  const std::size_t records = program.ops().size();
  Plan plan;
  plan.offsets.assign(tensors.size(), Plan::external);
  plan.scratch.assign(records, 0);

  std::vector<Block> blocks(tensors.size(), {0, records, 0, nullptr});
  for (std::size_t i = 0; i < records; ++i) {
    Op op = program.ops()[i];
    kernels::for_each_operand(op, [&](const Tensor& operand) {
      Block& block = blocks[static_cast<std::size_t>(operand.id)];
      block.first = std::min(block.first, i);
      block.last = std::max(block.last, i);
    });
  }
  std::vector<Block> wanted;
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    const Role role = tensors[t].role;
    const bool lasting = role == Role::input || role == Role::output;
    if (role == Role::parameter || role == Role::gradient) continue;
    if (!lasting && blocks[t].first == records) continue;  // never used
    const std::size_t bytes = rounded(tensors[t].tensor.size_bytes());
    plan.activation_bytes += bytes;
    wanted.push_back(
        {bytes + guard_bytes, lasting ? 0 : blocks[t].first, lasting ? records : blocks[t].last, &plan.offsets[t]});
  }
  for (std::size_t i = 0; i < records; ++i) {
    if (scratch_bytes[i] > 0) wanted.push_back({rounded(scratch_bytes[i]) + guard_bytes, i, i, &plan.scratch[i]});
  }

  // Large blocks first: the small ones fit between them.
  std::stable_sort(wanted.begin(), wanted.end(), [](const Block& a, const Block& b) { return a.bytes > b.bytes; });
  std::vector<Block> placed;
  for (const Block& block : wanted) {
    place(block, placed);
    plan.arena_bytes = std::max(plan.arena_bytes, *block.offset + block.bytes);
  }
  return plan;
}

}  // namespace core::program
