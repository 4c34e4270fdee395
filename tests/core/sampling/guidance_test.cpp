#include "core/sampling/guidance.h"

#include <gtest/gtest.h>

#include "tests/core/sampling/oracle.h"

namespace core::sampling::tests {
namespace {

/// The exact score of one component of the mixture: a class of it.
likelihood::Score component(const Sde& sde, int k) {
  return {.dims = 2,
          .batch = 50,
          .value =
              [=](std::span<const double> t, std::span<const double> x, std::span<double> score) {
                for (std::size_t i = 0; i < x.size(); ++i) {
                  const double a = kernels::mean_coefficient(sde, t[i / 2]),
                               s = kernels::standard_deviation(sde, t[i / 2]);
                  score[i] = -(x[i] - a * Mixture::means[k][i % 2]) / (a * a * Mixture::variances[k] + s * s);
                }
              },
          .with_trace = {}};
}

Settings settings_of(const Sde& sde) {
  return {.sde = sde,
          .smallest_time = 1e-3,
          .seed = 4,
          .sampler = PredictorCorrector{.predictor = Predictor::ancestral},
          .steps = 300,
          .progress = {}};
}

TEST(Guidance, OfWeightZeroAndOneIsEitherScore) {
  for (const Sde& sde : all) {
    const Settings settings = settings_of(sde);
    const auto drawn = [&](const likelihood::Score& score) { return draw(score, first(3), settings).x; };
    EXPECT_EQ(drawn(guided(component(sde, 1), Mixture{sde}.score(), 0)), drawn(Mixture{sde}.score()));
    const auto found = drawn(guided(component(sde, 1), Mixture{sde}.score(), 1)), expected = drawn(component(sde, 1));
    for (std::size_t n = 0; n < 3; ++n) {
      for (std::size_t i : {0, 1}) EXPECT_NEAR(found[n][i], expected[n][i], 1e-9);
    }
  }
}

TEST(Guidance, OfAClassDrawsThatModeWithItsMeanAndSpread) {
  for (int k : {0, 1}) {
    const Samples samples =
        draw(guided(component(all[0], k), Mixture{all[0]}.score(), 1), first(2000), settings_of(all[0]));
    for (std::size_t d : {0, 1}) {
      double sum = 0, squares = 0;
      for (const auto& x : samples.x) sum += x[d], squares += x[d] * x[d];
      const double m = sum / 2000, v = Mixture::variances[k];
      EXPECT_NEAR(m, Mixture::means[k][d], 4 * std::sqrt(v / 2000) + 5e-3);
      EXPECT_NEAR((squares / 2000 - m * m) / v, 1, 4 * std::sqrt(2 / 2000.0) + 0.03);
    }
  }
}

TEST(Guidance, OfTwoGaussiansIsTheGaussianOfTheirPowers) {
  // p_c^w p_u^(1-w) of N(m_c, v) and N(m_u, v) is N(m_u + w (m_c - m_u), v) at every time, as the means are a(t) m.
  const Sde& sde = all[0];
  const double w = 2.5;
  const auto score = guided(gaussian_score(sde, 0.4, deviation, 3, 4), gaussian_score(sde, 0.1, deviation, 3, 4), w);
  const auto expected = draw(gaussian_score(sde, 0.1 + w * 0.3, deviation, 3, 4), first(5), settings_of(sde)).x,
             found = draw(score, first(5), settings_of(sde)).x;
  for (std::size_t n = 0; n < 5; ++n) {
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(found[n][i], expected[n][i], 1e-9);
  }
}

}  // namespace
}  // namespace core::sampling::tests
