// The estimators against closed forms for Gaussian data.
#include <gtest/gtest.h>

#include <boost/math/quadrature/gauss_kronrod.hpp>

#include "tests/core/likelihood/gaussian.h"

namespace core::likelihood::tests {
namespace {

using kernels::Sde;
using kernels::SdeKind;

constexpr double mean = 0.3, deviation = 0.5, point = 0.9;

struct Golden {
  const char* name;
  Sde sde;
  double eps, diffusion, reconstruction, total, ode;
};
const Golden goldens[] = {
    {"VP 1e-5", {.kind = SdeKind::vp}, 1e-5, 6.43410394, -5.48832036, 0.94580107, 0.94815160},
    {"VP 1e-3", {.kind = SdeKind::vp}, 1e-3, 4.08468312, -3.13889954, 0.94580108, 0.94811864},
    {"sub-VP 1e-2", {.kind = SdeKind::sub_vp}, 1e-2, 5.74396057, -4.79817699, 0.94580107, 0.94930197},
    {"sub-VP 1e-5", {.kind = SdeKind::sub_vp}, 1e-5, 13.34136110, -12.39557752, 0.94580107, 0.94814294},
    {"VE 1e-5", {.kind = SdeKind::ve}, 1e-5, 4.13197785, -3.18625849, 0.94588136, 0.95294231},
};

TEST(Golden, ClosedFormsOfTheBound) {
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const GaussianTerms terms = gaussian_terms(g.sde, g.eps, mean, deviation, point);
    EXPECT_NEAR(terms.diffusion, g.diffusion, 1e-8);
    EXPECT_NEAR(terms.reconstruction, g.reconstruction, 1e-8);
    EXPECT_NEAR(terms.total(), g.total, 1e-8);
  }
}

/// E over z of |z - z_hat|^2 / 2 at log-SNR lambda from the score itself, by quadrature over z.
double residual(const Sde& sde, const Score& score, double t) {
  const double a = kernels::mean_coefficient(sde, t), s = kernels::standard_deviation(sde, t);
  return boost::math::quadrature::gauss_kronrod<double, 61>::integrate(
      [&](double z) {
        const double times[] = {t}, x[] = {a * point + s * z};
        double value[1];
        score.value(times, x, value);
        return 0.5 * (z + s * value[0]) * (z + s * value[0]) * std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
      },
      -9.0, 9.0, 5, 1e-10);
}

TEST(Golden, TheDiffusionTermByQuadratureOverLogSnr) {
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const Score score = gaussian_score(g.sde, mean, deviation, 1, 1);
    const double integral = boost::math::quadrature::gauss_kronrod<double, 61>::integrate(
        [&](double lambda) { return residual(g.sde, score, kernels::time_of_log_snr(g.sde, lambda)); },
        kernels::log_snr(g.sde, 1.0), kernels::log_snr(g.sde, g.eps), 10, 1e-9);
    EXPECT_NEAR(integral, g.diffusion, 1e-6);
    const double s = kernels::standard_deviation(g.sde, g.eps), a = kernels::mean_coefficient(g.sde, g.eps);
    EXPECT_NEAR(0.5 * std::log(2 * std::numbers::pi * s * s / (a * a)) + residual(g.sde, score, g.eps),
                g.reconstruction, 1e-6);
  }
}

TEST(Golden, TheOdeInDoublePrecision) {
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const Score score = gaussian_score(g.sde, mean, deviation, 1, 1);
    const auto results = ode_continuous(score, {.sde = g.sde, .smallest_time = g.eps, .ode_tolerance = 1e-9}, 1,
                                        [](auto, auto x, auto v) { x[0] = point, v[0] = 1; }, {});
    EXPECT_NEAR(results[0].nats, g.ode, 1e-6);
  }
}

TEST(Golden, TheShippedToleranceIsNearTheLimit) {
  for (const Golden& g : goldens) {
    const Score score = gaussian_score(g.sde, mean, deviation, 1, 1);
    const auto results = ode_continuous(score, {.sde = g.sde, .smallest_time = g.eps, .ode_tolerance = 1e-5}, 1,
                                        [](auto, auto x, auto v) { x[0] = point, v[0] = 1; }, {});
    EXPECT_NEAR(results[0].nats, g.ode, 2e-4) << g.name;
    EXPECT_LT(results[0].evaluations, 200) << g.name;
  }
}

TEST(Golden, TheShippedBoundIsWithinItsErrorOfTheClosedForm) {
  // Images of one dimension; the closed form averaged over the pixel's cell.
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const std::int64_t n = 400;
    const auto pixel = [](std::int64_t i, std::size_t) { return static_cast<std::uint8_t>(64 + (37 * i) % 190); };
    const Settings settings{.sde = g.sde, .smallest_time = g.eps, .seed = 4, .passes = 2, .bound_times = 16};
    const auto terms = bound(gaussian_score(g.sde, mean, deviation, 1, 33), images_of(n, 1, pixel), settings);
    std::vector<double> prior, diffusion, reconstruction;
    for (std::int64_t i = 0; i < n; ++i) {
      GaussianTerms expected{};
      for (int k = 0; k < 32; ++k) {
        const GaussianTerms at =
            gaussian_terms(g.sde, g.eps, mean, deviation, (pixel(i, 0) + (k + 0.5) / 32) / 128 - 1);
        expected.prior += at.prior / 32, expected.diffusion += at.diffusion / 32,
            expected.reconstruction += at.reconstruction / 32;
      }
      const BoundTerms& found = terms[static_cast<std::size_t>(i)];
      prior.push_back(found.prior - expected.prior / std::numbers::ln2);
      diffusion.push_back(found.diffusion - expected.diffusion / std::numbers::ln2);
      reconstruction.push_back(found.reconstruction - 7 - expected.reconstruction / std::numbers::ln2);
    }
    for (const auto& differences : {prior, diffusion, reconstruction}) {
      const Summary summary = summarise(differences);
      EXPECT_LT(std::abs(summary.mean), 3 * summary.standard_error + 1e-9);
      EXPECT_LT(summary.standard_error, 0.4);
    }
  }
}

