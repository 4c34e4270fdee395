// The three diffusions as scalar functions of time, t in [0, 1]: every formula once, for both compilers, float or
// double.
//
// Linear SDE dx = f(t) x dt + g(t) dw with x_t | x_0 ~ N(a(t) x_0, s(t)^2 I); log-SNR lambda = log(a^2/s^2), and always
// g^2/s^2 = -dlambda/dt. VP and VE: Song et al. 2021 (score SDE); sub-VP: the same, appendix B. Where small differences
// matter the forms below keep them: expm1 for 1 - exp(-B), never the subtraction.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/portable.h"

namespace kernels {

enum class SdeKind : std::uint8_t { vp, sub_vp, ve };
/// What the network of VP and sub-VP is told: the time, or the log-SNR (Kingma et al. 2021).
enum class TimeLabel : std::uint8_t { time, log_snr };

struct Sde {
  SdeKind kind = SdeKind::vp;
  double beta_min = 0.1, beta_max = 20;     // VP, sub-VP: beta(t) = beta_min + t (beta_max - beta_min)
  double sigma_min = 0.01, sigma_max = 50;  // VE: s(t) = sigma_min (sigma_max/sigma_min)^t
  TimeLabel label = TimeLabel::time;        // VP, sub-VP
};

template <typename T>
PORTABLE T beta(const Sde& sde, T t) {
  return T(sde.beta_min) + t * T(sde.beta_max - sde.beta_min);
}

/// B(t), the integral of beta from 0 to t.
template <typename T>
PORTABLE T integrated_beta(const Sde& sde, T t) {
  return t * (T(sde.beta_min) + t * T((sde.beta_max - sde.beta_min) / 2));
}

/// a(t): x_t has mean a(t) x_0.
template <typename T>
PORTABLE T mean_coefficient(const Sde& sde, T t) {
  return sde.kind == SdeKind::ve ? T(1) : std::exp(-integrated_beta(sde, t) / 2);
}

/// s(t): the standard deviation of x_t given x_0. (sub-VP: 1 - exp(-B) is the standard deviation, not the variance.)
template <typename T>
PORTABLE T standard_deviation(const Sde& sde, T t) {
  if (sde.kind == SdeKind::ve) {  // double: half an ulp of a float exponent of 8.5 would be 5e-7 of s
    return T(sde.sigma_min * std::exp(static_cast<double>(t) * std::log(sde.sigma_max / sde.sigma_min)));
  }
  const T one_minus = -std::expm1(-integrated_beta(sde, t));
  return sde.kind == SdeKind::vp ? std::sqrt(one_minus) : one_minus;
}

/// f(t), 1/time.
template <typename T>
PORTABLE T drift_coefficient(const Sde& sde, T t) {
  return sde.kind == SdeKind::ve ? T(0) : -beta(sde, t) / 2;
}

/// g(t)^2, 1/time.
template <typename T>
PORTABLE T diffusion_squared(const Sde& sde, T t) {
  if (sde.kind == SdeKind::ve) {
    const T s = standard_deviation(sde, t);
    return T(2 * std::log(sde.sigma_max / sde.sigma_min)) * s * s;
  }
  const T b = beta(sde, t);
  return sde.kind == SdeKind::vp ? b : b * -std::expm1(-2 * integrated_beta(sde, t));
}

/// lambda(t) = log(a^2/s^2), falling in t.
template <typename T>
PORTABLE T log_snr(const Sde& sde, T t) {
  if (sde.kind == SdeKind::ve) return -2 * std::log(standard_deviation(sde, t));
  const T b = integrated_beta(sde, t), log_one_minus = std::log(-std::expm1(-b));
  return sde.kind == SdeKind::vp ? -b - log_one_minus : -b - 2 * log_one_minus;
}

/// -dlambda/dt = g^2/s^2.
template <typename T>
PORTABLE T log_snr_rate(const Sde& sde, T t) {
  const T s = standard_deviation(sde, t);
  return diffusion_squared(sde, t) / (s * s);
}

/// The t at which log_snr is `lambda`: the closed-form inverse.
template <typename T>
PORTABLE T time_of_log_snr(const Sde& sde, T lambda) {
  if (sde.kind == SdeKind::ve) {
    return (-lambda / 2 - T(std::log(sde.sigma_min))) / T(std::log(sde.sigma_max / sde.sigma_min));
  }
  T b;
  if (sde.kind == SdeKind::vp) {
    b = lambda > 0 ? std::log1p(std::exp(-lambda)) : -lambda + std::log1p(std::exp(lambda));  // softplus(-lambda)
  } else {
    b = 2 * std::asinh(std::exp(-lambda / 2) / 2);
  }
  const T low = T(sde.beta_min), rise = T(sde.beta_max - sde.beta_min);
  return 2 * b / (low + std::sqrt(low * low + 2 * rise * b));
}

/// What the network is told about t: s(t) for VE; 999 t for VP and sub-VP (score_sde), or their log-SNR, taken from
/// VDM's range of 13.3 to -5 to 0 to 1000, whatever the ends of this diffusion.
template <typename T>
PORTABLE T time_label(const Sde& sde, T t) {
  if (sde.kind == SdeKind::ve) return standard_deviation(sde, t);
  return sde.label == TimeLabel::time ? T(999) * t : T(1000) * (T(13.3) - log_snr(sde, t)) / T(18.3);
}

/// Standard deviation of the prior N(0, p^2 I) that x_1 is taken for.
PORTABLE double prior_deviation(const Sde& sde) {
  return sde.kind == SdeKind::ve ? sde.sigma_max : 1;
}

/// score = sign * network output / s(t): -1 where the network predicts the noise (VP, sub-VP), +1 for VE (scale by
/// sigma).
PORTABLE float output_sign(const Sde& sde) {
  return sde.kind == SdeKind::ve ? 1.0f : -1.0f;
}

enum class TimeSampling : std::uint8_t { uniform, importance };
enum class Weighting : std::uint8_t { simple, likelihood };

/// How training draws its times in [smallest_time, 1], and what each counts for.
struct TimeLaw {
  Sde sde;
  double smallest_time = 1e-5;
  TimeSampling sampling = TimeSampling::importance;
  Weighting weighting = Weighting::likelihood;
};

/// The time at quantile u of the law: uniform in t, or uniform in log-SNR (the density proportional to g^2/s^2).
PORTABLE double sample_time(const TimeLaw& law, double u) {
  if (law.sampling == TimeSampling::uniform) return law.smallest_time + u * (1 - law.smallest_time);
  const double high = log_snr(law.sde, law.smallest_time), low = log_snr(law.sde, 1.0);
  const double t = time_of_log_snr(law.sde, high + u * (low - high));
  return t < law.smallest_time ? law.smallest_time : t > 1 ? 1 : t;
}

/// Weight of the mean squared noise residual |s score + z|^2 of an image at time t: lambda(t)/s^2 over the density that
/// t was drawn with, constants dropped, so that both samplings minimise the same objective. simple: lambda = s^2.
/// likelihood: lambda = g^2 (ScoreFlow, Theorem 1).
PORTABLE double training_weight(const TimeLaw& law, double t) {
  const bool importance = law.sampling == TimeSampling::importance;
  if (law.weighting == Weighting::likelihood) return importance ? 1.0 : log_snr_rate(law.sde, t);
  if (!importance) return 1.0;
  const double range = log_snr(law.sde, law.smallest_time) - log_snr(law.sde, 1.0);
  return range / ((1 - law.smallest_time) * log_snr_rate(law.sde, t));
}

}  // namespace kernels
