// Data whose score is known: what the estimators are compared with.
#pragma once

#include <cmath>
#include <numbers>

#include "core/likelihood/estimate.h"
#include "kernels/sde.h"

namespace core::likelihood::tests {

/// The exact score of x_0 ~ N(mean, deviation^2) in each of `dims` dimensions.
inline Score gaussian_score(const kernels::Sde& sde, double mean, double deviation, std::int64_t dims,
                            std::int64_t batch) {
  const auto value = [=](std::span<const double> t, std::span<const double> x, std::span<double> score) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double time = t[i / static_cast<std::size_t>(dims)], a = kernels::mean_coefficient(sde, time),
                   s = kernels::standard_deviation(sde, time);
      score[i] = -(x[i] - a * mean) / (a * a * deviation * deviation + s * s);
    }
  };
  return {.dims = dims,
          .batch = batch,
          .value = value,
          .with_trace = [=](auto t, auto x, auto, std::span<double> score, std::span<double> trace) {
            value(t, x, score);
            for (std::size_t n = 0; n < trace.size(); ++n) {
              const double a = kernels::mean_coefficient(sde, t[n]), s = kernels::standard_deviation(sde, t[n]);
              trace[n] = -static_cast<double>(dims) / (a * a * deviation * deviation + s * s);
            }
          }};
}

/// A smooth function that is no score of anything: an untrained network's stand-in. It predicts the noise from
/// y = x / sqrt(1 + s^2), the neighbour's y and t.
inline Score untrained_score(const kernels::Sde& sde, std::int64_t dims, std::int64_t batch) {
  const auto evaluate = [=](std::span<const double> t, std::span<const double> x, std::span<const double> v,
                            std::span<double> score, std::span<double> trace) {
    const auto d = static_cast<std::size_t>(dims);
    for (std::size_t n = 0; n < t.size(); ++n) {
      const double s = kernels::standard_deviation(sde, t[n]), scale = 1 / std::sqrt(1 + s * s);
      double sum = 0;
      for (std::size_t i = n * d; i < (n + 1) * d; ++i) {
        const double y = scale * x[i], previous = i > n * d ? scale * x[i - 1] : 0, phase = 3 * y + previous + 5 * t[n];
        score[i] = -(std::tanh(y) + 0.3 * std::sin(phase)) / s;
        if (trace.empty()) continue;
        const double c = 0.3 * std::cos(phase), own = 1 / std::pow(std::cosh(y), 2) + 3 * c;
        sum += v[i] * (own * v[i] + (i > n * d ? c * v[i - 1] : 0));
      }
      if (!trace.empty()) trace[n] = -scale * sum / s;
    }
  };
  return {.dims = dims,
          .batch = batch,
          .value = [=](auto t, auto x, auto score) { evaluate(t, x, {}, score, {}); },
          .with_trace = evaluate};
}

/// The collapsed bound's terms for x under the exact score of N(mean, deviation^2), per dimension, nats (closed forms).
struct GaussianTerms {
  double prior, diffusion, reconstruction;
  double total() const { return prior + diffusion + reconstruction; }
};
inline GaussianTerms gaussian_terms(const kernels::Sde& sde, double eps, double mean, double deviation, double x) {
  const double v0 = deviation * deviation, d2 = (x - mean) * (x - mean), p = kernels::prior_deviation(sde);
  const double re = std::exp(kernels::log_snr(sde, eps)), rt = std::exp(kernels::log_snr(sde, 1.0));
  const double a = kernels::mean_coefficient(sde, 1.0), s = kernels::standard_deviation(sde, 1.0),
               w = re * v0 / (1 + re * v0);
  return {0.5 * ((a * a * x * x + s * s) / (p * p) - 1 - std::log(s * s / (p * p))),
          0.5 * (d2 / v0 * (1 / (1 + rt * v0) - 1 / (1 + re * v0)) + std::log((1 + re * v0) / (1 + rt * v0)) +
                 1 / (1 + re * v0) - 1 / (1 + rt * v0)),
          0.5 * std::log(2 * std::numbers::pi / re) + 0.5 * ((1 - w) * (1 - w) * d2 * re + w * w)};
}

/// Images whose pixels are given by a function of index and dimension.
inline Images images_of(std::int64_t count, std::int64_t dims,
                        std::function<std::uint8_t(std::int64_t, std::size_t)> pixel) {
  Images images{.indices = {},
                .dims = dims,
                .read = [pixel = std::move(pixel)](std::int64_t index, std::span<std::uint8_t> pixels) {
                  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = pixel(index, i);
                }};
  for (std::int64_t i = 0; i < count; ++i) images.indices.push_back(i);
  return images;
}

}  // namespace core::likelihood::tests
