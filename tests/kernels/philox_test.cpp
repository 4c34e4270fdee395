// Philox on vectors against Random123's.
#include "kernels/philox.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/vector_kernels.h"

namespace kernels {
namespace {

TEST(Philox, OnVectorsGivesTheSameWords) {
  constexpr std::uint64_t seed = 0x123456789abcdef0, image = 0xfedcba9876543210;
  constexpr std::uint32_t first = 0xfffffffa, site = 77;  // the last blocks begin anew at 0
  const PhiloxBlocks from{.image_low = 0x76543210,
                          .image_high = 0xfedcba98,
                          .block = first,
                          .stream_and_site = stream_and_site(Stream::dropout, site),
                          .key_low = 0x9abcdef0,
                          .key_high = 0x12345678};
  for (const VectorKernels* kernels : {&avx2_kernels, &vector_kernels()}) {
    std::vector<std::uint32_t> words(4 * philox_blocks_together);
    kernels->philox_blocks(from, words.data());
    for (std::uint32_t i = 0; i < philox_blocks_together; ++i) {
      const Words wanted = philox(seed, Stream::dropout, image, first + i, site);
      for (std::size_t j = 0; j < 4; ++j)
        EXPECT_EQ(words[philox_blocks_together * j + i], wanted.word[j]) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace kernels
