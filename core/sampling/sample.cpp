#include "core/sampling/sample.h"

#include <algorithm>
#include <cmath>

#include "core/likelihood/dormand_prince.h"
#include "core/likelihood/flow.h"
#include "kernels/check.h"
#include "kernels/philox.h"

namespace core::sampling {
namespace {

using namespace kernels;

/// Standard normals of (seed, index, step); step 0 is the start.
void normals(std::uint64_t seed, std::int64_t index, std::int64_t step, std::span<double> z) {
  for (std::size_t i = 0; i < z.size(); i += 2) {
    double pair[2];
    normal_pair(philox(seed, Stream::sampling, static_cast<std::uint64_t>(index), static_cast<std::uint32_t>(i / 2),
                       static_cast<std::uint32_t>(step)),
                pair[0], pair[1]);
    for (std::size_t j = i; j < std::min(i + 2, z.size()); ++j) z[j] = pair[j - i];
  }
}

void start(const Settings& settings, std::int64_t index, std::span<double> x) {
  normals(settings.seed, index, 0, x);
  for (double& value : x) value *= prior_deviation(settings.sde);
}

/// Tweedie's estimate of the clean image from x at the smallest time: (x + s^2 score)/a.
void denoise(const Score& score, std::span<const std::int64_t> indices, const Settings& settings, Samples& samples) {
  const double t = settings.smallest_time, a = mean_coefficient(settings.sde, t),
               s = standard_deviation(settings.sde, t);
  const auto dims = static_cast<std::size_t>(score.dims), batch = static_cast<std::size_t>(score.batch);
  for (std::size_t first = 0; first < samples.size(); first += batch) {
    const std::size_t count = std::min(batch, samples.size() - first);
    std::vector<double> x, scores(count * dims);
    for (std::size_t n = first; n < first + count; ++n) x.insert(x.end(), samples[n].begin(), samples[n].end());
    score.value(std::vector<double>(count, t), x, scores);
    for (std::size_t n = 0; n < count; ++n) {
      likelihood::require_finite(std::span(scores).subspan(n * dims, dims), indices[first + n], t);
      for (std::size_t i = 0; i < dims; ++i)
        samples[first + n][i] = (x[n * dims + i] + s * s * scores[n * dims + i]) / a;
    }
  }
}

}  // namespace

Samples euler_maruyama(const Score& score, std::span<const std::int64_t> indices, const Settings& settings) {
  const auto dims = static_cast<std::size_t>(score.dims);
  const double dt = (1 - settings.smallest_time) / static_cast<double>(settings.steps);
  Samples samples;
  for (std::size_t first = 0; first < indices.size(); first += static_cast<std::size_t>(score.batch)) {
    const auto batch = indices.subspan(first, std::min(static_cast<std::size_t>(score.batch), indices.size() - first));
    std::vector<double> x(batch.size() * dims), scores(x.size()), z(dims);
    for (std::size_t n = 0; n < batch.size(); ++n) start(settings, batch[n], std::span(x).subspan(n * dims, dims));
    for (std::int64_t step = 0; step < settings.steps; ++step) {
      const double t = 1 - static_cast<double>(step) * dt, f = drift_coefficient(settings.sde, t),
                   g2 = diffusion_squared(settings.sde, t);
      const std::vector<double> times(batch.size(), t);
      score.value(times, x, scores);
      const double noise = step + 1 < settings.steps ? std::sqrt(g2 * dt) : 0;
      for (std::size_t n = 0; n < batch.size(); ++n) {
        likelihood::require_finite(std::span(scores).subspan(n * dims, dims), batch[n], t);
        normals(settings.seed, batch[n], step + 1, z);
        for (std::size_t i = 0; i < dims; ++i) {
          double& value = x[n * dims + i];
          value += -dt * (f * value - g2 * scores[n * dims + i]) + noise * z[i];
        }
      }
      if (settings.progress)
        settings.progress(static_cast<std::int64_t>(first) * settings.steps + (step + 1) * std::ssize(batch),
                          std::ssize(indices) * settings.steps);
    }
    for (std::size_t n = 0; n < batch.size(); ++n)
      samples.emplace_back(x.begin() + static_cast<std::ptrdiff_t>(n * dims),
                           x.begin() + static_cast<std::ptrdiff_t>((n + 1) * dims));
  }
  return samples;
}

Samples probability_flow(const Score& score, std::span<const std::int64_t> indices, const Settings& settings) {
  const Sde& sde = settings.sde;
  const auto dims = static_cast<std::size_t>(score.dims);
  // In log-SNR, which grows as the image becomes clean.
  const likelihood::Interval interval{log_snr(sde, 1.0), log_snr(sde, settings.smallest_time)};
  Samples samples(indices.size());
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
        likelihood::flow_steps(interval, settings.max_evaluations), derivative,
        [&](auto x, auto slope, auto error, double h) {
          return likelihood::rms_error(x, slope, error, h, settings.tolerance);
        },
        [&](std::int64_t i, std::span<double> x) { start(settings, indices[static_cast<std::size_t>(i)], x); },
        [&](std::int64_t i, std::span<const double> x, std::int64_t) {
          samples[static_cast<std::size_t>(i)].assign(x.begin(), x.end());
          if (settings.progress) settings.progress(++done, std::ssize(indices));
        });
  } catch (const likelihood::Unsolvable& unsolvable) {
    likelihood::refuse_flow(unsolvable, indices[static_cast<std::size_t>(unsolvable.problem)],
                            time_of_log_snr(sde, unsolvable.t));
  }
  denoise(score, indices, settings, samples);
  return samples;
}

std::vector<std::uint8_t> to_pixels(std::span<const double> x, const kernels::PixelRange& range) {
  std::vector<std::uint8_t> pixels;
  for (double value : x) {
    ensure(!std::isnan(value), "samplers give numbers");
    pixels.push_back(static_cast<std::uint8_t>(std::clamp(std::floor(range.level(value)), 0.0, 255.0)));
  }
  return pixels;
}

}  // namespace core::sampling
