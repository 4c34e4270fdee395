#include <cmath>
#include <numbers>

#include "core/likelihood/dormand_prince.h"
#include "core/likelihood/estimate.h"
#include "core/likelihood/flow.h"
#include "kernels/philox.h"

namespace core::likelihood {
namespace {

using namespace kernels;

/// The problem's state is x[dims] and then L, the change of log-density so far.
class AugmentedFlow {
 public:
  AugmentedFlow(const Score& score, const Settings& settings, std::int64_t count)
      : score_(score),
        settings_(settings),
        dims_(static_cast<std::size_t>(score.dims)),
        probes_(static_cast<std::size_t>(count)) {}

  std::vector<double>& probe(std::int64_t problem) { return probes_[static_cast<std::size_t>(problem)]; }

  void derivative(std::span<const std::int64_t> problems, std::span<const double> tau, std::span<const double> state,
                  std::span<double> slope) {
    const std::size_t n = problems.size(), width = dims_ + 1;
    times_.clear();
    x_.clear();
    v_.clear();
    for (std::size_t i = 0; i < n; ++i) {
      times_.push_back(time_of_log_snr(settings_.sde, -tau[i]));
      x_.insert(x_.end(), state.begin() + static_cast<std::ptrdiff_t>(i * width),
                state.begin() + static_cast<std::ptrdiff_t>(i * width + dims_));
      const auto& probe = probes_[static_cast<std::size_t>(problems[i])];
      v_.insert(v_.end(), probe.begin(), probe.end());
    }
    scores_.resize(x_.size());
    trace_.resize(n);
    score_.with_trace(times_, x_, v_, scores_, trace_);
    for (std::size_t i = 0; i < n; ++i) {
      const Flow flow(settings_.sde, times_[i]);
      for (std::size_t d = 0; d < dims_; ++d)
        slope[i * width + d] = flow.slope(x_[i * dims_ + d], scores_[i * dims_ + d]);
      slope[i * width + dims_] = flow.divergence(static_cast<double>(dims_), trace_[i]);
    }
  }

  /// x by its root mean square, L by itself: its tolerance is that of the figure in nats per dimension.
  double norm(std::span<const double> state, std::span<const double> slope, std::span<const double> error,
              double h) const {
    const double x = rms_error(state.first(dims_), slope.first(dims_), error.first(dims_), h, settings_.ode_tolerance);
    const double l =
        std::abs(error[dims_]) / (settings_.ode_tolerance * (static_cast<double>(dims_) + std::abs(state[dims_])));
    return std::max(x, l);
  }

 private:
  const Score& score_;
  const Settings& settings_;
  std::size_t dims_;
  std::vector<std::vector<double>> probes_;  // of the problems on their way
  std::vector<double> times_, x_, v_, scores_, trace_;
};

double log_prior(const Sde& sde, std::span<const double> x) {
  const double p = prior_deviation(sde);
  double squares = 0;
  for (double value : x) squares += value * value;
  return -0.5 * static_cast<double>(x.size()) * std::log(2 * std::numbers::pi * p * p) - 0.5 * squares / (p * p);
}

/// +1 or -1 with equal probability, a pure function of (seed, index, pass).
void rademacher(std::uint64_t seed, std::int64_t index, std::int64_t pass, std::span<double> v) {
  for (std::size_t i = 0; i < v.size(); ++i) {
    const auto words = philox(seed, Stream::probe, static_cast<std::uint64_t>(index),
                              static_cast<std::uint32_t>(i / 128), static_cast<std::uint32_t>(1 + pass));
    v[i] = (words.word[i / 32 % 4] >> (i % 32) & 1) ? 1 : -1;
  }
}

}  // namespace

std::vector<OdeResult> ode_continuous(
    const Score& score, const Settings& settings, std::int64_t count,
    const std::function<void(std::int64_t i, std::span<double> x, std::span<double> probe)>& start,
    const std::function<void(std::int64_t i, std::span<const double> latent)>& latent) {
  AugmentedFlow flow(score, settings, count);
  const auto dims = static_cast<std::size_t>(score.dims);
  const Interval interval = flow_interval(settings.sde, settings.smallest_time);
  std::vector<OdeResult> results(static_cast<std::size_t>(count));
  std::int64_t done = 0;
  integrate(
      count, score.batch, score.dims + 1, interval, flow_steps(interval, settings.ode_max_evaluations),
      [&](auto problems, auto tau, auto state, auto slope) { flow.derivative(problems, tau, state, slope); },
      [&](auto state, auto slope, auto error, double h) { return flow.norm(state, slope, error, h); },
      [&](std::int64_t i, std::span<double> state) {
        flow.probe(i).resize(dims);
        start(i, state.first(dims), flow.probe(i));
        state[dims] = 0;
      },
      [&](std::int64_t i, std::span<const double> state, std::int64_t evaluations) {
        results[static_cast<std::size_t>(i)] = {-(log_prior(settings.sde, state.first(dims)) + state[dims]),
                                                evaluations};
        if (latent) latent(i, state.first(dims));
        flow.probe(i) = {};
        if (settings.progress) settings.progress(++done, count);
      });
  return results;
}

std::vector<OdeLikelihood> ode(const Score& score, const Images& images, const Settings& settings) {
  const std::int64_t passes = settings.passes;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images.dims));
  const auto start = [&](std::int64_t i, std::span<double> x, std::span<double> probe) {
    const std::int64_t index = images.indices[static_cast<std::size_t>(i / passes)];
    images.read(index, pixels);
    dequantise(pixels, settings.seed, index, i % passes, x, settings.range);
    rademacher(settings.seed, index, i % passes, probe);
  };
  std::vector<OdeResult> results;
  try {
    results = ode_continuous(score, settings, std::ssize(images.indices) * passes, start, {});
  } catch (const Unsolvable& unsolvable) {
    refuse_flow(unsolvable, images.indices[static_cast<std::size_t>(unsolvable.problem / passes)],
                time_of_log_snr(settings.sde, -unsolvable.t));
  }
  std::vector<OdeLikelihood> likelihoods;
  for (std::size_t image = 0; image < images.indices.size(); ++image) {
    OdeLikelihood& mean = likelihoods.emplace_back(OdeLikelihood{.index = images.indices[image]});
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      const OdeResult& result = results[image * static_cast<std::size_t>(passes) + static_cast<std::size_t>(pass)];
      mean.bits += bits_per_dim(result.nats, images.dims, settings.range) / static_cast<double>(passes);
      mean.evaluations += static_cast<double>(result.evaluations) / static_cast<double>(passes);
    }
  }
  return likelihoods;
}

}  // namespace core::likelihood
