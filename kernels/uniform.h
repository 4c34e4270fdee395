// What words of random bits are as numbers, for both compilers.
#pragma once

#include <cstdint>

#include "kernels/portable.h"

namespace kernels {

/// Uniform in [0, 1), a multiple of 2^-24.
PORTABLE float uniform_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// Uniform in [0, 1), a multiple of 2^-53.
PORTABLE double uniform_double(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>((static_cast<std::uint64_t>(high) << 21) | (low >> 11)) * 0x1p-53;
}

/// What dropout multiplies the element by that a word decides about: 0, or 1/(1 - rate) if the word, as uniform_float,
/// is at least the rate.
PORTABLE float dropout_factor(float rate, std::uint32_t word) {
  return uniform_float(word) < rate ? 0 : 1 / (1 - rate);
}

}  // namespace kernels
