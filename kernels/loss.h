// Denoising score matching as a weighted squared residual of the noise.
#pragma once

#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/portable.h"
#include "kernels/tensor.h"

namespace kernels {

/// loss[n] = weight[n] * mean over h,w,c of (noise + sign * output)^2. With score = sign * output / s this is
/// weight * mean |s score + noise|^2 (Vincent 2011); sign is -1 for a network that predicts the noise, +1 for VE's.
struct NoiseLoss {
  In output, noise, weight;
  float sign = -1;
  Out loss;
  auto operands() { return std::tie(output, noise, weight, loss); }
};

/// doutput = dloss[n] * d loss[n] / d output.
struct NoiseLossGradient {
  In output, noise, weight, dloss;
  float sign = -1;
  Out doutput;
  auto operands() { return std::tie(output, noise, weight, dloss, doutput); }
};

PORTABLE float noise_residual(float noise, float sign, float output) {
  return noise + sign * output;
}

/// What the residual is multiplied by to give doutput, of an image of `count` elements.
PORTABLE float noise_loss_slope(float sign, float weight, float dloss, std::int64_t count) {
  return 2 * sign * weight * dloss / static_cast<float>(count);
}

Step prepare(const NoiseLoss&, const CpuContext&);
Step prepare(const NoiseLossGradient&, const CpuContext&);

}  // namespace kernels
