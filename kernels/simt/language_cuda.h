// The words that kernels are written in, for nvcc: CUDA's own, and names for what it has none for.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <source_location>
#include <stdexcept>
#include <string>

#include "kernels/bf16.h"
#include "kernels/simt/kernel_name.h"
#include "kernels/simt/tile_cuda.h"

// An array of the block. SHARED(float, row, [32]);
#define SHARED(T, name, ...) __shared__ T name __VA_ARGS__
// A pointer to the launch's shared_bytes. DYNAMIC_SHARED(float, tile);
#define DYNAMIC_SHARED(T, name)             \
  extern __shared__ uint4 dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(dynamic_shared)

namespace kernels::cuda {

/// Two bfloat16 in a word, `low` at the lower address.
__device__ inline unsigned narrow_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}

/// Throws runtime_error, naming the kernel, unless the call succeeded.
inline void check_launch(cudaError_t result, std::string_view kernel) {
  if (result != cudaSuccess)
    throw std::runtime_error("kernel " + std::string(kernel) + ": " + cudaGetErrorString(result));
}

/// Queues the kernel in the CUDA stream `stream`. Throws runtime_error where it cannot be launched.
template <auto kernel, typename... Arguments>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void* stream, Arguments... arguments) {
  const std::string_view name = simt::kernel_name(std::source_location::current().function_name());
  constexpr std::size_t without_asking = 48 << 10;
  if (shared_bytes > without_asking) {
    check_launch(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)),
        name);
  }
  kernel<<<grid, block, shared_bytes, static_cast<cudaStream_t>(stream)>>>(arguments...);
  check_launch(cudaGetLastError(), name);
}

}  // namespace kernels::cuda
