#include "kernels/dropout.h"

#include <algorithm>
#include <array>

#include "kernels/vector_kernels.h"

namespace kernels {

void drop(const Dropout& dropout, std::int64_t position, std::int64_t first, std::span<float> values) {
  constexpr std::int64_t together = 4 * philox_blocks_together;
  const std::int64_t last = first + static_cast<std::int64_t>(values.size());
  const auto image = static_cast<std::uint64_t>(position);
  PhiloxBlocks at{.image_low = static_cast<std::uint32_t>(image),
                  .image_high = static_cast<std::uint32_t>(image >> 32),
                  .stream_and_site = stream_and_site(Stream::dropout, dropout.site),
                  .key_low = static_cast<std::uint32_t>(dropout.seed),
                  .key_high = static_cast<std::uint32_t>(dropout.seed >> 32)};
  std::array<float, together> factors;  // of whole blocks, wherever `first` and `last` lie in theirs
  for (std::int64_t start = first / 4 * 4; start < last; start += together) {
    at.block = static_cast<std::uint32_t>(start / 4);
    vector_maps().dropout_factors(dropout.rate, at, factors.data());
    const std::int64_t begin = std::max(first, start), count = std::min(last, start + together) - begin;
    float* const to = values.data() + (begin - first);
    const float* const factor = factors.data() + (begin - start);
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) to[i] *= factor[i];
  }
}

}  // namespace kernels
