#include "kernels/sde.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "kernels/philox.h"

namespace kernels {
namespace {

const Sde vp{.kind = SdeKind::vp}, sub_vp{.kind = SdeKind::sub_vp}, ve{.kind = SdeKind::ve};
const Sde all[] = {vp, sub_vp, ve};

double variance(const Sde& sde, double t) {
  return std::pow(standard_deviation(sde, t), 2);
}

TEST(Sde, GoldenTable) {
  struct Row {
    double t, a, s_vp, g2_vp, lambda_vp, s_sub, g2_sub, lambda_sub;
  };
  const Row rows[] = {
      {1e-5, 0.9999994995, 1.000497126e-3, 0.100199, 13.81451555, 1.000994499e-6, 2.005971952e-7, 27.62903211},
      {1e-3, 0.9999450265, 0.01048541634, 0.1199, 9.11542987, 1.099439557e-4, 2.636311127e-5, 18.23096968},
      {1e-2, 0.9990029973, 0.04464315524, 0.299, 6.21611356, 1.99301131e-3, 1.190633107e-3, 12.43422213},
      {0.1, 0.9467217988, 0.3220525355, 2.09, 2.15658119, 0.1037178356, 0.4110576091, 4.42266237},
      {0.5, 0.2811828808, 0.9596542021, 10.05, -2.45513547, 0.9209361875, 9.987176581, -2.37277094},
      {1, 0.006571586495, 0.9999784069, 20, -10.04995681, 0.9999568143, 19.99999996, -10.04991363},
  };
  const auto near = [](double found, double expected) {
    EXPECT_NEAR(found, expected, 1e-8 * std::max(1.0, std::abs(expected)) * 0.6 + 1e-9 * std::abs(expected));
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.t);
    near(mean_coefficient(vp, row.t), row.a);
    near(mean_coefficient(sub_vp, row.t), row.a);
    EXPECT_NEAR(standard_deviation(vp, row.t) / row.s_vp, 1, 1e-9);
    EXPECT_NEAR(standard_deviation(sub_vp, row.t) / row.s_sub, 1, 1e-9);
    EXPECT_NEAR(diffusion_squared(vp, row.t) / row.g2_vp, 1, 1e-9);
    EXPECT_NEAR(diffusion_squared(sub_vp, row.t) / row.g2_sub, 1, 1e-9);
    EXPECT_NEAR(log_snr(vp, row.t), row.lambda_vp, 6e-9);
    EXPECT_NEAR(log_snr(sub_vp, row.t), row.lambda_sub, 6e-9);
  }
}

TEST(Sde, TheLogSnrFallsAtTheRateGSquaredOverSSquared) {
  for (const Sde& sde : all) {
    for (double t : {1e-4, 1e-2, 0.1, 0.37, 0.8, 0.99}) {
      const double h = 1e-5 * t, slope = (log_snr(sde, t + h) - log_snr(sde, t - h)) / (2 * h);
      EXPECT_NEAR(-slope / log_snr_rate(sde, t), 1, 1e-6) << t;
    }
  }
}

TEST(Sde, MarginalsFollowFromDriftAndDiffusion) {
  // d log a/dt = f and d s^2/dt = 2 f s^2 + g^2.
  for (const Sde& sde : all) {
    for (double t : {1e-3, 0.05, 0.5, 0.9}) {
      const double h = 1e-5 * t;
      EXPECT_NEAR((std::log(mean_coefficient(sde, t + h)) - std::log(mean_coefficient(sde, t - h))) / (2 * h),
                  drift_coefficient(sde, t), 1e-6 * 20);
      const double expected = 2 * drift_coefficient(sde, t) * variance(sde, t) + diffusion_squared(sde, t);
      EXPECT_NEAR((variance(sde, t + h) - variance(sde, t - h)) / (2 * h), expected,
                  1e-6 * std::max(1e-3, diffusion_squared(sde, t)))
          << t;
    }
  }
}

struct Moments {
  double mean, variance;
};

/// Of Euler-Maruyama's chain from x_0 = 0.7 to time `end`, exactly; VE starts with the noise sigma_min that it is said
/// to have.
Moments chain_moments(const Sde& sde, double end, int steps) {
  Moments m{0.7, variance(sde, 0.0)};
  const double dt = end / steps;
  for (int step = 0; step < steps; ++step) {
    const double t = (step + 0.5) * dt, factor = 1 + drift_coefficient(sde, t) * dt;
    m = {factor * m.mean, factor * factor * m.variance + diffusion_squared(sde, t) * dt};
  }
  return m;
}

TEST(Sde, TheMomentsOfEverFinerStepsAreTheStatedOnes) {
  for (const Sde& sde : all) {
    for (const double end : {0.05, 0.3, 1.0}) {
      // The first power of the step cancels.
      const Moments coarse = chain_moments(sde, end, 20000), fine = chain_moments(sde, end, 40000);
      EXPECT_NEAR(2 * fine.mean - coarse.mean, 0.7 * mean_coefficient(sde, end), 1e-6);
      EXPECT_NEAR((2 * fine.variance - coarse.variance) / variance(sde, end), 1, 1e-6) << end;
    }
  }
}

TEST(Sde, AMillionPathsHaveTheMomentsOfTheirChain) {
  for (const Sde& sde : all) {
    const int paths = 1'000'000, steps = 40;
    const double end = 0.3, dt = end / steps;
    double mean = 0, square = 0;
#pragma omp parallel for reduction(+ : mean, square)
    for (int path = 0; path < paths; ++path) {
      double start[2];
      normal_pair(philox(2, Stream::noise, static_cast<std::uint64_t>(path), 0), start[0], start[1]);
      double x = 0.7 + standard_deviation(sde, 0.0) * start[0];
      for (int step = 0; step < steps; step += 2) {
        double z[2];
        normal_pair(philox(1, Stream::noise, static_cast<std::uint64_t>(path), static_cast<std::uint32_t>(step)), z[0],
                    z[1]);
        for (int k : {0, 1}) {
          const double t = (step + k + 0.5) * dt;
          x += drift_coefficient(sde, t) * x * dt + std::sqrt(diffusion_squared(sde, t) * dt) * z[k];
        }
      }
      mean += x / paths;
      square += x * x / paths;
    }
    const Moments expected = chain_moments(sde, end, steps);
    const double s = std::sqrt(expected.variance);
    EXPECT_NEAR(mean, expected.mean, 3 * s / std::sqrt(paths));
    EXPECT_NEAR(std::sqrt(square - mean * mean), s, 3 * s / std::sqrt(2.0 * paths));
  }
}

TEST(Sde, TimeOfLogSnrIsTheExactInverse) {
  for (const Sde& sde : all) {
    for (double t : {1e-6, 1e-5, 1e-3, 0.02, 0.3, 0.7, 1.0})
      EXPECT_NEAR(time_of_log_snr(sde, log_snr(sde, t)), t, 1e-12 * t + 1e-15) << t;
  }
}

TEST(Sde, FloatsKeepTheStandardDeviation) {
  for (const Sde& sde : all) {
    for (double t = 1e-8; t <= 1; t *= 1.003) {
      const auto at = static_cast<float>(t);
      EXPECT_NEAR(standard_deviation(sde, at) / standard_deviation(sde, static_cast<double>(at)), 1, 2e-7) << t;
    }
  }
}

double range(const TimeLaw& law) {
  return log_snr(law.sde, law.smallest_time) - log_snr(law.sde, 1.0);
}

TEST(Sde, TheNetworkIsToldTheTimeTheLogSnrOrTheDeviation) {
  kernels::Sde sde;
  EXPECT_EQ(time_label(sde, 0.5), 499.5);
  sde.label = kernels::TimeLabel::log_snr;
  EXPECT_NEAR(time_label(sde, time_of_log_snr(sde, 13.3)), 0, 1e-6);
  EXPECT_NEAR(time_label(sde, time_of_log_snr(sde, 0.0)), 1000 * 13.3 / 18.3, 1e-6);
  EXPECT_NEAR(time_label(sde, time_of_log_snr(sde, -5.0)), 1000, 1e-6);
  sde.kind = kernels::SdeKind::ve;
  EXPECT_NEAR(time_label(sde, 1.0), 50, 1e-6);
}

TEST(TimeLaw, NormalisersAndQuantilesOfImportanceSampling) {
  EXPECT_NEAR(range({.sde = vp, .smallest_time = 1e-5}), 23.86447237, 1e-8);
  EXPECT_NEAR(range({.sde = vp, .smallest_time = 5e-5}), 22.25106428, 1e-8);
  EXPECT_NEAR(range({.sde = vp, .smallest_time = 1e-3}), 19.16538668, 1e-8);
  EXPECT_NEAR(range({.sde = sub_vp, .smallest_time = 1e-2}), 22.48413575, 1e-8);
  const double u[] = {0.1, 0.25, 0.5, 0.75, 0.9};
  const double expected_vp[] = {1.077014e-4, 3.0047005e-3, 0.11442145, 0.63695614, 0.87262766};
  const double expected_sub[] = {0.020319549, 0.052915813, 0.22890112, 0.66392521, 0.88051301};
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(sample_time({.sde = vp, .smallest_time = 1e-5}, u[i]) / expected_vp[i], 1, 1e-6);
    EXPECT_NEAR(sample_time({.sde = sub_vp, .smallest_time = 1e-2}, u[i]) / expected_sub[i], 1, 1e-6);
  }
}

