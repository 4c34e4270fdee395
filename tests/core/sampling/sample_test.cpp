#include "core/sampling/sample.h"

#include <gtest/gtest.h>

#include <functional>

#include "core/likelihood/estimate.h"
#include "kernels/check.h"
#include "tests/core/sampling/oracle.h"

namespace core::sampling::tests {
namespace {

const Sampler flow = ProbabilityFlow{.tolerance = 1e-9};

Settings noise_free(const Sde& sde, Sampler sampler, double smallest_time, std::int64_t steps) {
  return {.sde = sde,
          .smallest_time = smallest_time,
          .seed = 1,
          .sampler = sampler,
          .finish = Finish::noise_free,
          .steps = steps,
          .progress = {}};
}

void expect_moments(const Samples& samples, double expected_mean, double expected_variance) {
  double sum = 0, squares = 0, n = 0;
  for (const auto& sample : samples.x) {
    for (double x : sample) sum += x, squares += x * x, ++n;
  }
  EXPECT_NEAR(sum / n, expected_mean, 3.5 * std::sqrt(expected_variance / n) + 1e-4);
  EXPECT_NEAR(squares / n - std::pow(sum / n, 2), expected_variance, 3.5 * expected_variance * std::sqrt(2 / n) + 1e-4);
}

TEST(EulerMaruyama, MovesAGaussianAsItsAffineStepsSay) {
  for (const Sde& sde : all) {
    double m = 0, v = std::pow(kernels::prior_deviation(sde), 2);
    const double dt = (1 - 1e-3) / 200;
    for (int step = 0; step < 200; ++step) {
      const double t = 1 - step * dt, f = kernels::drift_coefficient(sde, t), g2 = kernels::diffusion_squared(sde, t),
                   a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t);
      const double total = a * a * deviation * deviation + s * s, c = 1 - dt * (f + g2 / total);
      m = c * m + dt * g2 * a * mean / total;
      v = c * c * v + (step + 1 < 200 ? g2 * dt : 0);
    }
    expect_moments(draw(gaussian_score(sde, mean, deviation, 40, 64), first(5000),
                        noise_free(sde, PredictorCorrector{}, 1e-3, 200)),
                   m, v);
  }
}

/// One image of one dimension by the field's formulas, its noise drawn as the sampler draws it.
double by_hand(const PredictorCorrector& sampler, const Settings& settings, std::int64_t index) {
  const Sde& sde = settings.sde;
  std::uint32_t next = 0;
  const auto noise = [&] { return normal(settings.seed, index, next++, 0); };
  double x = kernels::prior_deviation(sde) * noise();
  const auto score = [&](double t) {
    const double a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t);
    return -(x - a * mean) / (a * a * deviation * deviation + s * s);
  };
  const auto correct = [&](double t, double a_next) {
    if (sampler.corrector.kind == Corrector::Kind::none) return;
    const double a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t),
                 alpha = sde.kind == SdeKind::vp ? a * a / (a_next * a_next) : 1;
    for (int k = 0; k < sampler.corrector.steps; ++k) {
      const double z = noise(), g = score(t),
                   reach = sampler.corrector.kind == Corrector::Kind::annealed ? s : std::abs(z) / std::abs(g);
      const double e = 2 * alpha * std::pow(sampler.corrector.snr * reach, 2);
      x += e * g + std::sqrt(2 * e) * z;
    }
  };
  const std::int64_t intervals = settings.steps - 1;
  const double dt = (1 - settings.smallest_time) / static_cast<double>(intervals);
  for (std::int64_t i = 0; i < intervals; ++i) {
    const double t = 1 - static_cast<double>(i) * dt, r = t - dt;
    const double a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t),
                 a_r = kernels::mean_coefficient(sde, r), s_r = kernels::standard_deviation(sde, r),
                 c = 1 - std::pow(a * s_r / (s * a_r), 2), g2 = kernels::diffusion_squared(sde, t);
    correct(t, a_r);
    if (sampler.predictor == Predictor::none) continue;
    const double z = noise(), g = score(t), b = s * s * c, alpha = a / a_r;
    switch (sampler.predictor) {
      case Predictor::euler_maruyama:
        x += -dt * (kernels::drift_coefficient(sde, t) * x - g2 * g) + std::sqrt(g2 * dt) * z;
        break;
      case Predictor::reverse_diffusion:
        x = x - (alpha - 1) * x + b * g + std::sqrt(b) * z;
        break;
      case Predictor::ancestral:
        x = (x + b * g) / alpha + (sde.kind == SdeKind::vp ? std::sqrt(b) : s_r * std::sqrt(c)) * z;
        break;
      default: {
        const double w = sampler.eta * s_r * std::sqrt(c);
        x = a_r * (x + s * s * g) / a + std::sqrt(s_r * s_r - w * w) * (-s * g) + w * z;
      }
    }
  }
  const double t = settings.smallest_time, a = kernels::mean_coefficient(sde, t),
               s = kernels::standard_deviation(sde, t);
  correct(t, 1);
  return (x + s * s * score(t)) / a;
}

