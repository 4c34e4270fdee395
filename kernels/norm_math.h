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

/// Mean and variance over `count` channels that have equally many pixels, from moments(i), two floats: the mean of the
/// channel variances plus the variance of the channel means.
template <typename Moments>
PORTABLE GroupStatistics group_statistics(std::int64_t count, const Moments& moments) {
  double mean = 0, variance = 0;
  for (std::int64_t i = 0; i < count; ++i) mean += moments(i)[0];
  mean /= static_cast<double>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const double deviation = moments(i)[0] - mean;
    variance += moments(i)[1] + deviation * deviation;
  }
  return {mean, variance / static_cast<double>(count)};
}

/// NormCoefficients, by groups of one image.
struct CoefficientsOfGroup {
  ChannelMoments moments;
  Modulation modulation;
  const float *gamma, *beta;
  float epsilon;
  std::int64_t c, groups;
  float *coefficients, *statistics;

  PORTABLE void operator()(std::int64_t image, std::int64_t g) const {
    const std::int64_t size = c / groups;
    const GroupStatistics group = group_statistics(size, [&](std::int64_t i) { return moments(image, g * size + i); });
    const double inverse = inverse_deviation(group);
    set_statistics(image, g, group, inverse);
    for (std::int64_t i = g * size; i < (g + 1) * size; ++i) set_coefficients(image, i, group, inverse);
  }

  PORTABLE double inverse_deviation(const GroupStatistics& group) const {
    return 1 / std::sqrt(group.variance + epsilon);
  }
  PORTABLE void set_statistics(std::int64_t image, std::int64_t g, const GroupStatistics& group, double inverse) const {
    statistics[2 * (image * groups + g)] = static_cast<float>(group.mean);
    statistics[2 * (image * groups + g) + 1] = static_cast<float>(inverse);
  }
  /// Of a channel of the group.
  PORTABLE void set_coefficients(std::int64_t image, std::int64_t channel, const GroupStatistics& group,
                                 double inverse) const {
    const double factor = modulation.factor(image, channel), a = factor * gamma[channel] * inverse;
    coefficients[2 * (image * c + channel)] = static_cast<float>(a);
    coefficients[2 * (image * c + channel) + 1] =
        static_cast<float>(factor * beta[channel] + modulation.shift(image, channel) - group.mean * a);
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

  /// <gamma dz> and <gamma dz xhat> of a group.
  struct Means {
    double gradient = 0, product = 0;
  };
  /// What a channel of the group has in its means.
  PORTABLE Means share(std::int64_t image, std::int64_t channel) const {
    const double elements = static_cast<double>(pixels * (c / groups));
    const float* const sum = sums + 2 * (image * c + channel);
    const double gamma_of_channel = modulated_gamma(image, channel);
    return {gamma_of_channel * sum[0] / elements, gamma_of_channel * sum[1] / elements};
  }
  /// The p, constant, slope and mean of one channel, c apart at lines[image,4,c].
  PORTABLE void fill_line(std::int64_t image, std::int64_t channel, const Means& means, float* lines) const {
    const float* const of_group = statistics + 2 * (image * groups + channel / (c / groups));
    const double inverse_deviation = of_group[1];
    float* const line = lines + image * 4 * c + channel;
    line[0] = static_cast<float>(inverse_deviation * modulated_gamma(image, channel));
    line[c] = static_cast<float>(inverse_deviation * means.gradient);
    line[2 * c] = static_cast<float>(inverse_deviation * inverse_deviation * means.product);
    line[3 * c] = of_group[0];
  }
  PORTABLE void fill_lines(std::int64_t image, std::int64_t g, float* lines) const {
    const std::int64_t size = c / groups;
    Means means;
    for (std::int64_t i = g * size; i < (g + 1) * size; ++i) {
      const Means one = share(image, i);
      means.gradient += one.gradient;
      means.product += one.product;
    }
    for (std::int64_t i = g * size; i < (g + 1) * size; ++i) fill_line(image, i, means, lines);
  }

  /// What an image adds to dbeta (which = 0) and dgamma (1): (1 + scale) sums[image,channel,which].
  PORTABLE double parameter_gradient(std::int64_t image, std::int64_t channel, std::int64_t which) const {
    return modulation.factor(image, channel) * sums[2 * (image * c + channel) + which];
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