TEST(Golden, TheShippedOdeIsWithinItsErrorOfTheClosedForm) {
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const std::int64_t n = 100;
    const auto pixel = [](std::int64_t i, std::size_t) { return static_cast<std::uint8_t>(64 + (37 * i) % 190); };
    const auto found = ode(gaussian_score(g.sde, mean, deviation, 1, 33), images_of(n, 1, pixel),
                           {.sde = g.sde, .smallest_time = g.eps, .seed = 4, .passes = 2});
    const double a = kernels::mean_coefficient(g.sde, g.eps), s = kernels::standard_deviation(g.sde, g.eps),
                 at = kernels::mean_coefficient(g.sde, 1.0), st = kernels::standard_deviation(g.sde, 1.0);
    const double ve = a * a * deviation * deviation + s * s, vt = at * at * deviation * deviation + st * st,
                 p = kernels::prior_deviation(g.sde);
    std::vector<double> differences;
    for (std::int64_t i = 0; i < n; ++i) {
      double expected = 0;
      for (int k = 0; k < 32; ++k) {
        const double x = (pixel(i, 0) + (k + 0.5) / 32) / 128 - 1, xt = at * mean + std::sqrt(vt / ve) * (x - a * mean);
        expected +=
            (0.5 * std::log(2 * std::numbers::pi * p * p) + xt * xt / (2 * p * p) - 0.5 * std::log(vt / ve)) / 32;
      }
      differences.push_back(found[static_cast<std::size_t>(i)].bits - bits_per_dim(expected, 1));
    }
    const Summary summary = summarise(differences);
    EXPECT_LT(std::abs(summary.mean), 3 * summary.standard_error + 2e-4);
  }
}

TEST(Bound, AScoreThatKnowsTheImageLeavesOnlyTheClosedForms) {
  // No error of the noise: no diffusion term, the decoder's normaliser log(2 pi s^2/a^2)/2, the KL of a known point.
  // The smallest time is large, so that a is far from 1.
  for (const Golden& g : goldens) {
    SCOPED_TRACE(g.name);
    const double eps = 0.3, a1 = kernels::mean_coefficient(g.sde, 1.0), s1 = kernels::standard_deviation(g.sde, 1.0),
                 p = kernels::prior_deviation(g.sde);
    const std::uint8_t pixels[] = {200, 31};
    double x[2];
    dequantise(pixels, 6, 0, 0, x);
    const Score knowing{.dims = 2,
                        .batch = 3,
                        .value =
                            [&](std::span<const double> t, std::span<const double> xt, std::span<double> score) {
                              for (std::size_t i = 0; i < xt.size(); ++i) {
                                const double time = t[i / 2], s = kernels::standard_deviation(g.sde, time);
                                score[i] = (kernels::mean_coefficient(g.sde, time) * x[i % 2] - xt[i]) / (s * s);
                              }
                            },
                        .with_trace = {}};
    const auto terms = bound(knowing, images_of(1, 2, [&](auto, std::size_t d) { return pixels[d]; }),
                             {.sde = g.sde, .smallest_time = eps, .seed = 6});
    const double prior =
                     0.25 * (a1 * a1 * (x[0] * x[0] + x[1] * x[1]) + 2 * s1 * s1) / (p * p) - 0.5 - std::log(s1 / p),
                 decoder = 0.5 * std::log(2 * std::numbers::pi) - 0.5 * kernels::log_snr(g.sde, eps);
    EXPECT_NEAR(terms[0].prior, prior / std::numbers::ln2, 1e-9);
    EXPECT_NEAR(terms[0].diffusion, 0, 1e-9);
    EXPECT_NEAR(terms[0].reconstruction, 7 + decoder / std::numbers::ln2, 1e-9);
  }
}

TEST(Bound, AZeroNetworkPaysTheWholeLogSnrRange) {
  const Sde sde{.kind = SdeKind::vp};
  const Score zero{.dims = 12,
                   .batch = 50,
                   .value = [](auto, auto, std::span<double> score) { std::fill(score.begin(), score.end(), 0.0); },
                   .with_trace = {}};
  const auto terms =
      bound(zero, images_of(200, 12, [](std::int64_t i, std::size_t) { return static_cast<std::uint8_t>(i); }),
            {.sde = sde, .seed = 1});
  std::vector<double> diffusion;
  for (const auto& t : terms) diffusion.push_back(t.diffusion);
  const Summary summary = summarise(diffusion);
  EXPECT_NEAR(summary.mean, 23.86447237 / 2 / std::numbers::ln2, 3 * summary.standard_error);
}

}  // namespace
}  // namespace core::likelihood::tests
