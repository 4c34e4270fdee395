// Sines and cosines that networks are shown numbers by, for both compilers.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "kernels/portable.h"

namespace kernels {

struct Wave {
  float sine, cosine;
};

PORTABLE Wave wave(double angle) {
  return {static_cast<float>(std::sin(angle)), static_cast<float>(std::cos(angle))};
}

/// Channel k of a positional embedding with `half` frequencies 10000^(-k/(half - 1)).
PORTABLE Wave positional_wave(float label, std::int64_t k, std::int64_t half) {
  const auto rate = static_cast<float>(-std::log(10000.0) / static_cast<double>(half - 1));
  return wave(static_cast<double>(label * std::exp(static_cast<float>(k) * rate)));
}

/// Of 2 pi frequency log(label).
PORTABLE Wave level_wave(float label, float frequency) {
  return wave(2 * std::numbers::pi * std::log(static_cast<double>(label)) * frequency);
}

/// Of 2 pi 2^exponent x; whole turns are taken off first, exactly.
PORTABLE Wave feature_wave(float x, int exponent) {
  const double turns = std::ldexp(static_cast<double>(x), exponent);
  return wave(2 * std::numbers::pi * (turns - std::nearbyint(turns)));
}

/// d(sine * y.sine + cosine * y.cosine)/dx for y = feature_wave(x, exponent), without its factor 2 pi.
PORTABLE double feature_slope(float x, int exponent, float sine, float cosine) {
  const Wave y = feature_wave(x, exponent);
  return std::ldexp(static_cast<double>(y.cosine * sine - y.sine * cosine), exponent);
}

}  // namespace kernels
