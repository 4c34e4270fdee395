#include "kernels/norm.h"

#include <cmath>

#include "kernels/parallel.h"
#include "kernels/scratch.h"

namespace kernels {
namespace {

/// The moments of channel c of an image, in whichever source it lies.
struct ChannelMoments {
  const float *first, *second;
  std::int64_t c0, c1;
  const float* operator()(std::int64_t image, std::int64_t c) const {
    return c < c0 ? first + 2 * (image * c0 + c) : second + 2 * (image * c1 + c - c0);
  }
};

struct Statistics {
  double mean, variance;
};

/// An adaptive norm's scale and shift of each image and channel; 0 without modulation.
struct Modulation {
  const float* values;  // [n,2c]
  std::int64_t c;
  double factor(std::int64_t image, std::int64_t channel) const {
    return values ? 1.0 + values[image * 2 * c + channel] : 1.0;
  }
  double shift(std::int64_t image, std::int64_t channel) const {
    return values ? values[image * 2 * c + c + channel] : 0.0;
  }
};

/// Mean and variance over channels that have equally many pixels: the mean of the channel variances plus the variance
/// of the channel means.
Statistics group_statistics(const ChannelMoments& moments, std::int64_t image, std::int64_t first, std::int64_t count) {
  double mean = 0, variance = 0;
  for (std::int64_t c = first; c < first + count; ++c) mean += moments(image, c)[0];
  mean /= static_cast<double>(count);
  for (std::int64_t c = first; c < first + count; ++c) {
    const double deviation = moments(image, c)[0] - mean;
    variance += moments(image, c)[1] + deviation * deviation;
  }
  return {mean, variance / static_cast<double>(count)};
}

}  // namespace

Step prepare(const NormCoefficients& op, const CpuContext&) {
  const std::int64_t n = op.moments0.shape[0], c = op.gamma.shape[0], groups = op.statistics.shape[1];
  const std::int64_t c0 = op.moments0.shape[1], c1 = c - c0;
  ensure(op.moments0.shape == Shape{n, c0, 2}, "moments are [n,c,2]");
  ensure(op.moments1 ? op.moments1.shape == Shape{n, c1, 2} : c1 == 0, "the moments have the norm's channels");
  ensure(op.beta.shape == op.gamma.shape && op.coefficients.shape == Shape{n, c, 2},
         "a norm's operands have c channels");
  ensure(op.statistics.shape == Shape{n, groups, 2} && groups > 0 && c % groups == 0, "groups divide the channels");
  ensure(!op.modulation || op.modulation.shape == Shape{n, 2 * c}, "a norm's modulation is [n,2c]");
  return {[=](const Memory& memory) {
    const Modulation modulation{memory.at<float>(op.modulation), c};
    const ChannelMoments moments{memory.at<float>(op.moments0), memory.at<float>(op.moments1), c0, c1};
    const float *gamma = memory.at<float>(op.gamma), *beta = memory.at<float>(op.beta);
    float *coefficients = memory.at<float>(op.coefficients), *statistics = memory.at<float>(op.statistics);
    const std::int64_t size = c / groups;
    for (std::int64_t image = 0; image < n; ++image)
      for (std::int64_t g = 0; g < groups; ++g) {
        const Statistics group = group_statistics(moments, image, g * size, size);
        const double inverse_deviation = 1 / std::sqrt(group.variance + op.epsilon);
        statistics[2 * (image * groups + g)] = static_cast<float>(group.mean);
        statistics[2 * (image * groups + g) + 1] = static_cast<float>(inverse_deviation);
        for (std::int64_t i = g * size; i < (g + 1) * size; ++i) {
          const double factor = modulation.factor(image, i), a = factor * gamma[i] * inverse_deviation;
          coefficients[2 * (image * c + i)] = static_cast<float>(a);
          coefficients[2 * (image * c + i) + 1] =
              static_cast<float>(factor * beta[i] + modulation.shift(image, i) - group.mean * a);
        }
      }
  }};
}

namespace {

/// dx = p dz - constant - slope (x - mean), per channel of one image: group norm's gradient, with
/// p = gamma/std, constant = <gamma dz>/std, slope = <gamma dz xhat>/std^2, gamma with its modulation and < > the mean
/// over the group.
struct Line {
  float *p, *constant, *slope, *mean;
};

template <Mode mode>
void apply(std::int64_t channels, const Line& at, const float* __restrict dz, const float* __restrict x,
           float* __restrict dx) {
  const float* __restrict p = at.p;
  const float* __restrict constant = at.constant;
  const float* __restrict slope = at.slope;
  const float* __restrict mean = at.mean;
#pragma omp simd
  for (std::int64_t c = 0; c < channels; ++c) {
    const float gradient = p[c] * dz[c] - (constant[c] + slope[c] * (x[c] - mean[c]));
    dx[c] = mode == Mode::accumulate ? dx[c] + gradient : gradient;
  }
}

class NormGradientKernel {
 public:
  NormGradientKernel(const NormGradient& op, int threads, ScratchLayout& scratch)
      : op_(op),
        threads_(threads),
        n_(op.dz.shape[0]),
        rows_(op.dz.shape[1]),
        w_(op.dz.shape[2]),
        c_(op.dz.shape[3]),
        groups_(op.statistics.shape[1]),
        c0_(op.x1 ? c_ - op.x1.shape[3] : c_) {
    ensure(op.sums.shape == Shape{n_, c_, 2} && op.gamma.shape == Shape{c_}, "a norm's sums and gamma have c channels");
    ensure(op.statistics.shape == Shape{n_, groups_, 2} && groups_ > 0 && c_ % groups_ == 0,
           "groups divide the channels");
    ensure(op.x0.shape == Shape{n_, rows_, w_, c0_}, "x0 has the shape of dz");
    ensure(!op.x1 || op.x1.shape == Shape{n_, rows_, w_, c_ - c0_}, "x1 has the shape of dz");
    ensure((!op.dx0 || op.dx0.shape == op.x0.shape) && (!op.dx1 || (op.x1 && op.dx1.shape == op.x1.shape)),
           "a gradient has the shape of its source");
    ensure((!op.dgamma || op.dgamma.shape == Shape{c_}) && (!op.dbeta || op.dbeta.shape == Shape{c_}),
           "gradients of gamma and beta are [c]");
    ensure(!op.modulation || op.modulation.shape == Shape{n_, 2 * c_}, "a norm's modulation is [n,2c]");
    ensure(!op.dmodulation || (op.dmodulation.shape == op.modulation.shape && op.beta.shape == Shape{c_}),
           "the gradient of a modulation has its shape, and needs beta");
    lines_ = scratch.add<float>(n_ * 4 * c_);
  }

