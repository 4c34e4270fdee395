// How kernels that work element by element are launched; for kernels only.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/gpu_context.h"
#include "kernels/pack.h"

namespace kernels::BACKEND {

inline constexpr unsigned block_threads = 256;

/// Blocks for a loop over `count` items in strides of the grid: as many as the device holds at once, eight for each of
/// the 132 multiprocessors of an H100, or fewer.
inline unsigned blocks_for(std::int64_t count) {
  return static_cast<unsigned>(std::clamp<std::int64_t>((count + block_threads - 1) / block_threads, 1, 132 * 8));
}

/// As kernels count that divide (divisor.h).
inline int counted(std::int64_t items) {
  ensure(items < std::int64_t{1} << 31, "a kernel counts less than 2^31");
  return static_cast<int>(items);
}

/// The running thread's first item of such a loop, and what it strides by.
__device__ __forceinline__ std::int64_t first_item() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t item_stride() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

/// Calls f(std::type_identity<T>) with the type that an activation is stored as.
template <typename F>
auto with_type(Element element, const F& f) {
  ensure(element == Element::f32 || element == Element::bf16, "activations are stored as f32 or bf16");
  return element == Element::f32 ? f(std::type_identity<float>{}) : f(std::type_identity<Bf16>{});
}

/// Calls f(std::type_identity<X>, std::type_identity<Y>) with the types of two activations.
template <typename F>
auto with_types(const Tensor& x, const Tensor& y, const F& f) {
  return with_type(x.element, [&](auto type_of_x) {
    return with_type(y.element, [&](auto type_of_y) { return f(type_of_x, type_of_y); });
  });
}

/// Calls f(width) with the width of packs, full_width if all extents are multiples of it and all addresses of 16.
template <typename F>
void with_width(std::initializer_list<std::int64_t> extents, std::initializer_list<const void*> addresses, const F& f) {
  const bool full = std::all_of(extents.begin(), extents.end(), [](auto extent) { return extent % full_width == 0; }) &&
                    std::all_of(addresses.begin(), addresses.end(), [](const void* address) {
                      return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
                    });
  if (full)
    f(std::integral_constant<int, full_width>{});
  else
    f(std::integral_constant<int, 1>{});
}

/// y[i] = f(x[i]...) for i below packs * width.
template <int width, typename F, typename Y, typename... X>
__global__ void __launch_bounds__(block_threads) map_kernel(std::int64_t packs, F f, Y* y, const X*... x) {
  for (std::int64_t p = first_item(); p < packs; p += item_stride()) {
    const auto apply = [&](const auto&... from) {
      Pack<width> to;
#pragma unroll
      for (int j = 0; j < width; ++j) to.value[j] = f(from.value[j]...);
      return to;
    };
    store(y + p * width, apply(load<width>(x + p * width)...));
  }
}

/// y[i] = f(x[i]...) for i below count, in float whatever x and y are stored as; y may be one of x.
template <typename F, typename Y, typename... X>
void map(void* stream, std::int64_t count, F f, Y* y, const X*... x) {
  with_width({count}, {y, x...}, [&](auto width) {
    const std::int64_t packs = count / width;
    launch<map_kernel<width, F, Y, X...>>(blocks_for(packs), block_threads, 0, stream, packs, f, y, x...);
  });
}

}  // namespace kernels::BACKEND
