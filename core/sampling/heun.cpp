#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/sampling/batch.h"
#include "core/sampling/samplers.h"
#include "core/sampling/step.h"

namespace core::sampling {
namespace {

/// The noisier level that churn raises `level` to.
Level churned(const Heun& sampler, const Settings& settings, const Level& level, double largest) {
  const double sigma = level.sigma();
  if (sampler.churn == 0 || sigma < sampler.least_sigma || sigma > sampler.largest_sigma) return level;
  const double gamma = std::min(sampler.churn / static_cast<double>(settings.steps), std::numbers::sqrt2 - 1);
  const double raised = std::min(sigma * (1 + gamma), largest);
  return raised > sigma ? level_of_sigma(settings.sde, raised) : level;
}

/// Adds the noise that makes x at `level` one at `raised`: in x/a its variance is the difference of the sigmas'
/// squares.
Step churn(const Heun& sampler, const Level& level, const Level& raised) {
  const double added = std::pow(raised.sigma(), 2) - std::pow(level.sigma(), 2);
  return {.x = raised.a / level.a, .noise = raised.a * sampler.noise * std::sqrt(std::max(added, 0.0))};
}

/// From `from` to `to` by Heun's rule for y = x/a, dy/dsigma = -s score.
void heun_step(const Level& from, const Level& to, Batch& batch) {
  const double h = to.sigma() - from.sigma();
  batch.evaluate(from.t);
  const std::vector<double> x(batch.x().begin(), batch.x().end()), first(batch.score().begin(), batch.score().end());
  batch.apply({.x = to.a / from.a, .score = -to.a * h * from.s});  // Euler's step
  batch.evaluate(to.t);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double slope = -(from.s * first[k] + to.s * batch.score()[k]) / 2;
    batch.x()[k] = to.a * (x[k] / from.a + h * slope);
  }
}

}  // namespace

Samples run(const Heun& sampler, const Score& score, std::span<const std::int64_t> indices, const Settings& settings) {
  const std::vector<Level> grid = levels(settings);
  return in_batches(score, indices, settings, [&](Batch& batch, const auto& step_done) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(settings.steps); ++i) {
      const Level from = churned(sampler, settings, grid[i], grid[0].sigma());
      if (from.t != grid[i].t) batch.apply(churn(sampler, grid[i], from));
      if (i + 1 < grid.size()) {
        heun_step(from, grid[i + 1], batch);
      } else {
        batch.evaluate(from.t);
        batch.apply(tweedie(from));
      }
      step_done();
    }
  });
}

}  // namespace core::sampling
