// What a convolution's prologue does to the channels of each pixel, and back, for sources that are stored as float or
// as bf16: templates over an instruction set, see vector_kernels.h.
#pragma once

#include <cstdint>

#include "kernels/bf16.h"
#include "kernels/math.h"

namespace kernels {

/// Pixels of a source x[pixels,channels] and of values [pixels,stride] whose first channels belong to it.
template <typename X>
struct ChannelRow {
  std::int64_t pixels, channels, stride;
  const X* x;
  const float *a, *b;  // z = a x + b, by channel
};

/// By Activation: none, silu.
template <typename X>
struct ChannelMaps {
  /// u = activation(z).
  void (*forward[2])(const ChannelRow<X>& row, float* u);
  /// dz = du * activation'(z) in place, adding dz and dz (x - mean) to the sums of each channel.
  void (*gradient[2])(const ChannelRow<X>& row, const float* mean, float* dz, float* sum, float* sum_centred);
};

template <typename Isa, typename X, bool has_silu>
[[gnu::flatten]] void map_channels(const ChannelRow<X>& row, float* u) {
  const float* __restrict a = row.a, * __restrict b = row.b;
  for (std::int64_t p = 0; p < row.pixels; ++p) {
    const X* __restrict x = row.x + p * row.channels;
    float* __restrict to = u + p * row.stride;
#pragma omp simd
    for (std::int64_t c = 0; c < row.channels; ++c) {
      const float z = a[c] * widen(x[c]) + b[c];
      to[c] = has_silu ? silu(z) : z;
    }
  }
}

template <typename Isa, typename X, bool has_silu>
[[gnu::flatten]] void map_channels_gradient(const ChannelRow<X>& row, const float* __restrict mean, float* dz,
                                            float* __restrict sum, float* __restrict sum_centred) {
  const float* __restrict a = row.a, * __restrict b = row.b;
  for (std::int64_t p = 0; p < row.pixels; ++p) {
    const X* __restrict x = row.x + p * row.channels;
    float* __restrict d = dz + p * row.stride;
#pragma omp simd
    for (std::int64_t c = 0; c < row.channels; ++c) {
      const float value = widen(x[c]);
      if (has_silu) d[c] *= silu_derivative(a[c] * value + b[c]);
      sum[c] += d[c];
      sum_centred[c] += d[c] * (value - mean[c]);
    }
  }
}

template <typename Isa, typename X>
constexpr ChannelMaps<X> channel_maps = {
    .forward = {map_channels<Isa, X, false>, map_channels<Isa, X, true>},
    .gradient = {map_channels_gradient<Isa, X, false>, map_channels_gradient<Isa, X, true>}};

}  // namespace kernels
