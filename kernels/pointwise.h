// Small elementwise operations that no larger record absorbs.
#pragma once

#include <tuple>

#include "kernels/conv.h"

namespace kernels {

/// y = x sigmoid(x).
struct Silu {
  In x;
  Out y;
  auto operands() { return std::tie(x, y); }
};

/// dx (+)= dy * d silu(x)/dx.
struct SiluGradient {
  In x, dy;
  InOut dx;
  Mode mode = Mode::overwrite;
  auto operands() { return std::tie(x, dy, dx); }
};

/// y[...,cy] (+)= scale * x[...,first_channel : first_channel+cy] along the last dimension.
struct AddScaled {
  In x;
  InOut y;
  float scale = 1;
  std::int64_t first_channel = 0;
  Mode mode = Mode::accumulate;
  auto operands() { return std::tie(x, y); }
};

/// y = scale * x + shift.
struct Affine {
  In x;
  float scale = 1, shift = 0;
  Out y;
  auto operands() { return std::tie(x, y); }
};

/// y[n,...] = factor[n] * x[n,...].
struct ScaleImages {
  In x, factor;
  Out y;
  auto operands() { return std::tie(x, factor, y); }
};

/// y[n,2k] = [sin(label[n] w_0..w_{k-1}), cos(the same)], w_j = 10000^(-j/(k-1)): the positional embedding of a time
/// label (score_sde get_timestep_embedding; k >= 2).
struct TimeEmbedding {
  In label;
  Out y;
  auto operands() { return std::tie(label, y); }
};

/// y[n,2k] = [sin(2 pi w[j] log label[n]), cos(the same)] with frequencies w[k]: the Fourier embedding of a noise level
/// (Tancik et al. 2020; score_sde GaussianFourierProjection). label > 0.
struct FourierEmbedding {
  In label, frequencies;
  Out y;
  auto operands() { return std::tie(label, frequencies, y); }
};

/// y[..., c(1 + 2 count)] = x[...,c], then for each e = first..first+count-1 sin(2 pi 2^e x) and cos of the same, c
/// channels each: the last bits of a pixel made large (Kingma et al. 2021, VDM).
struct FourierFeatures {
  In x;
  int first = 0, count = 0;
  Out y;
  auto operands() { return std::tie(x, y); }
};

/// dx = dy through the features of x.
struct FourierFeaturesGradient {
  In x, dy;
  int first = 0, count = 0;
  Out dx;
  auto operands() { return std::tie(x, dy, dx); }
};

/// y = x0 and x1 one behind the other along dimension `axis`; the other extents are alike.
struct Concatenate {
  In x0, x1;
  int axis = 0;
  Out y;
  auto operands() { return std::tie(x0, x1, y); }
};

/// What Concatenate copies: `rows` times `part0` elements of x0 and then `part1` of x1.
struct ConcatenatedRows {
  std::int64_t rows, part0, part1;
  std::int64_t whole() const { return part0 + part1; }
};
/// Throws logic_error unless the operands have the shapes above.
ConcatenatedRows concatenated_rows(const Concatenate& op);

Step prepare(const Silu&, const CpuContext&);
Step prepare(const SiluGradient&, const CpuContext&);
Step prepare(const AddScaled&, const CpuContext&);
Step prepare(const Affine&, const CpuContext&);
Step prepare(const ScaleImages&, const CpuContext&);
Step prepare(const TimeEmbedding&, const CpuContext&);
Step prepare(const FourierEmbedding&, const CpuContext&);
Step prepare(const FourierFeatures&, const CpuContext&);
Step prepare(const FourierFeaturesGradient&, const CpuContext&);
Step prepare(const Concatenate&, const CpuContext&);

}  // namespace kernels
