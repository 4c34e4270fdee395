// Two Gaussians in the plane, whose score is known and whose density is not a Gaussian's.
#pragma once

#include <cmath>
#include <numbers>

#include "core/likelihood/score.h"
#include "kernels/sde.h"

namespace core::likelihood::tests {

/// A mixture of two Gaussians in the plane, with its exact score and the trace of its Jacobian.
struct Mixture {
  kernels::Sde sde;
  static constexpr double means[2][2] = {{-0.5, -0.3}, {0.6, 0.4}}, variances[2] = {0.04, 0.09},
                          weights[2] = {0.4, 0.6};

  /// log p_t(x), its gradient and Laplacian.
  void at(double t, const double* x, double& log_density, double* gradient, double& laplacian) const {
    const double a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t);
    double p = 0, g[2] = {}, l = 0;
    for (int k : {0, 1}) {
      const double v = a * a * variances[k] + s * s, dx = x[0] - a * means[k][0], dy = x[1] - a * means[k][1];
      const double q = weights[k] * std::exp(-(dx * dx + dy * dy) / (2 * v)) / (2 * std::numbers::pi * v);
      p += q;
      g[0] -= q * dx / v;
      g[1] -= q * dy / v;
      l += q * ((dx * dx + dy * dy) / (v * v) - 2 / v);
    }
    log_density = std::log(p);
    gradient[0] = g[0] / p;
    gradient[1] = g[1] / p;
    laplacian = l / p - gradient[0] * gradient[0] - gradient[1] * gradient[1];
  }
  Score score() const {
    const auto both = [m = *this](std::span<const double> t, std::span<const double> x, std::span<double> score,
                                  std::span<double> trace) {
      for (std::size_t n = 0; n < t.size(); ++n) {
        double log_density, laplacian;
        m.at(t[n], &x[2 * n], log_density, &score[2 * n], laplacian);
        if (!trace.empty()) trace[n] = laplacian;
      }
    };
    return {.dims = 2,
            .batch = 50,
            .value = [both](auto t, auto x, auto s) { both(t, x, s, {}); },
            .with_trace = [both](auto t, auto x, auto, auto s, auto trace) { both(t, x, s, trace); }};
  }
};

}  // namespace core::likelihood::tests
