// Convolution records, 1x1 and 3x3, zero padding, NHWC: everything that a kernel can do on load and on store is part of
// them.
#pragma once

#include <tuple>

#include "kernels/cpu_context.h"
#include "kernels/tensor.h"

namespace kernels {

enum class Activation : std::uint8_t { none, silu };

/// How an image u[h,w] becomes v on its way into a convolution, and how the convolution with weights w[r] then steps.
/// Along each axis, with k = (1, 3, 3, 1), z the image with zeros between its pixels (z[2i] = u[i]), and both zero
/// beyond their ends as StyleGAN2 pads (Karras et al. 2020, upfirdn):
///   none           v[j] = u[j]                                   y[o] = sum_r w[r] v[o + r - 1], 3x3, or w[0] v[o]
///   up             v[j] = u[j/2]                                 "
///   down           v[j] = (u[2j] + u[2j+1])/2                    "
///   fir_up         v[j] = sum_a k[a] z[j + a - 2]/4              "
///   fir_down       v[j] = sum_a k[a] u[2j + a - 1]/8             "
///   stride         v[j] = u[j]                                   y[o] = sum_r w[r] v[2o + r], 3x3 only
///   fir_stride     v[j] = sum_a k[a] u[j + a - 2]/8, j <= h      "
///   fir_transpose  v[j] = sum_a k[a] z[j + a - 3]/4, j <= 2h+1   y[o] = sum_r w[r] v[o + r], 3x3 only
/// down, fir_down and the strides halve, which needs even extents; up, fir_up and fir_transpose double.
enum class Resample : std::uint8_t { none, up, down, fir_up, fir_down, stride, fir_stride, fir_transpose };
enum class Mode : std::uint8_t { overwrite, accumulate };

/// Drops each element with probability `rate` and divides the rest by 1 - rate. The mask is a pure function of
/// (seed, site, global position of the image, element within the image): the same forward, backward and on any rank.
struct Dropout {
  float rate = 0;  // [0, 1)
  std::uint64_t seed = 0;
  std::uint32_t site = 0;  // tells the dropouts of one network apart
};

/// What happens to the concatenated source x[n,h,w,c] on its way into a convolution, in this order:
/// z = a[n,c] x + b[n,c];  u = activation(z);  u = dropout(u);  v = resample(u).
struct Prologue {
  In coefficients;  // [n,c,2] pairs (a, b) from NormCoefficients; absent: z = x
  In statistics;    // [n,groups,2] pairs (mean, 1/std) of the same norm; present if and only if coefficients are
  Activation activation = Activation::none;
  Dropout dropout;
  In positions;  // [n] i64 global positions of the images; present if and only if dropout.rate > 0
  Resample resample = Resample::none;
};

/// y = scale * (conv(v, weight) + bias + embedding + residual), v = prologue(concat(x0, x1)).
/// x0[n,h,w,c0], x1[n,h,w,c1] (optional), weight[k,r,r,c0+c1] with r = 1 or 3, bias[k], embedding[n,k],
/// residual[n,h',w',k] (the last three optional), y[n,h',w',k] where h', w' are those of Resample's y;
/// moments[n,k,2] (optional): mean and biased variance of y over h', w'.
struct Conv {
  In x0, x1;
  In weight, bias, embedding, residual;
  Prologue prologue;
  float scale = 1;
  Out y, moments;
  auto operands() {
    return std::tie(x0, x1, weight, bias, embedding, residual, prologue.coefficients, prologue.statistics,
                    prologue.positions, y, moments);
  }
};

/// dz[n,h,w,c0+c1] = gradient with respect to z of Conv's prologue (with respect to x where there is no norm).
/// sums[n,c,2] (present if and only if there is a norm): sums over h, w of dz and of dz * (x - mean)/std.
struct ConvDataGradient {
  In dy, weight;
  In x0, x1;  // Conv's sources; read only where there is a norm or an activation
  Prologue prologue;
  float scale = 1;
  Out dz, sums;
  auto operands() {
    return std::tie(dy, weight, x0, x1, prologue.coefficients, prologue.statistics, prologue.positions, dz, sums);
  }
};

/// dweight, dbias (+)= gradient of Conv's parameters, by `mode`; dembedding[n,k] = scale * sum over h', w' of dy.
/// dbias and dembedding are optional.
struct ConvWeightGradient {
  In dy;
  In x0, x1;
  Prologue prologue;
  float scale = 1;
  Mode mode = Mode::overwrite;
  InOut dweight, dbias;
  Out dembedding;
  auto operands() {
    return std::tie(dy, x0, x1, prologue.coefficients, prologue.statistics, prologue.positions, dweight, dbias,
                    dembedding);
  }
};

/// Whether the record's products are of bf16: where all activations that they take are stored so.
inline bool multiplies_bf16(const Conv& op) {
  return op.x0.element == Element::bf16;
}
inline bool multiplies_bf16(const ConvDataGradient& op) {
  return op.dy.element == Element::bf16;
}
inline bool multiplies_bf16(const ConvWeightGradient& op) {
  return op.x0.element == Element::bf16 && op.dy.element == Element::bf16;
}

Step prepare(const Conv&, const CpuContext&);
Step prepare(const ConvDataGradient&, const CpuContext&);
Step prepare(const ConvWeightGradient&, const CpuContext&);

}  // namespace kernels
