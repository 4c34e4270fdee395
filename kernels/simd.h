// Vectors of floats of any width, as the compiler makes them for whatever instructions a file is compiled with.
#pragma once

#include <cstdint>

namespace kernels {

template <int lanes>
struct Simd {
  typedef float Vector __attribute__((vector_size(4 * lanes)));
  typedef std::int32_t Indices __attribute__((vector_size(4 * lanes)));
  typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
  [[gnu::always_inline]] static Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
  [[gnu::always_inline]] static void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
};

}  // namespace kernels
