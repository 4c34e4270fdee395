#include "core/data/gaussian_field.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/philox.h"

namespace core::data {
namespace {

std::vector<double> normals(std::uint64_t seed, std::uint64_t image, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count + count % 2));
  for (std::size_t i = 0; i < values.size(); i += 2) {
    kernels::normal_pair(kernels::philox(seed, kernels::Stream::source, image, static_cast<std::uint32_t>(i / 2)),
                         values[i], values[i + 1]);
  }
  return values;
}

/// Turns independent values along an axis into a stationary autoregressive sequence, in place.
void correlate(std::vector<double>& x, std::int64_t count, std::int64_t stride, double correlation,
               std::int64_t length) {
  const double fresh = std::sqrt(1 - correlation * correlation);
  for (std::int64_t i = 0; i < count; ++i) {
    if (i / stride % length == 0) continue;
    x[static_cast<std::size_t>(i)] =
        correlation * x[static_cast<std::size_t>(i - stride)] + fresh * x[static_cast<std::size_t>(i)];
  }
}

/// Gives the channels of each pixel the correlation: a shared part and one of their own, by Cholesky's recursion.
void mix_channels(std::vector<double>& x, std::int64_t count, int channels, double correlation) {
  std::vector<std::vector<double>> l(static_cast<std::size_t>(channels),
                                     std::vector<double>(static_cast<std::size_t>(channels)));
  for (int i = 0; i < channels; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = i == j ? 1 : correlation;
      for (int k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i][j] = i == j ? std::sqrt(sum) : sum / l[j][j];
    }
  }
  for (std::int64_t pixel = 0; pixel < count; pixel += channels) {
    for (int i = channels - 1; i >= 0; --i) {
      double sum = 0;
      for (int j = 0; j <= i; ++j) sum += l[i][j] * x[static_cast<std::size_t>(pixel + j)];
      x[static_cast<std::size_t>(pixel + i)] = sum;
    }
  }
}

}  // namespace

void GaussianField::read(std::int64_t index, std::span<std::uint8_t> pixels) const {
  const std::int64_t count = shape.elements();
  std::vector<double> x = normals(seed, static_cast<std::uint64_t>(first + index), count);
  correlate(x, count, shape.channels, correlation, shape.width);
  correlate(x, count, std::int64_t{shape.channels} * shape.width, correlation, shape.height);
  mix_channels(x, count, shape.channels, channel_correlation);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(std::clamp(std::floor(mean + standard_deviation * x[i] + 0.5), 0.0, 255.0));
  }
}

double GaussianField::gaussian_entropy(double added) const {
  // The covariance is a Kronecker product, so its eigenvalues are products.
  const std::vector<double> rows = autoregressive_eigenvalues(shape.height, correlation),
                            columns = autoregressive_eigenvalues(shape.width, correlation);
  double sum = 0;
  for (double row : rows) {
    for (double column : columns) {
      for (int c = 0; c < shape.channels; ++c) {
        const double channel = c == 0 ? 1 + (shape.channels - 1) * channel_correlation : 1 - channel_correlation;
        sum += std::log2(2 * std::numbers::pi * std::numbers::e *
                         (standard_deviation * standard_deviation * row * column * channel + added));
      }
    }
  }
  return sum / (2 * static_cast<double>(shape.elements()));
}

std::vector<double> autoregressive_eigenvalues(int n, double correlation) {
  std::vector<std::vector<double>> a(static_cast<std::size_t>(n), std::vector<double>(static_cast<std::size_t>(n)));
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) a[i][j] = std::pow(correlation, std::abs(i - j));
  }
  const auto rotate = [&](int p, int q) {
    if (std::abs(a[p][q]) < 1e-300) return;
    const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1.0)), c = 1 / std::hypot(t, 1.0),
                 s = t * c;
    for (int k = 0; k < n; ++k) {
      const double kp = a[k][p], kq = a[k][q];
      a[k][p] = c * kp - s * kq;
      a[k][q] = s * kp + c * kq;
    }
    for (int k = 0; k < n; ++k) {
      const double pk = a[p][k], qk = a[q][k];
      a[p][k] = c * pk - s * qk;
      a[q][k] = s * pk + c * qk;
    }
  };
  const auto off_diagonal = [&] {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < i; ++j) sum += a[i][j] * a[i][j];
    }
    return sum;
  };
  while (off_diagonal() > 1e-26 * n) {
    for (int p = 0; p < n; ++p) {
      for (int q = p + 1; q < n; ++q) rotate(p, q);
    }
  }
  std::vector<double> values;
  for (int i = 0; i < n; ++i) values.push_back(a[i][i]);
  return values;
}

}  // namespace core::data