TEST(TimeLaw, StaysInItsInterval) {
  for (const Sde& sde : all) {
    for (TimeSampling sampling : {TimeSampling::uniform, TimeSampling::importance}) {
      const TimeLaw law{.sde = sde, .smallest_time = 1e-3, .sampling = sampling};
      EXPECT_NEAR(sample_time(law, 0), 1e-3, 1e-12);
      EXPECT_LE(sample_time(law, std::nextafter(1.0, 0.0)), 1);
      EXPECT_GE(sample_time(law, 0), 1e-3 * (1 - 1e-12));
    }
  }
}

TEST(TimeLaw, ImportanceSamplingHasTheDensityGSquaredOverSSquared) {
  // The distribution by adding up g^2/s^2 itself, not from the log-SNR; trapezoids in log t.
  for (const Sde& sde : all) {
    const TimeLaw law{.sde = sde, .smallest_time = 1e-4};
    const int n = 200000;
    const auto time = [&](int i) { return std::pow(1e-4, 1 - static_cast<double>(i) / n); };
    const auto density = [&](double t) { return diffusion_squared(sde, t) / std::pow(standard_deviation(sde, t), 2); };
    std::vector<double> below = {0};
    for (int i = 0; i < n; ++i) {
      const double t0 = time(i), t1 = time(i + 1);
      below.push_back(below.back() + 0.5 * std::log(t1 / t0) * (density(t0) * t0 + density(t1) * t1));
    }
    for (int i = 0; i <= n; i += n / 10)
      EXPECT_NEAR(sample_time(law, below[static_cast<std::size_t>(i)] / below.back()) / time(i), 1, 1e-6) << i;
  }
}

/// E over u of weight(t(u)) r(t(u)) for some residual r, by the midpoint rule.
double expectation(const TimeLaw& law) {
  const int n = 400000;
  double sum = 0;
  for (int i = 0; i < n; ++i) {
    const double t = sample_time(law, (i + 0.5) / n);
    sum += training_weight(law, t) * (0.2 + t * t) / (1 + 0.01 * log_snr_rate(law.sde, t)) / n;
  }
  return sum;
}

TEST(TimeLaw, BothSamplingsMinimiseTheSameObjective) {
  for (const Sde& sde : all) {
    TimeLaw uniform{
        .sde = sde, .smallest_time = 1e-2, .sampling = TimeSampling::uniform, .weighting = Weighting::simple};
    TimeLaw importance = uniform;
    importance.sampling = TimeSampling::importance;
    EXPECT_NEAR(expectation(uniform) / expectation(importance), 1, 1e-6);
    uniform.weighting = importance.weighting = Weighting::likelihood;
    // (T - eps) E_uniform[g^2/s^2 .] = Z E_importance[.]
    EXPECT_NEAR((1 - 1e-2) * expectation(uniform) / (range(importance) * expectation(importance)), 1, 1e-5);
  }
}

}  // namespace
}  // namespace kernels
