// Arithmetic that CUDA has a name for. The fast ones are exact here: what they cost in accuracy only a GPU shows.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "kernels/bf16.h"
#include "kernels/simt/error.h"

namespace kernels::emulated {

inline float __expf(float x) {
  return std::exp(x);
}
inline float __logf(float x) {
  return std::log(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float rsqrtf(float x) {
  return 1.0f / std::sqrt(x);
}
inline void sincospi(double x, double* sine, double* cosine) {
  const double turn = x - 2 * std::nearbyint(x / 2);
  *sine = std::sin(std::numbers::pi * turn);
  *cosine = std::cos(std::numbers::pi * turn);
}
inline int __popc(unsigned x) {
  return std::popcount(x);
}
inline int __ffs(int x) {
  return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1;
}
inline int __clz(int x) {
  return std::countl_zero(static_cast<unsigned>(x));
}
inline float __int_as_float(int x) {
  return std::bit_cast<float>(x);
}
inline int __float_as_int(float x) {
  return std::bit_cast<int>(x);
}
template <typename T>
constexpr T min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
constexpr T max(T a, T b) {
  return a < b ? b : a;
}

[[noreturn]] inline void __trap() {
  throw simt::Error("__trap");
}

/// Two bfloat16 in a word, `low` at the lower address.
inline unsigned narrow_pair(float low, float high) {
  return narrow(low).bits | static_cast<unsigned>(narrow(high).bits) << 16;
}

}  // namespace kernels::emulated