  void run(const Memory& memory) const {
    parameter_gradient(memory, op_.dgamma, 1);
    parameter_gradient(memory, op_.dbeta, 0);
    modulation_gradient(memory);
    if (!op_.dx0 && !op_.dx1) return;
    fill_lines(memory);
    parallel_for(threads_, n_ * rows_, [&](std::int64_t row) {
      source_row(memory, row, op_.x0, op_.dx0, op_.mode0, 0);
      source_row(memory, row, op_.x1, op_.dx1, op_.mode1, c0_);
    });
  }

 private:
  Line line(const Memory& memory, std::int64_t image, std::int64_t c) const {
    float* const first = lines_.in(memory) + image * 4 * c_ + c;
    return {first, first + c_, first + 2 * c_, first + 3 * c_};
  }

  Modulation modulation(const Memory& memory) const { return {memory.at<float>(op_.modulation), c_}; }

  /// gradient[c] (+)= sum over images of (1 + scale) sums[n,c,which].
  void parameter_gradient(const Memory& memory, const InOut& gradient, std::int64_t which) const {
    float* const out = memory.at<float>(gradient);
    if (!out) return;
    const float* const sums = memory.at<float>(op_.sums);
    for (std::int64_t c = 0; c < c_; ++c) {
      double sum = op_.parameter_mode == Mode::accumulate ? out[c] : 0;
      for (std::int64_t image = 0; image < n_; ++image)
        sum += modulation(memory).factor(image, c) * sums[2 * (image * c_ + c) + which];
      out[c] = static_cast<float>(sum);
    }
  }

