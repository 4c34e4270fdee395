#include <cmath>

#include "core/sampling/batch.h"
#include "core/sampling/samplers.h"
#include "core/sampling/step.h"

namespace core::sampling {

Samples run(const DpmSolver2M&, const Score& score, std::span<const std::int64_t> indices, const Settings& settings) {
  const std::vector<Level> grid = levels(settings);
  return in_batches(score, indices, settings, [&](Batch& batch, const auto& step_done) {
    std::vector<double> clean, previous;  // estimates of x_0, at this level and at the last
    double previous_h = 0;
    for (std::size_t i = 0; i + 1 < grid.size(); ++i) {
      const Level &from = grid[i], &to = grid[i + 1];
      const double h = (to.log_snr - from.log_snr) / 2;  // in log(a/s)
      // The estimate in the middle of the step, extrapolated from the last two; the first step has one only.
      const double beyond = i == 0 ? 0 : h / (2 * previous_h);
      const Step estimate = tweedie(from);
      batch.evaluate(from.t);
      previous.swap(clean);
      clean.resize(batch.x().size());
      previous.resize(clean.size());
      for (std::size_t k = 0; k < clean.size(); ++k) {
        double& x = batch.x()[k];
        clean[k] = estimate.x * x + estimate.score * batch.score()[k];
        x = to.s / from.s * x - to.a * std::expm1(-h) * (clean[k] + beyond * (clean[k] - previous[k]));
      }
      previous_h = h;
      step_done();
    }
    if (settings.finish == Finish::noise_free) return;
    batch.evaluate(grid.back().t);
    batch.apply(tweedie(grid.back()));
    step_done();
  });
}

}  // namespace core::sampling
