// Quantised Gaussian random fields: images as correlated as natural ones, with known entropy.
#pragma once

#include <cstdint>
#include <span>

#include "core/data/decode.h"

namespace core::data {

/// Image i is round(mean + field), clipped to 0..255; the field has covariance
/// variance * correlation^(|dy| + |dx|) * (channel_correlation between channels), a pure function of (seed, first + i).
struct GaussianField {
  std::uint64_t seed;
  std::int64_t images, first;
  double mean, standard_deviation, correlation, channel_correlation;
  ImageShape shape;

  void read(std::int64_t index, std::span<std::uint8_t> pixels) const;

  /// log2 det(2 pi e C) / (2D) bits/dim, C the covariance in pixel units. With C = Sigma, the field's own covariance,
  /// it is the field's differential entropy, which the quantised pixels' entropy approaches from above as the
  /// conditional deviations grow beyond a pixel; with C = Sigma + I/12, the covariance after rounding, it is an upper
  /// limit of the entropy of the dequantised pixels (no density with this covariance has more), and so of the pixels'
  /// own. `added` is what is added to the diagonal: 0 or 1/12.
  double gaussian_entropy(double added) const;
};

/// Eigenvalues of the symmetric matrix with entries correlation^|i-j|, n x n, by the Jacobi method.
std::vector<double> autoregressive_eigenvalues(int n, double correlation);

}  // namespace core::data
