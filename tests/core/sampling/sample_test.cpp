#include "core/sampling/sample.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "core/likelihood/estimate.h"
#include "kernels/check.h"
#include "tests/core/likelihood/gaussian.h"
#include "tests/core/likelihood/mixture.h"

namespace core::sampling {
namespace {

using kernels::Sde;
using kernels::SdeKind;
using likelihood::tests::gaussian_score;

const Sde all[] = {{.kind = SdeKind::vp}, {.kind = SdeKind::sub_vp}, {.kind = SdeKind::ve}};
constexpr double mean = 0.3, deviation = 0.5;

std::vector<std::int64_t> first(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

void expect_moments(const Samples& samples, double expected_mean, double expected_variance) {
  double sum = 0, squares = 0, n = 0;
  for (const auto& sample : samples) {
    for (double x : sample) sum += x, squares += x * x, ++n;
  }
  EXPECT_NEAR(sum / n, expected_mean, 3.5 * std::sqrt(expected_variance / n) + 1e-4);
  EXPECT_NEAR(squares / n - std::pow(sum / n, 2), expected_variance, 3.5 * expected_variance * std::sqrt(2 / n) + 1e-4);
}

TEST(EulerMaruyama, MovesAGaussianAsItsAffineStepsSay) {
  for (const Sde& sde : all) {
    const Settings settings{.sde = sde, .smallest_time = 1e-3, .seed = 1, .steps = 200};
    double m = 0, v = std::pow(kernels::prior_deviation(sde), 2);
    const double dt = (1 - settings.smallest_time) / 200;
    for (int step = 0; step < 200; ++step) {
      const double t = 1 - step * dt, f = kernels::drift_coefficient(sde, t), g2 = kernels::diffusion_squared(sde, t),
                   a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t);
      const double total = a * a * deviation * deviation + s * s, c = 1 - dt * (f + g2 / total);
      m = c * m + dt * g2 * a * mean / total;
      v = c * c * v + (step + 1 < 200 ? g2 * dt : 0);
    }
    expect_moments(euler_maruyama(gaussian_score(sde, mean, deviation, 40, 64), first(5000), settings), m, v);
  }
}

TEST(EulerMaruyama, AddsNoNoiseInItsLastStep) {
  // With a score of zero a single step only scales the start: 1 + beta(1) dt / 2 = 11 at dt = 1.
  const auto zero =
      likelihood::Score{.dims = 500,
                        .batch = 8,
                        .value = [](auto, auto, std::span<double> s) { std::fill(s.begin(), s.end(), 0.0); },
                        .with_trace = {}};
  expect_moments(euler_maruyama(zero, first(40), {.sde = all[0], .smallest_time = 1e-9, .seed = 1, .steps = 1}), 0,
                 121);
}

TEST(EulerMaruyama, ApproachesTheData) {
  expect_moments(euler_maruyama(gaussian_score(all[0], mean, deviation, 20, 64), first(500),
                                {.sde = all[0], .seed = 1, .steps = 1000}),
                 0.3, 0.25 + 2e-3);
}

TEST(ProbabilityFlow, MovesAGaussianAsItsClosedFormSays) {
  for (const Sde& sde : all) {
    const double eps = 1e-3;
    const Settings settings{.sde = sde, .smallest_time = eps, .seed = 1, .tolerance = 1e-6};
    const double a1 = kernels::mean_coefficient(sde, 1.0), s1 = kernels::standard_deviation(sde, 1.0),
                 ae = kernels::mean_coefficient(sde, eps), se = kernels::standard_deviation(sde, eps);
    const double v1 = a1 * a1 * deviation * deviation + s1 * s1, ve = ae * ae * deviation * deviation + se * se;
    // The flow is affine; then Tweedie's step (x + s^2 score)/a.
    const double scale = std::sqrt(ve / v1), tweedie = (1 - se * se / ve) / ae;
    const double m = tweedie * (ae * mean + scale * (0 - a1 * mean)) + se * se * mean / ve,
                 p = kernels::prior_deviation(sde);
    const Samples samples = probability_flow(gaussian_score(sde, mean, deviation, 40, 64), first(500), settings);
    expect_moments(samples, m, std::pow(tweedie * scale * p, 2));
  }
}

TEST(ProbabilityFlow, ComesBackFromWhereTheLikelihoodWent) {
  const Sde& sde = all[0];
  const double eps = 1e-3;
  const auto score = gaussian_score(sde, mean, deviation, 3, 4);
  const Samples samples =
      probability_flow(score, first(4), {.sde = sde, .smallest_time = eps, .seed = 1, .tolerance = 1e-9});
  // Undo Tweedie's step, go forward, and compare with the samples' starting noise drawn again from longer runs.
  std::vector<std::vector<double>> latents(4);
  const double ae = kernels::mean_coefficient(sde, eps), se = kernels::standard_deviation(sde, eps),
               ve = ae * ae * deviation * deviation + se * se;
  likelihood::ode_continuous(
      score, {.sde = sde, .smallest_time = eps, .ode_tolerance = 1e-9}, 4,
      [&](std::int64_t i, std::span<double> x, std::span<double> v) {
        for (std::size_t d = 0; d < 3; ++d) {
          x[d] = (samples[static_cast<std::size_t>(i)][d] * ae - se * se * ae * mean / ve) / (1 - se * se / ve);
          v[d] = 1;
        }
      },
      [&](std::int64_t i, std::span<const double> x) {
        latents[static_cast<std::size_t>(i)].assign(x.begin(), x.end());
      });
  const Samples start = euler_maruyama(
      likelihood::Score{.dims = 3,
                        .batch = 4,
                        .value = [](auto, auto, std::span<double> s) { std::fill(s.begin(), s.end(), 0.0); },
                        .with_trace = {}},
      first(4), {.sde = {.kind = SdeKind::vp, .beta_min = 1e-12, .beta_max = 2e-12}, .seed = 1, .steps = 1});
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t d = 0; d < 3; ++d) EXPECT_NEAR(latents[i][d], start[i][d], 1e-6);
  }
}

