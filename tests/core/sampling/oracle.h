// What tests of samplers share: the noise that an image is drawn with, and how an affine sampler maps it.
#pragma once

#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "core/sampling/sample.h"
#include "kernels/philox.h"
#include "tests/core/likelihood/gaussian.h"
#include "tests/core/likelihood/mixture.h"

namespace core::sampling::tests {

using kernels::Sde;
using kernels::SdeKind;
using likelihood::tests::gaussian_score;
using likelihood::tests::Mixture;

inline const Sde all[] = {{.kind = SdeKind::vp}, {.kind = SdeKind::sub_vp}, {.kind = SdeKind::ve}};
inline constexpr double mean = 0.3, deviation = 0.5;

inline std::vector<std::int64_t> first(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

/// Element i of the standard normals that belong to (seed, index, draw).
inline double normal(std::uint64_t seed, std::int64_t index, std::uint32_t draw, std::uint32_t i) {
  double pair[2];
  kernels::normal_pair(kernels::philox(seed, kernels::Stream::sampling, static_cast<std::uint64_t>(index), i / 2, draw),
                       pair[0], pair[1]);
  return pair[i % 2];
}

/// A Gaussian's moments.
struct Moments {
  double mean, variance;
};

/// The moments of what a sampler without noise of its own makes of its start, where the data are N(0.3, 0.25): the map
/// is affine, so two images whose start is known give it.
inline Moments affine_moments(const Settings& settings) {
  const Samples samples = draw(gaussian_score(settings.sde, mean, deviation, 1, 2), first(2), settings);
  const double z[] = {normal(settings.seed, 0, 0, 0), normal(settings.seed, 1, 0, 0)};
  const double scale = (samples.x[1][0] - samples.x[0][0]) / (z[1] - z[0]);
  return {samples.x[0][0] - scale * z[0], scale * scale};
}

/// One of every kind, with as many steps as it needs to be right to about 1e-2 on all three diffusions.
struct Named {
  const char* name;
  Settings settings;
};
inline std::vector<Named> every_sampler(const Sde& sde) {
  const auto predictor = [](Predictor p, double eta, Corrector::Kind corrector, double snr = 0.16) {
    return PredictorCorrector{.predictor = p, .eta = eta, .corrector = {.kind = corrector, .steps = 1, .snr = snr}};
  };
  using Kind = Corrector::Kind;
  const double eps = sde.kind == SdeKind::sub_vp ? 1e-2 : sde.kind == SdeKind::vp ? 1e-3 : 1e-5;
  const auto fixed = [&](Sampler sampler, Spacing spacing, std::int64_t steps) {
    return Settings{.sde = sde,
                    .smallest_time = eps,
                    .seed = 2,
                    .sampler = sampler,
                    .spacing = spacing,
                    .steps = steps,
                    .progress = {}};
  };
  const auto time = Spacing::uniform_time, snr = Spacing::uniform_log_snr;
  return {
      {"Euler-Maruyama", fixed(predictor(Predictor::euler_maruyama, 0, Kind::none), time, 500)},
      {"reverse diffusion", fixed(predictor(Predictor::reverse_diffusion, 0, Kind::none), time, 500)},
      {"ancestral", fixed(predictor(Predictor::ancestral, 0, Kind::none), time, 500)},
      {"DDIM", fixed(predictor(Predictor::ddim, 0, Kind::none), snr, 200)},
      {"DDIM, eta 1", fixed(predictor(Predictor::ddim, 1, Kind::none), snr, 200)},
      {"Langevin and reverse diffusion", fixed(predictor(Predictor::reverse_diffusion, 0, Kind::annealed), time, 300)},
      {"Langevin and DDIM", fixed(predictor(Predictor::ddim, 0.5, Kind::annealed), snr, 200)},
      {"Heun", fixed(Heun{}, Spacing::rho, 40)},
      {"Heun with churn", fixed(Heun{.churn = 20}, Spacing::rho, 60)},
      {"DPM-Solver++(2M)", fixed(DpmSolver2M{}, snr, 60)},
      {"probability flow", fixed(ProbabilityFlow{.tolerance = 1e-5}, time, 1)},
  };
}

}  // namespace core::sampling::tests
