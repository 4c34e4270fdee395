// The probability-flow ODE dx/dt = f x - g^2 score / 2 with tau = -log-SNR in place of t: there its slope neither
// explodes near the data nor vanishes near the prior.
#pragma once

#include <cmath>

#include "core/likelihood/dormand_prince.h"
#include "core/likelihood/score.h"
#include "kernels/sde.h"

namespace core::likelihood {

/// At one time: dx/dtau = (f/r) x - (s^2/2) score with r = dtau/dt = g^2/s^2.
class Flow {
 public:
  Flow(const kernels::Sde& sde, double t)
      : linear_(kernels::drift_coefficient(sde, t) / kernels::log_snr_rate(sde, t)) {
    const double s = kernels::standard_deviation(sde, t);
    half_variance_ = 0.5 * s * s;
  }
  double slope(double x, double score) const { return linear_ * x - half_variance_ * score; }
  /// Of the slope, from the trace of the score's Jacobian; the linear part exactly.
  double divergence(double dims, double trace) const { return linear_ * dims - half_variance_ * trace; }

 private:
  double linear_, half_variance_;
};

/// tau from smallest_time to 1.
inline Interval flow_interval(const kernels::Sde& sde, double smallest_time) {
  return {-kernels::log_snr(sde, smallest_time), -kernels::log_snr(sde, 1.0)};
}

/// refuse_score for the image whose flow could not be solved.
[[noreturn]] inline void refuse_flow(const Unsolvable& unsolvable, std::int64_t image, double t) {
  refuse_score(image, t,
               unsolvable.obstacle == Obstacle::not_finite ? "the score or its trace is not finite"
               : unsolvable.obstacle == Obstacle::steps_too_small
                   ? "the probability flow needs steps too small to be taken, the score is not smooth (a larger "
                     "ode_tolerance may do)"
                   : "the probability flow is not solved in ode_max_evaluations, the score is rough (a larger "
                     "ode_tolerance or ode_max_evaluations may do)");
}

inline Steps flow_steps(const Interval& interval, std::int64_t max_evaluations) {
  return {.first = (interval.to - interval.from) / 100, .max_evaluations = max_evaluations};
}

}  // namespace core::likelihood
