// Axes of plots: what they reach over, and where their ticks are.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace core::picture {

struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  void widen() {
    if (!(low <= high)) low = 0, high = 1;
    const double margin = high > low ? 0.05 * (high - low) : std::max(1e-3, 0.05 * std::abs(high));
    low -= margin;
    high += margin;
  }
};

/// 1, 2 or 5 times a power of ten: about six steps in the extent.
inline double tick_step(const Extent& extent) {
  const double raw = (extent.high - extent.low) / 6, power = std::pow(10, std::floor(std::log10(raw)));
  const double digit = raw / power;
  return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}

}  // namespace core::picture
