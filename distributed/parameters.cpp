#include "distributed/parameters.h"

#include <algorithm>
#include <new>
#include <set>

#include "kernels/check.h"

namespace distributed {
namespace {

std::int64_t round_up(std::int64_t count) {
  return (count + alignment - 1) / alignment * alignment;
}

}  // namespace

Layout make_layout(std::span<const NamedShape> tensors) {
  Layout layout;
  std::set<std::string> names;
  for (const NamedShape& tensor : tensors) {
    kernels::ensure(names.insert(tensor.name).second, "names of parameters are distinct");
    std::int64_t count = 1;
    for (const std::int64_t size : tensor.shape) count *= size;
    kernels::ensure(count >= 0, "shapes of parameters are not negative");
    layout.tensors.push_back({tensor.name, tensor.shape, layout.total, count});
    layout.total += round_up(count);
  }
  return layout;
}

Range shard_range(std::int64_t total, int rank, int world) {
  kernels::ensure(total % alignment == 0 && 0 <= rank && rank < world, "a padded space and a rank of the world");
  const std::int64_t blocks = total / alignment;
  return {blocks * rank / world * alignment, blocks * (rank + 1) / world * alignment};
}

std::vector<std::int64_t> shard_sizes(std::int64_t total, int world) {
  std::vector<std::int64_t> sizes;
  for (int rank = 0; rank < world; ++rank) sizes.push_back(shard_range(total, rank, world).size());
  return sizes;
}

void gather_shards(Communicator& communicator, std::span<float> flat) {
  const Range own = shard_range(std::ssize(flat), communicator.rank(), communicator.size());
  communicator.all_gather(std::span<const float>(own.of(flat)), flat,
                          shard_sizes(std::ssize(flat), communicator.size()));
}

Floats::Floats(std::int64_t count) : count_(count) {
  constexpr std::size_t bytes = alignment * sizeof(float);
  data_.reset(
      static_cast<float*>(std::aligned_alloc(bytes, std::max<std::size_t>(round_up(count) * sizeof(float), bytes))));
  if (!data_) throw std::bad_alloc();
  float* const data = data_.get();
  // By the threads that will use it: memory belongs to the processor that first touches it.
#pragma omp parallel for
  for (std::int64_t i = 0; i < count; ++i) data[i] = 0;
}

Parameters::Parameters(Layout layout, Sharding sharding, int rank, int world)
    : layout_(std::move(layout)),
      sharding_(sharding),
      shard_(shard_range(layout_.total, rank, world)),
      range_(sharding == Sharding::optimizer ? shard_ : Range{0, layout_.total}),
      weights_(layout_.total),
      gradient_(layout_.total),
      m_(range_.size()),
      v_(range_.size()),
      ema_(range_.size()) {}

}  // namespace distributed
