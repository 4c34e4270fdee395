// Vectors of floats of any width, as the compiler makes them for whatever instructions a file is compiled with.
#pragma once

#include <cstdint>
#include <utility>

namespace kernels {

template <int lanes>
struct Simd {
  typedef float Vector __attribute__((vector_size(4 * lanes)));
  typedef std::uint32_t Words __attribute__((vector_size(4 * lanes)));
  typedef std::uint16_t Halves __attribute__((vector_size(2 * lanes)));
  typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
  typedef std::uint16_t UnalignedHalves __attribute__((vector_size(2 * lanes), aligned(2), may_alias));
  [[gnu::always_inline]] static Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
  [[gnu::always_inline]] static void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }
  /// Halves of words, side by side from the `first`-th half of `to` on.
  [[gnu::always_inline]] static void store_halves(float* to, std::int64_t first, Halves value) {
    *reinterpret_cast<UnalignedHalves*>(reinterpret_cast<char*>(to) + 2 * first) = value;
  }
  /// a[first], b[first], a[first + 1], b[first + 1], ...
  template <int first>
  [[gnu::always_inline]] static Vector interleave(Vector a, Vector b) {
    return interleave<first>(a, b, std::make_integer_sequence<int, lanes>());
  }

 private:
  template <int first, int... i>
  [[gnu::always_inline]] static Vector interleave(Vector a, Vector b, std::integer_sequence<int, i...>) {
    return __builtin_shufflevector(a, b, (first + i / 2 + i % 2 * lanes)...);
  }
};

}  // namespace kernels