TEST(PredictorCorrector, IsTheFieldsFormulasStepByStep) {
  using Kind = Corrector::Kind;
  for (const Sde& sde : all) {
    for (Predictor predictor : {Predictor::none, Predictor::euler_maruyama, Predictor::reverse_diffusion,
                                Predictor::ancestral, Predictor::ddim}) {
      for (Kind kind : {Kind::none, Kind::langevin, Kind::annealed}) {
        if (predictor == Predictor::none && kind == Kind::none) continue;
        const PredictorCorrector sampler{
            .predictor = predictor, .eta = 0.6, .corrector = {.kind = kind, .steps = 2, .snr = 0.1}};
        Settings settings = noise_free(sde, sampler, 0.01, 12);
        settings.finish = Finish::tweedie;
        const Samples samples = draw(gaussian_score(sde, mean, deviation, 1, 3), first(4), settings);
        const std::int64_t corrections = kind == Kind::none ? 0 : 2, predictions = predictor == Predictor::none ? 0 : 1;
        EXPECT_EQ(samples.evaluations, 4 * (12 * corrections + 11 * predictions + 1));
        for (std::int64_t n = 0; n < 4; ++n) {
          const double expected = by_hand(sampler, settings, n);
          EXPECT_NEAR(samples.x[static_cast<std::size_t>(n)][0], expected, 1e-9 * (1 + std::abs(expected)));
        }
      }
    }
  }
}

TEST(Sampling, AddsNoNoiseInItsLastStep) {
  // With a score of zero a single step only scales the start: 1 + beta(1) dt / 2 = 11 at dt = 1.
  const auto zero =
      likelihood::Score{.dims = 500,
                        .batch = 8,
                        .value = [](auto, auto, std::span<double> s) { std::fill(s.begin(), s.end(), 0.0); },
                        .with_trace = {}};
  expect_moments(draw(zero, first(40), noise_free(all[0], PredictorCorrector{}, 1e-9, 1)), 0, 121);
}

TEST(Langevin, HasTheStationaryVarianceOfItsStep) {
  // x += e S + sqrt(2 e) z on N(0, 0.7) with e = 0.1: 0.7/(1 - 0.1/1.4) = 0.75384615. On VE with s = 0.9 everywhere;
  // Tweedie's step then multiplies by 1 - 0.81/0.7.
  const Sde still{.kind = SdeKind::ve, .sigma_min = 0.9 * (1 - 1e-12), .sigma_max = 0.9};
  const auto variance = [&](const Corrector& corrector) {
    Settings settings =
        noise_free(still, PredictorCorrector{.predictor = Predictor::none, .corrector = corrector}, 1e-9, 1);
    settings.finish = Finish::tweedie;
    const auto score = likelihood::Score{.dims = 400,
                                         .batch = 64,
                                         .value =
                                             [](auto, std::span<const double> x, std::span<double> s) {
                                               for (std::size_t i = 0; i < x.size(); ++i) s[i] = -x[i] / 0.7;
                                             },
                                         .with_trace = {}};
    double squares = 0;
    for (const auto& x : draw(score, first(500), settings).x) {
      for (double value : x) squares += value * value / 200e3;
    }
    return squares / std::pow(1 - 0.81 / 0.7, 2);
  };
  EXPECT_NEAR(variance({.kind = Corrector::Kind::annealed, .steps = 60, .snr = std::sqrt(0.05) / 0.9}), 0.75384615,
              3.5 * 0.75384615 * std::sqrt(2 / 200e3));
  // By norms: |z|^2 is about d and |S|^2 about d v/0.49, so e is about 2 snr^2 0.49/v and v = 0.7/(1 - e/1.4), which is
  // 0.7 (1 + snr^2).
  EXPECT_NEAR(variance({.kind = Corrector::Kind::langevin, .steps = 100, .snr = 0.2}), 0.7 * 1.04,
              3.5 * 0.7 * std::sqrt(2 / 200e3) + 4e-3);
}

