// Where the running thread is: CUDA's built-in variables.
#pragma once

#include "kernels/simt/types.h"

namespace kernels::emulated {

inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

}  // namespace kernels::emulated
