// Elementary functions that vectorise, for both compilers: the exponential and what SiLU needs of it.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/portable.h"

namespace kernels {

/// e^x within 1 ulp wherever the result is normal; inf above, gradual underflow to 0 below, NaN stays NaN.
/// x = n ln 2 + r with |r| <= ln 2 / 2 and ln 2 in two parts (Cody and Waite 1980), then a polynomial in r.
PORTABLE float fast_exp(float x) {
  x = x > 89.0f ? 89.0f : x;  // a NaN passes both comparisons
  x = x < -104.0f ? -104.0f : x;
  constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const float shifted = std::fma(x, 1.44269504f, round);
  const float n = shifted - round;
  const float r = std::fma(n, -1.42860677e-6f, std::fma(n, -0.693145752f, x));
  float p = 1.0f / 5040;
  p = std::fma(p, r, 1.0f / 720);
  p = std::fma(p, r, 1.0f / 120);
  p = std::fma(p, r, 1.0f / 24);
  p = std::fma(p, r, 1.0f / 6);
  p = std::fma(p, r, 0.5f);
  p = std::fma(p, r, 1.0f);
  p = std::fma(p, r, 1.0f);
  // 2^n as the product of two factors, for n itself may lie outside the range of a float's exponent.
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(round);
  const std::int32_t half = exponent >> 1;
  const float low = std::bit_cast<float>((half + 127) << 23);
  const float high = std::bit_cast<float>((exponent - half + 127) << 23);
  return p * low * high;
}

PORTABLE float sigmoid(float x) {
  return 1.0f / (1.0f + fast_exp(-x));
}

/// x sigmoid(x).
PORTABLE float silu(float x) {
  return x / (1.0f + fast_exp(-x));
}

/// d silu(x)/dx.
PORTABLE float silu_derivative(float x) {
  const float s = sigmoid(x);
  return s * (1.0f + x * (1.0f - s));
}

}  // namespace kernels
