// Dropout's mask: which elements of an image are kept, from Philox alone.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "kernels/conv.h"
#include "kernels/philox.h"

namespace kernels {

/// The words that decide about elements 4 block and following of the image at the position.
PORTABLE Words draw_dropout(const Dropout& dropout, std::int64_t position, std::uint32_t block) {
  return philox(dropout.seed, Stream::dropout, static_cast<std::uint64_t>(position), block, dropout.site);
}

/// What the element that a word decides about is multiplied by: 0, or 1/(1 - rate) if the word, as uniform_float, is at
/// least the rate.
PORTABLE float dropout_factor(const Dropout& dropout, std::uint32_t word) {
  return uniform_float(word) < dropout.rate ? 0 : 1 / (1 - dropout.rate);
}

/// Multiplies values[i], which is element first + i of the image at the global position, by its factor: that of
/// word e mod 4 of block e/4 for element e.
inline void drop(const Dropout& dropout, std::int64_t position, std::int64_t first, std::span<float> values) {
  const std::int64_t last = first + static_cast<std::int64_t>(values.size());
  std::array<float, 64> factors;  // of whole blocks, wherever `first` and `last` lie in theirs
  for (std::int64_t start = first / 4 * 4; start < last; start += 64) {
    for (std::size_t i = 0; i < 64; i += 4) {
      const Words words =
          draw_dropout(dropout, position, static_cast<std::uint32_t>(start / 4 + static_cast<std::int64_t>(i / 4)));
      for (std::size_t j = 0; j < 4; ++j) factors[i + j] = dropout_factor(dropout, words.word[j]);
    }
    const std::int64_t begin = std::max(first, start), end = std::min(last, start + 64);
    for (std::int64_t e = begin; e < end; ++e)
      values[static_cast<std::size_t>(e - first)] *= factors[static_cast<std::size_t>(e - start)];
  }
}

}  // namespace kernels
