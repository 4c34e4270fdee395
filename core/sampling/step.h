// The algebra of samplers: levels of noise, the grids of them, and the steps from one to the next.
#pragma once

#include <vector>

#include "core/sampling/sample.h"

namespace core::sampling {

/// A place on the way from noise to data: x_t = a x_0 + s z.
struct Level {
  double t, a, s, log_snr;
  double sigma() const { return s / a; }
};
Level level_at(const kernels::Sde& sde, double t);
/// With s/a = sigma.
Level level_of_sigma(const kernels::Sde& sde, double sigma);

/// From t = 1 to the smallest time: `steps` levels where Tweedie's step follows, one more otherwise.
std::vector<Level> levels(const Settings& settings);

/// x <- x·x + score·S + noise·z with S the score at (x, t) and z standard normal.
struct Step {
  double x = 1, score = 0, noise = 0;
};

/// How x at level `from` came from x at the cleaner level `to`, exactly: x_from | x_to ~ N(alpha x_to, variance I);
/// posterior is the variance of x_to given x_from and x_0.
struct Transition {
  double alpha, variance, posterior = 0;
};
Transition transition(const Level& from, const Level& to);

/// x - dt (f x - g^2 S) + g sqrt(dt) z (Song et al. 2021, appendix E).
Step euler_maruyama(const kernels::Sde& sde, const Level& from, const Level& to);
/// The forward step x + (alpha - 1) x + sqrt(variance) z reversed in its own form (the same, equation 46).
Step reverse_diffusion(const Transition& transition);
/// (x + variance S)/alpha, with noise of the forward variance for VP (DDPM's choice beta) and of the posterior's
/// otherwise (Ho et al. 2020; Song et al. 2021, appendix F; for any a and s Kingma et al. 2021).
Step ancestral(const Transition& transition, kernels::SdeKind kind);
/// a_to x_0 + sqrt(s_to^2 - w^2) noise + w z, x_0 and noise as the score has them, w = eta sqrt(posterior) (Song, Meng
/// and Ermon 2021).
Step ddim(const Level& from, const Level& to, double eta);
/// (x + s^2 S)/a: the mean of x_0 given x.
Step tweedie(const Level& level);
/// x + size S + sqrt(2 size) z.
Step langevin(double size);

}  // namespace core::sampling
