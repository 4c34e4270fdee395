// Dropout's mask: which elements of an image are kept, from Philox alone.
#pragma once

#include <span>

#include "kernels/conv.h"
#include "kernels/philox.h"

namespace kernels {

/// The words that decide about elements 4 block and following of the image at the position.
PORTABLE Words draw_dropout(const Dropout& dropout, std::int64_t position, std::uint32_t block) {
  return philox(dropout.seed, Stream::dropout, static_cast<std::uint64_t>(position), block, dropout.site);
}

/// Multiplies values[i], which is element first + i of the image at the global position, by its factor: that of
/// word e mod 4 of block e/4 for element e.
void drop(const Dropout& dropout, std::int64_t position, std::int64_t first, std::span<float> values);

}  // namespace kernels
