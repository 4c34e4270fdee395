// Dropout's mask: which elements of an image are kept, from Philox alone.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "kernels/conv.h"
#include "kernels/philox.h"

namespace kernels {

/// Multiplies values[i], which is element first + i of the image at the global position, by 0 or 1/(1 - rate). Element
/// e is kept if word e mod 4 of block e/4, as uniform_float, is at least the rate.
inline void drop(const Dropout& dropout, std::int64_t position, std::int64_t first, std::span<float> values) {
  const float rate = dropout.rate, factor = 1 / (1 - rate);
  const std::int64_t last = first + static_cast<std::int64_t>(values.size());
  std::array<float, 64> factors;  // of whole blocks, wherever `first` and `last` lie in theirs
  for (std::int64_t start = first / 4 * 4; start < last; start += 64) {
    for (std::size_t i = 0; i < 64; i += 4) {
      const Words words =
          philox(dropout.seed, Stream::dropout, static_cast<std::uint64_t>(position),
                 static_cast<std::uint32_t>(start / 4 + static_cast<std::int64_t>(i / 4)), dropout.site);
      for (std::size_t j = 0; j < 4; ++j) factors[i + j] = uniform_float(words.word[j]) < rate ? 0 : factor;
    }
    const std::int64_t begin = std::max(first, start), end = std::min(last, start + 64);
    for (std::int64_t e = begin; e < end; ++e)
      values[static_cast<std::size_t>(e - first)] *= factors[static_cast<std::size_t>(e - start)];
  }
}

}  // namespace kernels
