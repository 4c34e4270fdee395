// Which image is where in the endless sequence of training images: a pure function of seed and step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/data/dataset.h"

namespace core::data {

/// A permutation of 0..size-1 that is a pure function of (seed, epoch): a four-round Feistel network over Philox on the
/// smallest square of a power of two that holds size, walked until it lands inside (Black and Rogaway 2002).
class Permutation {
 public:
  Permutation(std::uint64_t seed, std::uint64_t epoch, std::int64_t size);
  std::int64_t operator()(std::int64_t i) const;

 private:
  std::uint64_t seed_, epoch_;
  std::int64_t size_;
  int half_bits_ = 1;
};

/// The image at global position p = step * global_batch + i is that of epoch p / size; every image comes once an epoch,
/// in the same order whatever the number of ranks; an epoch may end inside a batch.
class Loader {
 public:
  Loader(const Dataset& dataset, std::uint64_t seed, std::int64_t global_batch)
      : dataset_(dataset), seed_(seed), global_batch_(global_batch) {}

  /// Images first..first+count-1 of the step's global batch: their pixels[count,h,w,c], their indices in the data set,
  /// and their global positions. Where `pixels` is empty none are read.
  void fill(std::int64_t step, std::int64_t first, std::int64_t count, std::span<std::uint8_t> pixels,
            std::span<std::int64_t> samples, std::span<std::int64_t> positions) const;

 private:
  const Dataset& dataset_;
  std::uint64_t seed_;
  std::int64_t global_batch_;
};

/// `count` different indices below `size`, ascending, the same for every call with the seed; all where count >= size.
std::vector<std::int64_t> fixed_subset(std::uint64_t seed, std::int64_t size, std::int64_t count);

}  // namespace core::data