TEST(ProbabilityFlow, HasTheGoldenLimit) {
  // N(0.3, 0.25) at eps = 1e-4 before Tweedie's step: mean 0.2990127, variance 0.2500157. The flow is affine, so two
  // samples whose noise is known give both.
  const Sde& sde = all[0];
  const double eps = 1e-4, ae = kernels::mean_coefficient(sde, eps), se = kernels::standard_deviation(sde, eps),
               ve = ae * ae * deviation * deviation + se * se;
  const auto at_eps = [&](double x) { return (x * ae - se * se * ae * mean / ve) / (1 - se * se / ve); };
  const auto standing = likelihood::Score{
      .dims = 1,
      .batch = 2,
      .value = [](auto, auto, std::span<double> score) { std::fill(score.begin(), score.end(), 0.0); },
      .with_trace = {}};
  const Sde still{.kind = SdeKind::vp, .beta_min = 1e-12, .beta_max = 2e-12};
  const Samples z = euler_maruyama(standing, first(2), {.sde = still, .seed = 1, .steps = 1});
  const Samples x = probability_flow(gaussian_score(sde, mean, deviation, 1, 2), first(2),
                                     {.sde = sde, .smallest_time = eps, .seed = 1, .tolerance = 1e-10});
  const double scale = (at_eps(x[1][0]) - at_eps(x[0][0])) / (z[1][0] - z[0][0]);
  EXPECT_NEAR(scale * scale, 0.2500157, 1e-7);
  EXPECT_NEAR(at_eps(x[0][0]) - scale * z[0][0], 0.2990127, 1e-7);
}

