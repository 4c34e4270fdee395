#include <cmath>
#include <limits>

#include "core/sampling/batch.h"
#include "core/sampling/samplers.h"
#include "core/sampling/step.h"

namespace core::sampling {
namespace {

constexpr Level clean{.t = 0, .a = 1, .s = 0, .log_snr = std::numeric_limits<double>::infinity()};

double norm(std::span<const double> values) {
  double squares = 0;
  for (double value : values) squares += value * value;
  return std::sqrt(squares);
}

/// The corrector's steps at level `at`, before the predictor goes on to `next`.
void correct(const Corrector& corrector, const Settings& settings, const Level& at, const Level& next, Batch& batch) {
  if (corrector.kind == Corrector::Kind::none) return;
  const double alpha = settings.sde.kind == kernels::SdeKind::vp ? std::pow(at.a / next.a, 2) : 1;
  for (std::int64_t i = 0; i < corrector.steps; ++i) {
    batch.evaluate(at.t);
    batch.apply([&](std::size_t n, std::span<const double> score, std::span<const double> z) {
      if (corrector.kind == Corrector::Kind::annealed) return langevin(2 * alpha * std::pow(corrector.snr * at.s, 2));
      const double length = norm(score);
      if (length == 0) batch.refuse(n, at.t, "the score is zero and gives Langevin steps no length");
      return langevin(2 * alpha * std::pow(corrector.snr * norm(z) / length, 2));
    });
  }
}

Step predict(const PredictorCorrector& sampler, const kernels::Sde& sde, const Level& from, const Level& to) {
  switch (sampler.predictor) {
    case Predictor::none:
      break;
    case Predictor::euler_maruyama:
      return euler_maruyama(sde, from, to);
    case Predictor::reverse_diffusion:
      return reverse_diffusion(transition(from, to));
    case Predictor::ancestral:
      return ancestral(transition(from, to), sde.kind);
    case Predictor::ddim:
      return ddim(from, to, sampler.eta);
  }
  return {};
}

}  // namespace

Samples run(const PredictorCorrector& sampler, const Score& score, std::span<const std::int64_t> indices,
            const Settings& settings) {
  const std::vector<Level> grid = levels(settings);
  return in_batches(score, indices, settings, [&](Batch& batch, const auto& step_done) {
    for (std::size_t i = 0; i + 1 < grid.size(); ++i) {
      correct(sampler.corrector, settings, grid[i], grid[i + 1], batch);
      if (sampler.predictor != Predictor::none) {
        batch.evaluate(grid[i].t);
        Step step = predict(sampler, settings.sde, grid[i], grid[i + 1]);
        if (settings.finish == Finish::noise_free && i + 2 == grid.size()) step.noise = 0;
        batch.apply(step);
      }
      step_done();
    }
    if (settings.finish == Finish::noise_free) return;
    correct(sampler.corrector, settings, grid.back(), clean, batch);
    batch.evaluate(grid.back().t);
    batch.apply(tweedie(grid.back()));
    step_done();
  });
}

}  // namespace core::sampling
