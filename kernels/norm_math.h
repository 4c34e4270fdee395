// The arithmetic of group norm and of its gradient, for both compilers.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/norm.h"
#include "kernels/portable.h"

namespace kernels {

/// The moments of channel c of an image, in whichever source it lies.
struct ChannelMoments {
  const float *first, *second;
  std::int64_t c0, c1;
  PORTABLE const float* operator()(std::int64_t image, std::int64_t c) const {
    return c < c0 ? first + 2 * (image * c0 + c) : second + 2 * (image * c1 + c - c0);
  }
};

/// An adaptive norm's scale and shift of each image and channel; 0 without modulation.
struct Modulation {
  const float* values;  // [n,2c]
  std::int64_t c;
  PORTABLE double factor(std::int64_t image, std::int64_t channel) const {
    return values ? 1.0 + values[image * 2 * c + channel] : 1.0;
  }
  PORTABLE double shift(std::int64_t image, std::int64_t channel) const {
    return values ? values[image * 2 * c + c + channel] : 0.0;
  }
};

struct GroupStatistics {
  double mean, variance;
};

/// Mean and variance over channels that have equally many pixels: the mean of the channel variances plus the variance
/// of the channel means.
PORTABLE GroupStatistics group_statistics(const ChannelMoments& moments, std::int64_t image, std::int64_t first,
                                          std::int64_t count) {
  double mean = 0, variance = 0;
  for (std::int64_t c = first; c < first + count; ++c) mean += moments(image, c)[0];
  mean /= static_cast<double>(count);
  for (std::int64_t c = first; c < first + count; ++c) {
    const double deviation = moments(image, c)[0] - mean;
    variance += moments(image, c)[1] + deviation * deviation;
  }
  return {mean, variance / static_cast<double>(count)};
}

/// NormCoefficients of one group of one image.
struct CoefficientsOfGroup {
  ChannelMoments moments;
  Modulation modulation;
  const float *gamma, *beta;
  float epsilon;
  std::int64_t c, groups;
  float *coefficients, *statistics;

  PORTABLE void operator()(std::int64_t image, std::int64_t g) const {
    const std::int64_t size = c / groups;
    const GroupStatistics group = group_statistics(moments, image, g * size, size);
    const double inverse_deviation = 1 / std::sqrt(group.variance + epsilon);
    statistics[2 * (image * groups + g)] = static_cast<float>(group.mean);
    statistics[2 * (image * groups + g) + 1] = static_cast<float>(inverse_deviation);
    for (std::int64_t i = g * size; i < (g + 1) * size; ++i) {
      const double factor = modulation.factor(image, i), a = factor * gamma[i] * inverse_deviation;
      coefficients[2 * (image * c + i)] = static_cast<float>(a);
      coefficients[2 * (image * c + i) + 1] =
          static_cast<float>(factor * beta[i] + modulation.shift(image, i) - group.mean * a);
    }
  }
};

/// dx = p dz - constant - slope (x - mean), per channel of one image: group norm's gradient, with
/// p = gamma/std, constant = <gamma dz>/std, slope = <gamma dz xhat>/std^2, gamma with its modulation and < > the mean
/// over the group.
PORTABLE float norm_gradient(float p, float constant, float slope, float mean, float dz, float x) {
  return p * dz - (constant + slope * (x - mean));
}

/// From sums[n,c,2] of dz and dz xhat: what NormGradient needs of each image and channel.
struct NormSums {
  const float *sums, *statistics, *gamma;
  Modulation modulation;
  std::int64_t n, c, groups, pixels;

  /// The p, constant, slope and mean of the channels of one group, c apart at lines[image,4,c].
  PORTABLE void fill_lines(std::int64_t image, std::int64_t g, float* lines) const {
    const std::int64_t size = c / groups, first = g * size;
    const double elements = static_cast<double>(pixels * size);
    const float* const of_group = statistics + 2 * (image * groups + g);
    const double inverse_deviation = of_group[1];
    double mean_gradient = 0, mean_product = 0;  // <gamma dz> and <gamma dz xhat>
    for (std::int64_t i = first; i < first + size; ++i) {
      mean_gradient += modulated_gamma(image, i) * sums[2 * (image * c + i)] / elements;
      mean_product += modulated_gamma(image, i) * sums[2 * (image * c + i) + 1] / elements;
    }
    for (std::int64_t i = first; i < first + size; ++i) {
      float* const line = lines + image * 4 * c + i;
      line[0] = static_cast<float>(inverse_deviation * modulated_gamma(image, i));
      line[c] = static_cast<float>(inverse_deviation * mean_gradient);
      line[2 * c] = static_cast<float>(inverse_deviation * inverse_deviation * mean_product);
      line[3 * c] = of_group[0];
    }
  }

  /// start + the sum over images of (1 + scale) sums[n,channel,which]: dbeta (which = 0) and dgamma (1).
  PORTABLE float parameter_gradient(std::int64_t channel, std::int64_t which, float start) const {
    double sum = start;
    for (std::int64_t image = 0; image < n; ++image)
      sum += modulation.factor(image, channel) * sums[2 * (image * c + channel) + which];
    return static_cast<float>(sum);
  }

  /// dscale = sum of dz (gamma xhat + beta), dshift = sum of dz, of channel i % c of image i / c.
  PORTABLE void modulation_gradient(std::int64_t i, const float* beta, float* dmodulation) const {
    const std::int64_t image = i / c, channel = i % c;
    dmodulation[image * 2 * c + channel] = gamma[channel] * sums[2 * i + 1] + beta[channel] * sums[2 * i];
    dmodulation[image * 2 * c + c + channel] = sums[2 * i];
  }

  PORTABLE double modulated_gamma(std::int64_t image, std::int64_t channel) const {
    return modulation.factor(image, channel) * gamma[channel];
  }
};

inline CoefficientsOfGroup coefficients_of(const NormCoefficients& op, const Memory& memory) {
  const std::int64_t c0 = op.moments0.shape[1], c = op.gamma.shape[0];
  return {.moments = {memory.at<float>(op.moments0), memory.at<float>(op.moments1), c0, c - c0},
          .modulation = {memory.at<float>(op.modulation), c},
          .gamma = memory.at<float>(op.gamma),
          .beta = memory.at<float>(op.beta),
          .epsilon = op.epsilon,
          .c = c,
          .groups = op.statistics.shape[1],
          .coefficients = memory.at<float>(op.coefficients),
          .statistics = memory.at<float>(op.statistics)};
}

inline NormSums sums_of(const NormGradient& op, const Memory& memory) {
  const std::int64_t c = op.dz.shape[3];
  return {.sums = memory.at<float>(op.sums),
          .statistics = memory.at<float>(op.statistics),
          .gamma = memory.at<float>(op.gamma),
          .modulation = {memory.at<float>(op.modulation), c},
          .n = op.dz.shape[0],
          .c = c,
          .groups = op.statistics.shape[1],
          .pixels = op.dz.shape[1] * op.dz.shape[2]};
}

}  // namespace kernels