/// Karras et al. 2022, algorithm 2, for one image of one dimension on VE.
double heun_by_hand(const Heun& heun, const Settings& settings, std::int64_t index) {
  std::uint32_t next = 0;
  const Sde& sde = settings.sde;
  const auto n = static_cast<double>(settings.steps);
  const double low = kernels::standard_deviation(sde, settings.smallest_time), high = sde.sigma_max;
  const auto denoised = [](double x, double sigma) {
    return x - sigma * sigma * (x - mean) / (deviation * deviation + sigma * sigma);
  };
  double x = high * normal(settings.seed, index, next++, 0);
  for (int i = 0; i < settings.steps; ++i) {
    const auto sigma_of = [&](int k) {
      return k == settings.steps
                 ? 0
                 : std::pow(std::pow(high, 1 / 7.0) + k / (n - 1) * (std::pow(low, 1 / 7.0) - std::pow(high, 1 / 7.0)),
                            7.0);
    };
    const double sigma = sigma_of(i), to = sigma_of(i + 1);
    double gamma =
        sigma >= heun.least_sigma && sigma <= heun.largest_sigma ? std::min(heun.churn / n, std::sqrt(2.0) - 1) : 0;
    gamma = std::min(gamma, high / sigma - 1);
    const double raised = sigma * (1 + gamma);
    if (gamma > 1e-12)
      x += std::sqrt(raised * raised - sigma * sigma) * heun.noise * normal(settings.seed, index, next++, 0);
    const double slope = (x - denoised(x, raised)) / raised, euler = x + (to - raised) * slope;
    ++next;
    x = to == 0 ? euler : x + (to - raised) * (slope + (euler - denoised(euler, to)) / to) / 2;
  }
  return x;
}

TEST(Heun, IsTheAlgorithmStepByStep) {
  for (const Heun& heun : {Heun{}, Heun{.churn = 40}, Heun{.churn = 4, .least_sigma = 0.05, .largest_sigma = 30},
                           Heun{.churn = 10, .noise = 1.007}}) {
    const Settings settings{.sde = {.kind = SdeKind::ve, .sigma_min = 0.002, .sigma_max = 80},
                            .smallest_time = 1e-13,
                            .seed = 3,
                            .sampler = heun,
                            .spacing = Spacing::rho,
                            .steps = 18,
                            .progress = {}};
    const Samples samples = draw(gaussian_score(settings.sde, mean, deviation, 1, 2), first(3), settings);
    for (std::int64_t n = 0; n < 3; ++n)
      EXPECT_NEAR(samples.x[static_cast<std::size_t>(n)][0], heun_by_hand(heun, settings, n), 1e-7);
  }
}

TEST(ProbabilityFlow, MovesAGaussianAsItsClosedFormSays) {
  for (const Sde& sde : all) {
    const double eps = 1e-3;
    Settings settings = noise_free(sde, ProbabilityFlow{.tolerance = 1e-8}, eps, 1);
    settings.finish = Finish::tweedie;
    const double a1 = kernels::mean_coefficient(sde, 1.0), s1 = kernels::standard_deviation(sde, 1.0),
                 ae = kernels::mean_coefficient(sde, eps), se = kernels::standard_deviation(sde, eps);
    const double v1 = a1 * a1 * deviation * deviation + s1 * s1, ve = ae * ae * deviation * deviation + se * se;
    // The flow is affine; then Tweedie's step (x + s^2 score)/a.
    const double scale = std::sqrt(ve / v1), tweedie = (1 - se * se / ve) / ae;
    const Moments found = affine_moments(settings);
    EXPECT_NEAR(found.mean, tweedie * (ae * mean + scale * (0 - a1 * mean)) + se * se * mean / ve, 1e-6);
    EXPECT_NEAR(found.variance, std::pow(tweedie * scale * kernels::prior_deviation(sde), 2), 1e-6);
  }
}

TEST(ProbabilityFlow, ComesBackFromWhereTheLikelihoodWent) {
  const Sde& sde = all[0];
  const auto score = gaussian_score(sde, mean, deviation, 3, 4);
  const Samples samples = draw(score, first(4), noise_free(sde, flow, 1e-3, 1));
  likelihood::ode_continuous(
      score, {.sde = sde, .smallest_time = 1e-3, .ode_tolerance = 1e-9}, 4,
      [&](std::int64_t i, std::span<double> x, std::span<double> v) {
        for (std::size_t d = 0; d < 3; ++d) x[d] = samples.x[static_cast<std::size_t>(i)][d], v[d] = 1;
      },
      [&](std::int64_t i, std::span<const double> latent) {
        for (std::uint32_t d = 0; d < 3; ++d) EXPECT_NEAR(latent[d], normal(1, i, 0, d), 1e-6);
      });
}

