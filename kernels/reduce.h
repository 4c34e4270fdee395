// Sums over the threads of a block, the same bits whatever order they run in; for kernels only.
#pragma once

#include "kernels/simt/kernel.h"

namespace kernels::BACKEND {

/// The sum over the warp's lanes, for each of them.
template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(~0u, value, bits);
  return value;
}

/// The sum over a block of `threads`, a multiple of 32, for thread 0. Once a kernel: its memory is not free again.
template <unsigned threads, typename T>
__device__ __forceinline__ T block_sum(T value) {
  SHARED(T, of_warp, [threads / 32]);
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
  __syncthreads();
  return threadIdx.x < 32 ? warp_sum(threadIdx.x < threads / 32 ? of_warp[threadIdx.x] : T(0)) : T(0);
}

}  // namespace kernels::BACKEND