  /// dscale = sum of dz (gamma xhat + beta), dshift = sum of dz.
  void modulation_gradient(const Memory& memory) const {
    float* const out = memory.at<float>(op_.dmodulation);
    if (!out) return;
    const float *sums = memory.at<float>(op_.sums), *gamma = memory.at<float>(op_.gamma);
    const float* const beta = memory.at<float>(op_.beta);
    for (std::int64_t i = 0; i < n_ * c_; ++i) {
      const std::int64_t image = i / c_, c = i % c_;
      out[image * 2 * c_ + c] = gamma[c] * sums[2 * i + 1] + beta[c] * sums[2 * i];
      out[image * 2 * c_ + c_ + c] = sums[2 * i];
    }
  }

  void fill_lines(const Memory& memory) const {
    const float *sums = memory.at<float>(op_.sums), *gamma = memory.at<float>(op_.gamma);
    const float* const statistics = memory.at<float>(op_.statistics);
    const std::int64_t size = c_ / groups_;
    const double elements = static_cast<double>(rows_ * w_ * size);
    for (std::int64_t i = 0; i < n_ * groups_; ++i) {
      const std::int64_t image = i / groups_, first = i % groups_ * size;
      const float mean = statistics[2 * i];
      const double inverse_deviation = statistics[2 * i + 1];
      const auto modulated_gamma = [&](std::int64_t c) { return modulation(memory).factor(image, c) * gamma[c]; };
      double mean_gradient = 0, mean_product = 0;  // <gamma dz> and <gamma dz xhat>
      for (std::int64_t c = first; c < first + size; ++c) {
        mean_gradient += modulated_gamma(c) * sums[2 * (image * c_ + c)] / elements;
        mean_product += modulated_gamma(c) * sums[2 * (image * c_ + c) + 1] / elements;
      }
      for (std::int64_t c = first; c < first + size; ++c) {
        const Line at = line(memory, image, c);
        *at.p = static_cast<float>(inverse_deviation * modulated_gamma(c));
        *at.constant = static_cast<float>(inverse_deviation * mean_gradient);
        *at.slope = static_cast<float>(inverse_deviation * inverse_deviation * mean_product);
        *at.mean = mean;
      }
    }
  }

  /// One row of one source, whose channels begin at `first` of dz. `row` counts over all images.
  void source_row(const Memory& memory, std::int64_t row, const In& source, const InOut& gradient, Mode mode,
                  std::int64_t first) const {
    if (!gradient) return;
    const std::int64_t channels = source.shape[3];
    const Line at = line(memory, row / rows_, first);
    const auto kernel = mode == Mode::accumulate ? apply<Mode::accumulate> : apply<Mode::overwrite>;
    for (std::int64_t pixel = row * w_; pixel < (row + 1) * w_; ++pixel)
      kernel(channels, at, memory.at<float>(op_.dz) + pixel * c_ + first, memory.at<float>(source) + pixel * channels,
             memory.at<float>(gradient) + pixel * channels);
  }

  NormGradient op_;
  int threads_;
  std::int64_t n_, rows_, w_, c_, groups_, c0_;
  Slot<float> lines_;  // [n,4,c]
};

}  // namespace

Step prepare(const NormGradient& op, const CpuContext& context) {
  ScratchLayout scratch;
  const NormGradientKernel kernel(op, context.threads, scratch);
  return {[=](const Memory& memory) { kernel.run(memory); }, scratch.bytes()};
}

}  // namespace kernels
