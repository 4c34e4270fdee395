// Sums for each channel in a fixed order, many threads to a channel; for kernels only.
#pragma once

#include "kernels/gpu_launch.h"

namespace kernels::BACKEND {

struct TwoSums {
  double first, second;
};

inline constexpr int summing_columns = 32, summing_rows = 16, summing_threads = summing_columns * summing_rows;
inline const dim3 summing_block(summing_columns, summing_rows);
/// As many as `channels` take.
inline unsigned summing_blocks(std::int64_t channels) {
  return static_cast<unsigned>((channels + summing_columns - 1) / summing_columns);
}

/// Calls f(channel, sums) with the sums of value(i, channel), a TwoSums, over i < count, in a summing_block.
template <typename Value, typename F>
__device__ __forceinline__ void sum_over(int count, int channels, const Value& value, const F& f) {
  SHARED(TwoSums, line, [summing_rows][summing_columns]);
  const int channel = static_cast<int>(blockIdx.x) * summing_columns + static_cast<int>(threadIdx.x);
  TwoSums sums{};
  const auto add = [&](const TwoSums& more) {
    sums.first += more.first;
    sums.second += more.second;
  };
  if (channel < channels) {
#pragma unroll 4
    for (int i = static_cast<int>(threadIdx.y); i < count; i += summing_rows) add(value(i, channel));
  }
  line[threadIdx.y][threadIdx.x] = sums;
  __syncthreads();
  if (threadIdx.y == 0 && channel < channels) {
    for (int i = 1; i < summing_rows; ++i) add(line[i][threadIdx.x]);
    f(channel, sums);
  }
}

}  // namespace kernels::BACKEND
