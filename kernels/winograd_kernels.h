// Winograd's transforms between arrays of images or weights and the matrices of its products: templates over an
// instruction set, see vector_kernels.h.
#pragma once

#include "kernels/vector_kernels.h"
#include "kernels/winograd_transforms.h"

namespace kernels::winograd {

template <typename Isa, Adjacent adjacent>
void transform_input(const float* const* rows, std::int64_t tiles, std::int64_t channels, Matrices to) {
  using S = Simd<Isa::lanes>;
  for (std::int64_t t = 0; t < tiles; ++t)
    for (std::int64_t c = 0; c < channels; c += Isa::lanes) {
      typename S::Vector x[coefficients], y[coefficients];
#pragma GCC unroll 36
      for (int i = 0; i < coefficients; ++i) x[i] = S::load(rows[i / patch] + (t * tile + i % patch) * channels + c);
      transform<InputTransform, patch, patch>(x, y);
#pragma GCC unroll 36
      for (int i = 0; i < coefficients; ++i) put<Isa, adjacent>(to.data + i * to.matrix, to.stride, t, c, y[i]);
    }
}

template <typename Isa>
void transform_output_gradient(const float* dy, const TileRow& row, Matrices to) {
  using S = Simd<Isa::lanes>;
  for (std::int64_t left = 0; left < row.width; left += tile)
    for (std::int64_t c = 0; c < row.channels; c += Isa::lanes) {
      typename S::Vector x[tile * tile], y[coefficients];
#pragma GCC unroll 16
      for (int i = 0; i < tile * tile; ++i)
        x[i] = i / tile < row.height && left + i % tile < row.width
                   ? S::load(dy + (i / tile * row.width + left + i % tile) * row.channels + c)
                   : typename S::Vector{};
      transform<OutputGradientTransform, tile, patch>(x, y);
#pragma GCC unroll 36
      for (int i = 0; i < coefficients; ++i)
        put<Isa, Adjacent::rows>(to.data + i * to.matrix, to.stride, left / tile, c, y[i]);
    }
}

template <typename Isa>
void transform_output(Matrices from, std::int64_t count, float* y, const TileRow& row) {
  using S = Simd<Isa::lanes>;
  for (std::int64_t left = 0; left < row.width; left += tile, from.data += from.stride)
    for (std::int64_t c = 0; c < count; c += Isa::lanes) {
      typename S::Vector x[coefficients], out[tile * tile];
#pragma GCC unroll 36
      for (int i = 0; i < coefficients; ++i) x[i] = S::load(from.data + i * from.matrix + c);
      transform<OutputTransform, patch, tile>(x, out);
#pragma GCC unroll 16
      for (int i = 0; i < tile * tile; ++i)
        if (i / tile < row.height && left + i % tile < row.width)
          S::store(y + (i / tile * row.width + left + i % tile) * row.channels + c, out[i]);
    }
}

/// Transposes x[lanes] of vectors: in each of log2(lanes) rounds the first and second half are interleaved.
template <typename Isa>
void transpose(typename Simd<Isa::lanes>::Vector* x) {
  constexpr int lanes = Isa::lanes;
  using S = Simd<lanes>;
  for (int round = 1; round < lanes; round *= 2) {
    typename S::Vector y[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes / 2; ++i) {
      y[2 * i] = S::template interleave<0>(x[i], x[i + lanes / 2]);
      y[2 * i + 1] = S::template interleave<lanes / 2>(x[i], x[i + lanes / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) x[i] = y[i];
  }
}

template <typename Isa, Direction direction>
void transform_weights(const float* weight, std::int64_t c, std::int64_t first, std::int64_t count, std::int64_t input,
                       Matrices to) {
  using S = Simd<Isa::lanes>;
  for (std::int64_t output = 0; output < count; output += Isa::lanes) {
    typename S::Vector w[taps][Isa::lanes];  // by tap and input, a vector of outputs
    for (int t = 0; t < taps; ++t) {
      for (int i = 0; i < Isa::lanes; ++i)
        w[t][i] = direction == Direction::forward
                      ? S::load(weight + ((first + output + i) * taps + t) * c + input)
                      : S::load(weight + ((input + i) * taps + taps - 1 - t) * c + first + output);
      if (direction == Direction::forward) transpose<Isa>(w[t]);
    }
    for (int i = 0; i < Isa::lanes; ++i) {
      typename S::Vector x[taps], y[coefficients];
#pragma GCC unroll 9
      for (int t = 0; t < taps; ++t) x[t] = w[t][i];
      transform<WeightTransform, 3, patch>(x, y);
#pragma GCC unroll 36
      for (int j = 0; j < coefficients; ++j)
        put<Isa, Adjacent::rows>(to.data + j * to.matrix, to.stride, input + i, output, y[j]);
    }
  }
}

template <typename Isa>
void transform_weight_gradient(Matrices from, std::int64_t c, float scale, bool accumulate, float* dweight) {
  using S = Simd<Isa::lanes>;
  for (std::int64_t at = 0; at < c; at += Isa::lanes) {
    typename S::Vector x[coefficients], y[taps];
#pragma GCC unroll 36
    for (int i = 0; i < coefficients; ++i) x[i] = S::load(from.data + i * from.matrix + at);
    transform<WeightGradientTransform, patch, 3>(x, y);
#pragma GCC unroll 9
    for (int t = 0; t < taps; ++t) {
      float* const to = dweight + t * c + at;
      S::store(to, accumulate ? S::load(to) + scale * y[t] : scale * y[t]);
    }
  }
}

}  // namespace kernels::winograd
