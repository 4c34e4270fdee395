#include "kernels/dropout.h"

#include <algorithm>
#include <array>

#include "kernels/vector_kernels.h"

namespace kernels {

void drop(const Dropout& dropout, std::int64_t position, std::int64_t first, std::span<float> values) {
  constexpr std::int64_t blocks = philox_blocks_together, together = 4 * blocks;
  const std::int64_t last = first + static_cast<std::int64_t>(values.size());
  const auto image = static_cast<std::uint64_t>(position);
  PhiloxBlocks at{.image_low = static_cast<std::uint32_t>(image),
                  .image_high = static_cast<std::uint32_t>(image >> 32),
                  .stream_and_site = stream_and_site(Stream::dropout, dropout.site),
                  .key_low = static_cast<std::uint32_t>(dropout.seed),
                  .key_high = static_cast<std::uint32_t>(dropout.seed >> 32)};
  std::array<std::uint32_t, together> words;
  std::array<float, together> factors;  // of whole blocks, wherever `first` and `last` lie in theirs
  for (std::int64_t start = first / 4 * 4; start < last; start += together) {
    at.block = static_cast<std::uint32_t>(start / 4);
    vector_kernels().philox_blocks(at, words.data());
    for (std::size_t i = 0; i < blocks; ++i)
      for (std::size_t j = 0; j < 4; ++j) factors[4 * i + j] = dropout_factor(dropout, words[blocks * j + i]);
    const std::int64_t begin = std::max(first, start), end = std::min(last, start + together);
    for (std::int64_t e = begin; e < end; ++e)
      values[static_cast<std::size_t>(e - first)] *= factors[static_cast<std::size_t>(e - start)];
  }
}

}  // namespace kernels
