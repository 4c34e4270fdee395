#include "core/sampling/sample.h"

#include <algorithm>
#include <cmath>

#include "core/sampling/samplers.h"
#include "kernels/check.h"

namespace core::sampling {

Samples draw(const Score& score, std::span<const std::int64_t> indices, const Settings& settings) {
  return std::visit([&](const auto& sampler) { return run(sampler, score, indices, settings); }, settings.sampler);
}

std::vector<std::uint8_t> to_pixels(std::span<const double> x, const kernels::PixelRange& range) {
  std::vector<std::uint8_t> pixels;
  for (double value : x) {
    kernels::ensure(!std::isnan(value), "samplers give numbers");
    pixels.push_back(static_cast<std::uint8_t>(std::clamp(std::floor(range.level(value)), 0.0, 255.0)));
  }
  return pixels;
}

}  // namespace core::sampling
