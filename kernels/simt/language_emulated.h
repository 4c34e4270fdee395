// The words of CUDA that kernels use, for g++: each means here what it means on the device, and is checked.
#pragma once

#include "kernels/simt/atomics.h"
#include "kernels/simt/device.h"
#include "kernels/simt/indices.h"
#include "kernels/simt/intrinsics.h"
#include "kernels/simt/kernel_name.h"
#include "kernels/simt/tile.h"
#include "kernels/simt/types.h"
#include "kernels/simt/warp_calls.h"

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)

// An array of the block; a static one, of which AddressSanitizer sees the ends. SHARED(float, row, [32]);
#define SHARED(T, name, ...) \
  static T name __VA_ARGS__; \
  ::kernels::simt::running->declare_shared(&name, sizeof(name))
// A pointer to the launch's shared_bytes. DYNAMIC_SHARED(float, tile);
#define DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(::kernels::simt::running->dynamic_shared())

namespace kernels::emulated {

/// Runs the kernel on the device that `stream` is, to its end. Throws simt::Error.
template <auto kernel, typename... Arguments>
void launch(dim3 grid, dim3 block, std::size_t shared_bytes, void* stream, Arguments... arguments) {
  simt::Device::of(stream).run({.kernel = simt::kernel_name(std::source_location::current().function_name()),
                                .grid = grid,
                                .block = block,
                                .shared_bytes = shared_bytes,
                                .body = [&] { kernel(arguments...); }});
}

}  // namespace kernels::emulated
