// Drawing images from a score: the reverse SDE by Euler-Maruyama, and the probability flow run backwards.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/likelihood/score.h"
#include "kernels/pixel_range.h"
#include "kernels/sde.h"

namespace core::sampling {

using likelihood::Score;

struct Settings {
  kernels::Sde sde;
  double smallest_time = 1e-3;  // where sampling ends
  std::uint64_t seed = 0;
  std::int64_t steps = 1000;                                         // of Euler-Maruyama
  double tolerance = 1e-4;                                           // of the probability flow, relative and absolute
  std::int64_t max_evaluations = 10'000;                             // of the probability flow, for one image
  std::function<void(std::int64_t done, std::int64_t of)> progress;  // may be empty
};

/// One array x[dims] in the model's coordinates for each index. Everything random is a pure function of (seed, index,
/// step), so an image does not depend on the others.
using Samples = std::vector<std::vector<double>>;

/// x <- x - dt (f x - g^2 score) + g sqrt(dt) z on equally spaced times from 1 to smallest_time, `steps` steps, the
/// last one without noise (Song et al. 2021, appendix E).
Samples euler_maruyama(const Score& score, std::span<const std::int64_t> indices, const Settings& settings);

/// The probability-flow ODE from 1 to smallest_time with error control per image, then Tweedie's estimate of the clean
/// image: (x + s^2 score)/a.
Samples probability_flow(const Score& score, std::span<const std::int64_t> indices, const Settings& settings);

/// The range to 0..255: floor(range.level(x)), clipped; the inverse of dequantisation.
std::vector<std::uint8_t> to_pixels(std::span<const double> x, const kernels::PixelRange& range = {});

}  // namespace core::sampling
