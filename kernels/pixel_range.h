// Where the 256 levels of a pixel lie on the axis that a model works on, for both compilers.
#pragma once

#include "kernels/portable.h"

namespace kernels {

/// Level k with dequantisation u in [0, 1) is low + width (k + u)/256.
struct PixelRange {
  double low = -1, width = 2;

  template <typename T>
  PORTABLE T value(T level_and_noise) const {
    return level_and_noise * T(width / 256) + T(low);
  }
  /// level_and_noise of value().
  PORTABLE double level(double x) const { return (x - low) * (256 / width); }
};

inline constexpr PixelRange unit_range{0, 1};

}  // namespace kernels
