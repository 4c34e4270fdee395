// Philox4x32-10 on vectors of counters, and dropout by it: templates over an instruction set, see vector_kernels.h. The
// words are those of Random123's, whose function compilers do not turn into vectors; a test compares.
#pragma once

#include "kernels/uniform.h"

namespace kernels {

constexpr int philox_blocks_together = 16;
constexpr std::uint32_t philox_multipliers[] = {0xd2511f53, 0xcd9e8d57}, philox_increments[] = {0x9e3779b9, 0xbb67ae85};

/// A counter of philox(): its low and high word of the image, the first of some blocks, stream and site; and the key.
struct PhiloxBlocks {
  std::uint32_t image_low, image_high, block, stream_and_site, key_low, key_high;
};

/// words[4][16] of 16 blocks, one after the other.
template <typename Isa>
void philox_blocks(const PhiloxBlocks& from, std::uint32_t* __restrict words) {
#pragma omp simd
  for (std::uint32_t i = 0; i < philox_blocks_together; ++i) {
    std::uint32_t c0 = from.image_low, c1 = from.image_high, c2 = from.block + i, c3 = from.stream_and_site;
    std::uint32_t k0 = from.key_low, k1 = from.key_high;
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{philox_multipliers[0]} * c0,
                          p1 = std::uint64_t{philox_multipliers[1]} * c2;
      c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c1 = static_cast<std::uint32_t>(p1);
      c3 = static_cast<std::uint32_t>(p0);
      k0 += philox_increments[0];
      k1 += philox_increments[1];
    }
    words[i] = c0;
    words[philox_blocks_together + i] = c1;
    words[2 * philox_blocks_together + i] = c2;
    words[3 * philox_blocks_together + i] = c3;
  }
}

/// factors[64] of the elements that the words of 16 blocks decide about, in the elements' order.
template <typename Isa>
[[gnu::flatten]] void dropout_factors(float rate, const PhiloxBlocks& from, float* __restrict factors) {
  std::uint32_t words[4 * philox_blocks_together];
  philox_blocks<Isa>(from, words);
#pragma omp simd
  for (int i = 0; i < philox_blocks_together; ++i) {
    factors[4 * i] = dropout_factor(rate, words[i]);
    factors[4 * i + 1] = dropout_factor(rate, words[philox_blocks_together + i]);
    factors[4 * i + 2] = dropout_factor(rate, words[2 * philox_blocks_together + i]);
    factors[4 * i + 3] = dropout_factor(rate, words[3 * philox_blocks_together + i]);
  }
}

}  // namespace kernels
