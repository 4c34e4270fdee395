// The flat vectors of a model (weights, gradient, moments, averaged weights), and which rank owns which range of them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "distributed/communicator.h"

namespace distributed {

/// Every tensor and every shard begins at a multiple of this many elements (256 bytes).
constexpr std::int64_t alignment = 64;

/// Elements [begin, end) of the flat space.
struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  template <typename T>
  std::span<T> of(std::span<T> flat) const {
    return flat.subspan(begin, size());
  }
  bool operator==(const Range&) const = default;
};

struct NamedShape {
  std::string name;
  std::vector<std::int64_t> shape;
};

struct TensorPlace {
  std::string name;
  std::vector<std::int64_t> shape;
  std::int64_t offset, count;
  Range range() const { return {offset, offset + count}; }
};

/// Where each tensor lies in the flat space: in the order given, each padded to alignment. Depends on neither the
/// number of ranks nor the buckets. The padding is zero in every flat vector and stays so.
struct Layout {
  std::vector<TensorPlace> tensors;
  std::int64_t total = 0;
};
Layout make_layout(std::span<const NamedShape> tensors);

/// What rank `rank` of `world` owns of `total` elements: [total r / world, total (r + 1) / world), rounded down to
/// alignment. The ranges of all ranks tile the space; they differ in size, and are empty where there is little to
/// share.
Range shard_range(std::int64_t total, int rank, int world);

/// Elements owned by each rank.
std::vector<std::int64_t> shard_sizes(std::int64_t total, int world);

/// Every rank gives its own range of `flat`, and has all of it afterwards. Collective.
void gather_shards(Communicator& communicator, std::span<float> flat);

enum class Sharding {
  none,       ///< every rank holds and updates the optimiser's whole state
  optimizer,  ///< each rank holds and updates its own range (ZeRO-1)
};

/// `count` zeros, aligned to alignment floats.
class Floats {
 public:
  explicit Floats(std::int64_t count);
  std::span<float> span() const { return {data_.get(), static_cast<std::size_t>(count_)}; }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }
  };
  std::int64_t count_;
  std::unique_ptr<float[], Free> data_;
};

/// The state that training changes. Weights and gradient are whole on every rank; the moments m and v and the averaged
/// weights cover only range(): all of the space, or with Sharding::optimizer the rank's shard. Addresses never change.
class Parameters {
 public:
  Parameters(Layout layout, Sharding sharding, int rank, int world);

  const Layout& layout() const { return layout_; }
  Sharding sharding() const { return sharding_; }
  /// What this rank's optimiser updates.
  Range range() const { return range_; }
  /// What this rank writes into a checkpoint: its shard, whatever the sharding.
  Range shard() const { return shard_; }

  std::span<float> weights() const { return weights_.span(); }
  std::span<float> gradient() const { return gradient_.span(); }
  /// Element i is element range().begin + i of the flat space.
  std::span<float> m() const { return m_.span(); }
  std::span<float> v() const { return v_.span(); }
  std::span<float> ema() const { return ema_.span(); }

 private:
  Layout layout_;
  Sharding sharding_;
  Range shard_, range_;
  Floats weights_, gradient_, m_, v_, ema_;
};

}  // namespace distributed
