#include "core/sampling/step.h"

#include <cmath>

namespace core::sampling {

using namespace kernels;

Level level_at(const Sde& sde, double t) {
  return {.t = t, .a = mean_coefficient(sde, t), .s = standard_deviation(sde, t), .log_snr = log_snr(sde, t)};
}

Level level_of_sigma(const Sde& sde, double sigma) {
  return level_at(sde, time_of_log_snr(sde, -2 * std::log(sigma)));
}

std::vector<Level> levels(const Settings& settings) {
  const Sde& sde = settings.sde;
  const Level noisiest = level_at(sde, 1), cleanest = level_at(sde, settings.smallest_time);
  const std::int64_t intervals = settings.finish == Finish::tweedie ? settings.steps - 1 : settings.steps;
  std::vector<Level> result = {noisiest};
  for (std::int64_t i = 1; i < intervals; ++i) {
    const auto between = [way = static_cast<double>(i) / static_cast<double>(intervals)](double from, double to) {
      return from + way * (to - from);
    };
    switch (settings.spacing) {
      case Spacing::uniform_time:
        result.push_back(level_at(sde, between(1, settings.smallest_time)));
        break;
      case Spacing::uniform_log_snr:
        result.push_back(level_at(sde, time_of_log_snr(sde, between(noisiest.log_snr, cleanest.log_snr))));
        break;
      case Spacing::rho:
        const double root = between(std::pow(noisiest.sigma(), 1.0 / 7), std::pow(cleanest.sigma(), 1.0 / 7));
        result.push_back(level_of_sigma(sde, std::pow(root, 7)));
    }
  }
  if (intervals > 0) result.push_back(cleanest);
  return result;
}

Transition transition(const Level& from, const Level& to) {
  const double lost = -std::expm1(from.log_snr - to.log_snr);  // 1 - SNR_from/SNR_to
  return {.alpha = from.a / to.a, .variance = from.s * from.s * lost, .posterior = to.s * to.s * lost};
}

Step euler_maruyama(const Sde& sde, const Level& from, const Level& to) {
  const double dt = from.t - to.t, g2 = diffusion_squared(sde, from.t);
  return {.x = 1 - dt * drift_coefficient(sde, from.t), .score = dt * g2, .noise = std::sqrt(dt * g2)};
}

Step reverse_diffusion(const Transition& transition) {
  return {.x = 2 - transition.alpha, .score = transition.variance, .noise = std::sqrt(transition.variance)};
}

Step ancestral(const Transition& transition, SdeKind kind) {
  return {.x = 1 / transition.alpha,
          .score = transition.variance / transition.alpha,
          .noise = std::sqrt(kind == SdeKind::vp ? transition.variance : transition.posterior)};
}

Step ddim(const Level& from, const Level& to, double eta) {
  const double w2 = eta * eta * transition(from, to).posterior, ratio = to.a / from.a;
  return {.x = ratio,
          .score = from.s * (ratio * from.s - std::sqrt(to.s * to.s - w2)),  // the noise is -s S
          .noise = std::sqrt(w2)};
}

Step tweedie(const Level& level) {
  return {.x = 1 / level.a, .score = level.s * level.s / level.a};
}

Step langevin(double size) {
  return {.score = size, .noise = std::sqrt(2 * size)};
}

}  // namespace core::sampling