TEST(Sampling, FindsBothModesWithTheirWeightsMeansAndSpreads) {
  using likelihood::tests::Mixture;
  for (const auto& draw : {euler_maruyama, probability_flow}) {
    const Mixture mixture{all[0]};
    const double n = 4000;
    const Samples samples = draw(mixture.score(), first(4000),
                                 {.sde = all[0], .smallest_time = 1e-3, .seed = 2, .steps = 500, .tolerance = 1e-5});
    // By the nearer mode, measured in its own spread: the modes are 4 to 6 deviations apart.
    double count[2] = {}, sum[2][2] = {}, squares[2] = {};
    for (const auto& x : samples) {
      double distance[2];
      for (int k : {0, 1})
        distance[k] = (std::pow(x[0] - Mixture::means[k][0], 2) + std::pow(x[1] - Mixture::means[k][1], 2)) /
                      Mixture::variances[k];
      const int k = distance[0] < distance[1] ? 0 : 1;
      ++count[k];
      for (int d : {0, 1}) sum[k][d] += x[static_cast<std::size_t>(d)];
      squares[k] += distance[k] * Mixture::variances[k];
    }
    double chi_squared = 0;
    for (int k : {0, 1}) {
      const double expected = n * Mixture::weights[k];
      chi_squared += std::pow(count[k] - expected, 2) / expected;
      const double error = std::sqrt(Mixture::variances[k] / count[k]);
      for (int d : {0, 1}) EXPECT_NEAR(sum[k][d] / count[k], Mixture::means[k][d], 4 * error + 4e-3);
      EXPECT_NEAR(squares[k] / (2 * count[k]) / Mixture::variances[k], 1, 4 / std::sqrt(count[k]) + 0.02);
    }
    EXPECT_LT(chi_squared, 10.8);  // one degree of freedom, 0.1%
  }
}

void expect_refusal(const std::function<Samples()>& draw, const std::string& where) {
  try {
    draw();
    ADD_FAILURE() << "was drawn";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, likelihood::score_status);
    EXPECT_NE(std::string(error.what()).find(where), std::string::npos) << error.what();
  }
}

TEST(Sampling, RefusesAScoreThatIsNotFinite) {
  const Settings settings{.sde = all[0], .steps = 10};
  for (const auto& draw : {euler_maruyama, probability_flow}) {
    likelihood::Score never = gaussian_score(all[0], mean, deviation, 2, 2);
    never.value = [](auto, auto, std::span<double> out) { std::fill(out.begin(), out.end(), std::nan("")); };
    expect_refusal([&] { return draw(never, first(3), settings); }, "image 0 at t = 1:");

    // Only in the last call: for the flow Tweedie's, of the third image, alone in its batch of two.
    int calls = 0, last = -1;
    likelihood::Score late = gaussian_score(all[0], mean, deviation, 2, 2);
    late.value = [&, good = late.value](auto t, auto x, std::span<double> out) {
      good(t, x, out);
      if (calls++ == last) out.back() = std::nan("");
    };
    draw(late, first(3), settings);
    last = calls - 1, calls = 0;
    expect_refusal([&] { return draw(late, first(3), settings); }, "image 2 at t = 0.");
  }
}

TEST(ProbabilityFlow, RefusesAScoreThatTakesTooManyEvaluations) {
  const Settings settings{.sde = all[0], .max_evaluations = 20};
  expect_refusal([&] { return probability_flow(gaussian_score(all[0], mean, deviation, 2, 2), first(3), settings); },
                 "ode_max_evaluations");
}

TEST(Sampling, AnImageDoesNotDependOnItsBatch) {
  const Sde& sde = all[0];
  const std::vector<std::int64_t> some = {5, 9}, other = {9, 100, 101};
  for (const auto& draw : {euler_maruyama, probability_flow}) {
    const Settings settings{.sde = sde, .seed = 1, .steps = 20};
    EXPECT_EQ(draw(gaussian_score(sde, mean, deviation, 5, 2), some, settings)[1],
              draw(gaussian_score(sde, mean, deviation, 5, 1), other, settings)[0]);
  }
}

TEST(ToPixels, UndoesDequantisation) {
  std::vector<std::uint8_t> pixels(256);
  std::iota(pixels.begin(), pixels.end(), 0);
  std::vector<double> x(256);
  likelihood::dequantise(pixels, 1, 2, 3, x);
  EXPECT_EQ(to_pixels(x), pixels);
  EXPECT_EQ(to_pixels(std::vector<double>{-7, 7}), (std::vector<std::uint8_t>{0, 255}));
}

}  // namespace
}  // namespace core::sampling
