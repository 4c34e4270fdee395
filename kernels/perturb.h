// From stored pixels to the noisy image that the network sees: dequantise, flip, draw a time, add noise.
#pragma once

#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/pixel_range.h"
#include "kernels/sde.h"
#include "kernels/tensor.h"

namespace kernels {

enum class Flip : std::uint8_t { never, random };

/// x = range.low + range.width (pixel + u)/256 with u uniform in [0,1), fresh for each global position; with
/// Flip::random mirrored in w with probability 1/2. pixels[n,h,w,c] u8, positions[n] i64, x[n,h,w,c]; mirrored[n,1]
/// (optional) is 1 where that happened and 0 elsewhere. With samples[n] i64 (optional), image i is pixels[samples[i]],
/// of as many images as there are.
struct Dequantise {
  In pixels, samples, positions;
  std::uint64_t seed = 0;
  Flip flip = Flip::never;
  PixelRange range;
  Out x, mirrored;
  auto operands() { return std::tie(pixels, samples, positions, x, mirrored); }
};

/// A time for each image, stratified over the global batch: image p has u = frac(u0(step) + (p mod global_batch) /
/// global_batch), step = p / global_batch, and the time that `sampling` gives for u. Outputs, each [n] f32: time; mean
/// = a(t); deviation = s(t); label = what the network is conditioned on; weight = the training weight of |noise
/// residual|^2 averaged over the dimensions.
struct DrawTime {
  In positions;
  std::uint64_t seed = 0;
  std::int64_t global_batch = 1;
  TimeLaw law;  // the SDE, the smallest time, time sampling and weighting
  Out time, mean, deviation, label, weight;
  auto operands() { return std::tie(positions, time, mean, deviation, label, weight); }
};

/// xt = mean[n] x + deviation[n] noise, noise standard normal, fresh for each global position.
struct Perturb {
  In x, mean, deviation, positions;
  std::uint64_t seed = 0;
  Out xt, noise;
  auto operands() { return std::tie(x, mean, deviation, positions, xt, noise); }
};

/// y = labels, each replaced by `null_label` with probability `rate`, a pure function of (seed, global position):
/// what classifier-free guidance is trained with (Ho and Salimans 2022). labels[n], positions[n], y[n] i64.
struct DropLabels {
  In labels, positions;
  std::uint64_t seed = 0;
  std::int64_t null_label = 0;
  float rate = 0;  // [0, 1)
  Out y;
  auto operands() { return std::tie(labels, positions, y); }
};

void check_dequantise(const Dequantise& op);

Step prepare(const Dequantise&, const CpuContext&);
Step prepare(const DrawTime&, const CpuContext&);
Step prepare(const Perturb&, const CpuContext&);
Step prepare(const DropLabels&, const CpuContext&);

}  // namespace kernels