TEST(EverySampler, FindsBothModesWithTheirWeightsMeansAndSpreads) {
  for (const Sde& sde : all) {
    for (const auto& [name, settings] : every_sampler(sde)) {
      SCOPED_TRACE(name);
      const double n = 3000;
      const Samples samples = draw(Mixture{sde}.score(), first(3000), settings);
      // By the nearer mode, measured in its own spread: the modes are 4 to 6 deviations apart.
      double count[2] = {}, sum[2][2] = {}, squares[2] = {};
      for (const auto& x : samples.x) {
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
        for (int d : {0, 1}) EXPECT_NEAR(sum[k][d] / count[k], Mixture::means[k][d], 4 * error + 1e-2);
        EXPECT_NEAR(squares[k] / (2 * count[k]) / Mixture::variances[k], 1, 4 / std::sqrt(count[k]) + 0.04);
      }
      EXPECT_LT(chi_squared, 10.8);  // one degree of freedom, 0.1%
    }
  }
}

void expect_refusal(const std::function<void()>& action, const std::string& where) {
  try {
    action();
    ADD_FAILURE() << "was drawn";
  } catch (const kernels::RunError& error) {
    EXPECT_EQ(error.status, likelihood::score_status);
    EXPECT_NE(std::string(error.what()).find(where), std::string::npos) << error.what();
  }
}

TEST(EverySampler, RefusesAScoreThatIsNotFinite) {
  for (auto [name, settings] : every_sampler(all[0])) {
    SCOPED_TRACE(name);
    settings.steps = 10;
    likelihood::Score never = gaussian_score(all[0], mean, deviation, 2, 2);
    never.value = [](auto, auto, std::span<double> out) { std::fill(out.begin(), out.end(), std::nan("")); };
    expect_refusal([&] { draw(never, first(3), settings); }, "image 0 at t = 1:");

    // Only in the last call, Tweedie's, of the third image, alone in its batch of two.
    int calls = 0, last = -1;
    likelihood::Score late = gaussian_score(all[0], mean, deviation, 2, 2);
    late.value = [&, good = late.value](auto t, auto x, std::span<double> out) {
      good(t, x, out);
      if (calls++ == last) out.back() = std::nan("");
    };
    draw(late, first(3), settings);
    last = calls - 1, calls = 0;
    expect_refusal([&] { draw(late, first(3), settings); }, "image 2 at t = 0.");
  }
}

TEST(ProbabilityFlow, RefusesAScoreThatTakesTooManyEvaluations) {
  const Settings settings{.sde = all[0], .sampler = ProbabilityFlow{.max_evaluations = 20}};
  expect_refusal([&] { draw(gaussian_score(all[0], mean, deviation, 2, 2), first(3), settings); },
                 "ode_max_evaluations");
}

TEST(Langevin, RefusesAScoreOfZero) {
  likelihood::Score zero = gaussian_score(all[0], mean, deviation, 2, 2);
  zero.value = [](auto, auto, std::span<double> out) { std::fill(out.begin(), out.end(), 0.0); };
  expect_refusal(
      [&] {
        draw(zero, first(1),
             noise_free(all[0], PredictorCorrector{.corrector = {.kind = Corrector::Kind::langevin}}, 1e-3, 3));
      },
      "image 0 at t = 1: the score is zero");
}

TEST(EverySampler, AnImageDoesNotDependOnItsBatch) {
  const std::vector<std::int64_t> some = {5, 9}, other = {9, 100, 101};
  for (const Sde& sde : all) {
    for (auto [name, settings] : every_sampler(sde)) {
      settings.steps = 20;
      if (auto* pc = std::get_if<PredictorCorrector>(&settings.sampler);
          pc && pc->corrector.kind != Corrector::Kind::none)
        pc->corrector.kind = Corrector::Kind::langevin;  // the one with norms
      EXPECT_EQ(draw(gaussian_score(sde, mean, deviation, 5, 2), some, settings).x[1],
                draw(gaussian_score(sde, mean, deviation, 5, 1), other, settings).x[0])
          << name;
    }
  }
}

TEST(EverySampler, ReportsItsProgressToTheEnd) {
  for (auto [name, settings] : every_sampler(all[0])) {
    settings.steps = 4;
    std::int64_t previous = 0, total = 0;
    settings.progress = [&](std::int64_t done, std::int64_t of) {
      EXPECT_GT(done, previous) << name;
      previous = done, total = of;
    };
    draw(gaussian_score(all[0], mean, deviation, 2, 2), first(3), settings);
    EXPECT_EQ(previous, total) << name;
    EXPECT_GT(total, 0) << name;
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
}  // namespace core::sampling::tests
