// bfloat16 as it is stored: the upper half of a float, for both compilers.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/portable.h"

namespace kernels {

/// Sixteen bits of memory; arithmetic is done in float.
struct Bf16 {
  std::uint16_t bits;
};

PORTABLE float widen(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
PORTABLE float widen(float x) {
  return x;
}

/// The nearest bfloat16, of two the even one; a NaN becomes the one that the GPU's conversion gives.
PORTABLE Bf16 narrow(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}

}  // namespace kernels
