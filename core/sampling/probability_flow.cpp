#include "core/likelihood/dormand_prince.h"
#include "core/likelihood/flow.h"
#include "core/sampling/batch.h"
#include "core/sampling/samplers.h"
#include "core/sampling/step.h"

namespace core::sampling {
namespace {

using namespace kernels;

/// Tweedie's step for images at the smallest time.
void finish(const Score& score, std::span<const std::int64_t> indices, const Settings& settings, Samples& samples) {
  const Level level = level_at(settings.sde, settings.smallest_time);
  std::size_t next = 0;
  const Samples clean = in_batches(score, indices, {.sde = settings.sde}, [&](Batch& batch, const auto&) {
    auto to = batch.x().begin();
    for (std::size_t n = 0; n < batch.images(); ++n, ++next)
      to = std::copy(samples.x[next].begin(), samples.x[next].end(), to);
    batch.evaluate(level.t);
    batch.apply(tweedie(level));
  });
  samples.x = clean.x;
  samples.evaluations += clean.evaluations;
}

}  // namespace

Samples run(const ProbabilityFlow& sampler, const Score& score, std::span<const std::int64_t> indices,
            const Settings& settings) {
  const Sde& sde = settings.sde;
  const auto dims = static_cast<std::size_t>(score.dims);
  // In log-SNR, which grows as the image becomes clean.
  const likelihood::Interval interval{log_snr(sde, 1.0), log_snr(sde, settings.smallest_time)};
  Samples samples{.x = std::vector<std::vector<double>>(indices.size())};
  std::int64_t done = 0;
  std::vector<double> scores, times;
  const auto derivative = [&](std::span<const std::int64_t> problems, std::span<const double> lambda,
                              std::span<const double> x, std::span<double> slope) {
    times.clear();
    for (double value : lambda) times.push_back(time_of_log_snr(sde, value));
    scores.resize(x.size());
    score.value(times, x, scores);
    for (std::size_t n = 0; n < problems.size(); ++n) {
      const likelihood::Flow flow(sde, times[n]);
      for (std::size_t i = n * dims; i < (n + 1) * dims; ++i) slope[i] = -flow.slope(x[i], scores[i]);
    }
  };
  try {
    likelihood::integrate(
        std::ssize(indices), score.batch, score.dims, interval,
        likelihood::flow_steps(interval, sampler.max_evaluations), derivative,
        [&](auto x, auto slope, auto error, double h) {
          return likelihood::rms_error(x, slope, error, h, sampler.tolerance);
        },
        [&](std::int64_t i, std::span<double> x) { start(settings, indices[static_cast<std::size_t>(i)], x); },
        [&](std::int64_t i, std::span<const double> x, std::int64_t evaluations) {
          samples.x[static_cast<std::size_t>(i)].assign(x.begin(), x.end());
          samples.evaluations += evaluations;
          if (settings.progress) settings.progress(++done, std::ssize(indices));
        });
  } catch (const likelihood::Unsolvable& unsolvable) {
    likelihood::refuse_flow(unsolvable, indices[static_cast<std::size_t>(unsolvable.problem)],
                            time_of_log_snr(sde, unsolvable.t));
  }
  if (settings.finish == Finish::tweedie) finish(score, indices, settings, samples);
  return samples;
}

}  // namespace core::sampling
