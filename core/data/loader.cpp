#include "core/data/loader.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "kernels/philox.h"

namespace core::data {
namespace {

constexpr std::uint64_t subset_epoch = ~std::uint64_t{0};  // an epoch that training never reaches

}  // namespace

Permutation::Permutation(std::uint64_t seed, std::uint64_t epoch, std::int64_t size)
    : seed_(seed), epoch_(epoch), size_(size) {
  half_bits_ = std::max(1, (static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size - 1))) + 1) / 2);
}

std::int64_t Permutation::operator()(std::int64_t i) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  auto value = static_cast<std::uint64_t>(i);
  do {
    std::uint64_t left = value >> half_bits_, right = value & mask;
    for (std::uint32_t round = 0; round < 4; ++round) {
      const std::uint64_t mixed =
          kernels::philox(seed_, kernels::Stream::shuffle, epoch_, static_cast<std::uint32_t>(right), round).word[0];
      left = std::exchange(right, left ^ (mixed & mask));
    }
    value = left << half_bits_ | right;
  } while (value >= static_cast<std::uint64_t>(size_));
  return static_cast<std::int64_t>(value);
}

void Loader::fill(std::int64_t step, std::int64_t first, std::int64_t count, std::span<std::uint8_t> pixels,
                  std::span<std::int64_t> samples, std::span<std::int64_t> positions) const {
  const std::int64_t size = dataset_.size(), each = dataset_.shape().elements();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    positions[at] = step * global_batch_ + first + i;
    const Permutation permutation(seed_, static_cast<std::uint64_t>(positions[at] / size), size);
    samples[at] = permutation(positions[at] % size);
    if (pixels.empty()) continue;
    dataset_.read(samples[at], pixels.subspan(at * static_cast<std::size_t>(each), static_cast<std::size_t>(each)));
  }
}

std::vector<std::int64_t> fixed_subset(std::uint64_t seed, std::int64_t size, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(size, count)));
  std::iota(indices.begin(), indices.end(), 0);
  if (count < size) {
    const Permutation permutation(seed, subset_epoch, size);
    for (std::int64_t& index : indices) index = permutation(index);
    std::sort(indices.begin(), indices.end());
  }
  return indices;
}

}  // namespace core::data
