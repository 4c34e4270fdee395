// Group normalisation, split where a kernel must wait for a sum: coefficients before a convolution, gradient after it.
#pragma once

#include <tuple>

#include "kernels/conv.h"

namespace kernels {

/// Group norm (Wu and He 2018) of concat(x0, x1) as one affine map per image and channel: norm(x) = a x + b.
/// moments0[n,c0,2], moments1[n,c1,2] (optional): mean and variance per channel; gamma[c], beta[c], c = c0+c1;
/// coefficients[n,c,2] = (a, b); statistics[n,groups,2] = (mean, 1/sqrt(variance + epsilon)). groups divides c.
/// With modulation[n,2c] = (scale[n,c], shift[n,c]) it is adaptive: norm(x) (1 + scale) + shift (Dhariwal and Nichol
/// 2021).
struct NormCoefficients {
  In moments0, moments1;
  In gamma, beta, modulation;
  float epsilon = 1e-6f;
  Out coefficients, statistics;
  auto operands() { return std::tie(moments0, moments1, gamma, beta, modulation, coefficients, statistics); }
};

/// From dz[n,h,w,c] and sums[n,c,2] of a ConvDataGradient: dx0, dx1 (+)= gradient with respect to the norm's sources,
/// dgamma, dbeta (+)= with respect to its parameters, dmodulation[n,2c] = to its modulation. Each operand on the left
/// is optional; beta is read for dmodulation only.
struct NormGradient {
  In dz, sums;
  In x0, x1;
  In statistics, gamma, beta, modulation;
  InOut dx0, dx1, dgamma, dbeta;
  Out dmodulation;
  Mode mode0 = Mode::overwrite, mode1 = Mode::overwrite;  // of dx0, dx1
  Mode parameter_mode = Mode::overwrite;
  auto operands() {
    return std::tie(dz, sums, x0, x1, statistics, gamma, beta, modulation, dx0, dx1, dgamma, dbeta, dmodulation);
  }
};

/// Throw logic_error unless the operands' shapes fit each other.
void ensure_shapes(const NormCoefficients& op);
void ensure_shapes(const NormGradient& op);

Step prepare(const NormCoefficients&, const CpuContext&);
Step prepare(const NormGradient&, const CpuContext&);

}  // namespace kernels
