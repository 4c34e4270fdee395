// Elementary functions by the GPU's own approximations; for kernels only. Those of math.h take six times as long, and
// what is read for every product waits for them.
#pragma once

#include "kernels/simt/kernel.h"

namespace kernels::BACKEND {

/// 1/(1 + e^-x) within 2^-20 of itself for |x| below 20, and within 2^-20 of 0 or 1 beyond.
__device__ __forceinline__ float quick_sigmoid(float x) {
  return __fdividef(1.0f, 1.0f + __expf(-x));
}

/// x sigmoid(x).
__device__ __forceinline__ float quick_silu(float x) {
  return __fdividef(x, 1.0f + __expf(-x));
}

/// d silu(x)/dx.
__device__ __forceinline__ float quick_silu_derivative(float x) {
  const float s = quick_sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

}  // namespace kernels::BACKEND
