// What holds for every model, however bad: tests that any error in the accounting of bits would fail.
#include <gtest/gtest.h>

#include <set>

#include <boost/math/quadrature/gauss_kronrod.hpp>

#include "kernels/philox.h"
#include "tests/core/likelihood/gaussian.h"
#include "tests/core/likelihood/mixture.h"

namespace core::likelihood::tests {
namespace {

using kernels::Sde;
using kernels::SdeKind;

struct Setting {
  const char* name;
  Sde sde;
  double eps;
};
const Setting settings_of_all[] = {{"VP", {.kind = SdeKind::vp}, 1e-5},
                                   {"sub-VP", {.kind = SdeKind::sub_vp}, 1e-2},
                                   {"VE", {.kind = SdeKind::ve}, 1e-5}};

/// The exact score of the uniform density on a cube, [-1,1]^dims where it is not said.
Score uniform_score(const Sde& sde, std::int64_t dims, std::int64_t batch, const kernels::PixelRange& range = {}) {
  const auto value = [sde, dims, range](std::span<const double> t, std::span<const double> x, std::span<double> score,
                                        bool slope) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double a = kernels::mean_coefficient(sde, t[i / static_cast<std::size_t>(dims)]),
                   s = kernels::standard_deviation(sde, t[i / static_cast<std::size_t>(dims)]);
      const double u = (x[i] - a * range.low) / s, v = (x[i] - a * (range.low + range.width)) / s;
      const auto density = [](double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); };
      const double mass = u + v > 0 ? 0.5 * (std::erfc(v / std::numbers::sqrt2) - std::erfc(u / std::numbers::sqrt2))
                                    : 0.5 * (std::erfc(-u / std::numbers::sqrt2) - std::erfc(-v / std::numbers::sqrt2));
      const double first = (density(u) - density(v)) / (mass * s),
                   second = (-u * density(u) + v * density(v)) / (mass * s * s);
      score[i] = slope ? second - first * first : first;
    }
  };
  return {.dims = dims,
          .batch = batch,
          .value = [value](auto t, auto x, auto score) { value(t, x, score, false); },
          .with_trace =
              [value, dims](auto t, auto x, auto, std::span<double> score, std::span<double> trace) {
                std::vector<double> slopes(x.size());
                value(t, x, slopes, true);
                value(t, x, score, false);
                for (std::size_t n = 0; n < trace.size(); ++n) {
                  trace[n] = 0;
                  for (std::size_t d = 0; d < static_cast<std::size_t>(dims); ++d)
                    trace[n] += slopes[n * static_cast<std::size_t>(dims) + d];
                }
              }};
}

TEST(Kraft, TheBoundIsACodeLength) {
  // One pixel of 256 levels: sum_k 2^-bits(k) <= 1 for any score.
  for (const Setting& s : settings_of_all) {
    const auto terms =
        bound(untrained_score(s.sde, 1, 100),
              images_of(256, 1, [](std::int64_t i, std::size_t) { return static_cast<std::uint8_t>(i); }),
              {.sde = s.sde, .smallest_time = s.eps, .seed = 2, .passes = 20});
    double sum = 0;
    for (const auto& t : terms) sum += std::exp2(-t.total());
    EXPECT_LT(sum, 1) << s.name;
    EXPECT_GT(sum, 1e-12) << s.name;
  }
}

TEST(Kraft, TheBoundOfTheExactScoreIsACompleteCode) {
  // Uniform pixels under their own score: sum_k 2^-bits(k) is 1, so that no term can be too large or too small.
  for (const Setting& s : settings_of_all) {
    const auto terms =
        bound(uniform_score(s.sde, 1, 100),
              images_of(256, 1, [](std::int64_t i, std::size_t) { return static_cast<std::uint8_t>(i); }),
              {.sde = s.sde, .smallest_time = s.eps, .seed = 2, .passes = 100});
    std::vector<double> codes;
    for (const auto& t : terms) codes.push_back(std::exp2(8 - t.total()));
    const Summary sum = summarise(codes);
    EXPECT_LT(sum.mean, 1 + 3 * sum.standard_error) << s.name;
    EXPECT_GT(sum.mean, 0.9) << s.name;
    EXPECT_LT(sum.standard_error, 0.03) << s.name;
  }
}

TEST(Kraft, TheBoundIsACodeLengthOfTwoPixels) {
  // The sum over all 65536 images of two pixels, from every 183rd: what is wrong by a dimension shows here.
  const auto pixel = [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(d ? 183 * i / 256 : 183 * i);
  };
  for (const Setting& s : settings_of_all) {
    for (const bool exact : {false, true}) {
      const auto bits = [&](std::uint64_t seed) {
        std::vector<double> totals;
        const Settings settings{.sde = s.sde, .smallest_time = s.eps, .seed = seed, .passes = 50};
        const Score score = exact ? uniform_score(s.sde, 2, 100) : untrained_score(s.sde, 2, 100);
        for (const auto& t : bound(score, images_of(358, 2, pixel), settings)) totals.push_back(2 * t.total());
        return totals;
      };
      const auto one = bits(2), two = bits(3);
      std::vector<double> codes;
      for (std::size_t i = 0; i < one.size(); ++i) {
        // The noise of an estimate lifts 2^-bits by half its variance in nats, which two of them tell.
        const double noise = std::pow((one[i] - two[i]) * std::numbers::ln2 / 2, 2);
        codes.push_back(std::exp2(16 - (one[i] + two[i]) / 2) * (1 - noise / 2));
      }
      const Summary sum = summarise(codes);
      EXPECT_LT(sum.mean, 1 + 3 * sum.standard_error) << s.name;
      EXPECT_GT(sum.mean, exact ? 0.85 : 1e-12) << s.name;
      EXPECT_LT(sum.standard_error, 0.04) << s.name;
    }
  }
}

TEST(Kraft, TheFlowsLevelsAndWhatLiesOutsideSumToOne) {
  // P(k) is the integral of the density over level k; the estimator's bits are the level's mean of -log2 density.
  constexpr double nodes[] = {0.0694318442029737, 0.3300094782075719, 0.6699905217924281, 0.9305681557970263},
                   weights[] = {0.1739274225687269, 0.3260725774312731, 0.3260725774312731, 0.1739274225687269};
  for (const Setting& s : settings_of_all) {
    const Score score = untrained_score(s.sde, 1, 64);
    const auto nats_at = [&](std::int64_t count, const std::function<double(std::int64_t)>& x) {
      std::vector<double> nats;
      for (const OdeResult& r : ode_continuous(
               score, {.sde = s.sde, .smallest_time = s.eps, .ode_tolerance = 1e-6, .ode_max_evaluations = 1'000'000},
               count, [&](std::int64_t i, auto state, auto v) { state[0] = x(i), v[0] = 1; }, {})) {
        nats.push_back(r.nats);
      }
      return nats;
    };
    const auto inside =
        nats_at(1024, [&](std::int64_t i) { return (static_cast<double>(i / 4) + nodes[i % 4]) / 128 - 1; });
    // The flow carries far points to the prior's tails: |x| = 1 + sinh(u) reaches them.
    const auto u = [](std::int64_t i) { return 9.5 * (static_cast<double>(i / 2) + 0.5) / 500; };
    const auto outside = nats_at(1000, [&](std::int64_t i) { return (i % 2 ? 1 : -1) * (1 + std::sinh(u(i))); });
    const auto images = ode(score, images_of(256, 1, [](std::int64_t i, auto) { return static_cast<std::uint8_t>(i); }),
                            {.sde = s.sde, .smallest_time = s.eps, .seed = 6, .passes = 64});
    double levels = 0, codes = 0, rest = 0;
    for (std::size_t k = 0; k < 256; ++k) {
      double mean = 0, square = 0;
      for (std::size_t j = 0; j < 4; ++j) {
        const double nats = inside[4 * k + j], bits = bits_per_dim(nats, 1);
        levels += weights[j] * std::exp(-nats) / 128;
        mean += weights[j] * bits;
        square += weights[j] * bits * bits;
      }
      const double deviation = std::sqrt(std::max(square - mean * mean, 0.0));
      EXPECT_NEAR(images[k].bits, mean, 4 * deviation / 8 + 1e-3) << s.name << " level " << k;
      codes += std::exp2(-images[k].bits);
    }
    for (std::size_t i = 0; i < outside.size(); ++i)
      rest += std::exp(-outside[i]) * std::cosh(u(static_cast<std::int64_t>(i))) * 9.5 / 500;
    EXPECT_NEAR(levels + rest, 1, 1e-3) << s.name;
    EXPECT_LT(codes, levels + 1e-3) << s.name;
    EXPECT_GT(codes, 0.02) << s.name;
  }
}

TEST(UniformPixels, CostAtLeastEightBits) {
  const auto noise = [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(
        kernels::philox(77, kernels::Stream::source, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(d))
            .word[0]);
  };
  for (const Setting& s : settings_of_all) {
    for (const Score& score : {untrained_score(s.sde, 8, 64), gaussian_score(s.sde, 0, std::sqrt(1.0 / 3), 8, 64)}) {
      const Settings settings{.sde = s.sde, .smallest_time = s.eps, .seed = 3};
      std::vector<double> by_bound, by_ode;
      for (const auto& t : bound(score, images_of(200, 8, noise), settings)) by_bound.push_back(t.total());
      for (const auto& o : ode(score, images_of(200, 8, noise), settings)) by_ode.push_back(o.bits);
      for (const auto& bits : {by_bound, by_ode}) {
        const Summary summary = summarise(bits);
        EXPECT_GT(summary.mean, 8 - 3 * summary.standard_error) << s.name;
      }
    }
  }
}

TEST(UniformPixels, CostExactlyEightBitsUnderTheirOwnScore) {
  const auto noise = [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(
        kernels::philox(78, kernels::Stream::source, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(d))
            .word[0]);
  };
  const Sde sde{.kind = SdeKind::vp};
  for (const kernels::PixelRange& range : {kernels::PixelRange(), kernels::unit_range}) {
    const Settings settings{.sde = sde, .range = range, .smallest_time = 1e-5, .seed = 3, .bound_times = 60};
    const Score score = uniform_score(sde, 16, 64, range);
    std::vector<double> by_bound, by_ode;
    for (const auto& t : bound(score, images_of(400, 16, noise), settings)) by_bound.push_back(t.total());
    for (const auto& o : ode(score, images_of(100, 16, noise), settings)) by_ode.push_back(o.bits);
    EXPECT_NEAR(summarise(by_bound).mean, 8, 3 * summarise(by_bound).standard_error + 0.005) << range.width;
    EXPECT_LT(summarise(by_bound).standard_error, 0.04) << range.width;
    EXPECT_NEAR(summarise(by_ode).mean, 8, 3 * summarise(by_ode).standard_error + 0.01) << range.width;
  }
}

TEST(GaussianPixels, CostTheirEntropyUnderTheirOwnScore) {
  // round(128 + 20 z): entropy log2(20 sqrt(2 pi e)) to within 2e-4 bits.
  const auto pixel = [](std::int64_t i, std::size_t d) {
    double z[2];
    kernels::normal_pair(
        kernels::philox(5, kernels::Stream::source, static_cast<std::uint64_t>(i), static_cast<std::uint32_t>(d)), z[0],
        z[1]);
    return static_cast<std::uint8_t>(std::floor(128 + 20 * z[0] + 0.5));
  };
  const double entropy = std::log2(20 * std::sqrt(2 * std::numbers::pi * std::numbers::e));
  for (const Setting& s : settings_of_all) {
    const Score score = gaussian_score(s.sde, 0.5 / 128, std::sqrt(400 + 1.0 / 12) / 128, 16, 64);
    const Settings settings{.sde = s.sde, .smallest_time = s.eps, .seed = 3};
    std::vector<double> by_bound, by_ode;
    for (const auto& t : bound(score, images_of(500, 16, pixel), settings)) by_bound.push_back(t.total());
    for (const auto& o : ode(score, images_of(500, 16, pixel), settings)) by_ode.push_back(o.bits);
    EXPECT_NEAR(summarise(by_bound).mean, entropy, 3 * summarise(by_bound).standard_error + 1e-3) << s.name;
    EXPECT_NEAR(summarise(by_ode).mean, entropy, 3 * summarise(by_ode).standard_error + 0.02)
        << s.name;  // its prior is not exact (math: VE most)
  }
}

TEST(Invariance, AnImagesFiguresDoNotDependOnTheBatch) {
  const Sde sde{.kind = SdeKind::vp};
  const auto pixel = [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(31 * i + 17 * static_cast<std::int64_t>(d));
  };
  const auto figures = [&](std::int64_t batch) {
    std::vector<double> all;
    const Settings settings{.sde = sde, .seed = 3, .passes = 2, .bound_times = 5};
    for (const auto& t : bound(untrained_score(sde, 6, batch), images_of(40, 6, pixel), settings))
      all.insert(all.end(), {t.prior, t.diffusion, t.reconstruction});
    for (const auto& o : ode(untrained_score(sde, 6, batch), images_of(40, 6, pixel), settings))
      all.insert(all.end(), {o.bits, o.evaluations});
    return all;
  };
  const auto one = figures(1);
  for (std::int64_t batch : {17, 512}) {
    const auto other = figures(batch);
    for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], other[i]) << i << " with batch " << batch;
  }
}

TEST(Invariance, AnImagesFiguresDoNotDependOnTheOthers) {
  // As when ranks share the images out.
  const Sde sde{.kind = SdeKind::vp};
  Images images = images_of(40, 6, [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(31 * i + 17 * static_cast<std::int64_t>(d));
  });
  const Settings settings{.sde = sde, .seed = 3, .passes = 2, .bound_times = 5};
  const auto all_bound = bound(untrained_score(sde, 6, 7), images, settings);
  const auto all_ode = ode(untrained_score(sde, 6, 7), images, settings);
  images.indices = {31, 4, 39};
  const auto some_bound = bound(untrained_score(sde, 6, 7), images, settings);
  const auto some_ode = ode(untrained_score(sde, 6, 7), images, settings);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto at = static_cast<std::size_t>(images.indices[i]);
    EXPECT_EQ(some_bound[i].index, images.indices[i]);
    EXPECT_EQ(some_bound[i].total(), all_bound[at].total());
    EXPECT_EQ(some_ode[i].index, images.indices[i]);
    EXPECT_EQ(some_ode[i].bits, all_ode[at].bits);
  }
}

TEST(Probe, GivesTheTraceOnAverageWithTheStatedVariance) {
  // log p depends on the probe through the trace only: score A x has trace estimate v^T A v.
  const std::int64_t d = 32;
  std::vector<double> a(static_cast<std::size_t>(d * d));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(1.7 * static_cast<double>(i * i % 101));
  double trace = 0, variance = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    trace += a[i * 33];
    for (std::size_t j = 0; j < i; ++j) variance += std::pow(a[i * 32 + j] + a[j * 32 + i], 2);
  }
  std::set<double> seen;
  const Score score{
      .dims = d,
      .batch = 64,
      .value = {},
      .with_trace = [&](auto, auto x, std::span<const double> v, std::span<double> out, std::span<double> traces) {
        for (std::size_t i = 0; i < x.size(); ++i) out[i] = -x[i];
        for (std::size_t n = 0; n < traces.size(); ++n) {
          double sum = 0;
          for (std::size_t i = 0; i < 32; ++i) {
            for (std::size_t j = 0; j < 32; ++j) sum += v[n * 32 + i] * a[i * 32 + j] * v[n * 32 + j];
          }
          traces[n] = sum;
        }
        seen.insert(traces.begin(), traces.end());
      }};
  ode(score, images_of(64, d, [](auto, auto) { return std::uint8_t{128}; }),
      {.sde = {.kind = SdeKind::vp}, .passes = 60, .ode_tolerance = 0.1});
  const Summary summary = summarise(std::vector<double>(seen.begin(), seen.end()));
  EXPECT_EQ(summary.images, 64 * 60);
  EXPECT_NEAR(summary.mean, trace, 4 * summary.standard_error);
  const double found = std::pow(summary.standard_error, 2) * static_cast<double>(summary.images);
  EXPECT_NEAR(found / variance, 1, 5 * std::sqrt(2.0 / static_cast<double>(summary.images)) + 0.02);
}

TEST(Mixture, TheOdeGivesTheExactDensity) {
  const auto point = [](std::int64_t i, std::span<double> x) {
    x[0] = 0.8 * std::sin(1.3 * static_cast<double>(i)), x[1] = 0.6 * std::cos(2.1 * static_cast<double>(i));
  };
  for (const Setting& s : settings_of_all) {
    const Mixture mixture{s.sde};
    const double p = kernels::prior_deviation(s.sde);
    std::vector<double> at_one(60);  // log p_1 - log prior at the latent point: the prior is only nearly p_1
    const auto results = ode_continuous(
        mixture.score(), {.sde = s.sde, .smallest_time = s.eps, .ode_tolerance = 1e-7}, 60,
        [&](auto i, auto x, auto v) { point(i, x), v[0] = v[1] = 1; },
        [&](std::int64_t i, std::span<const double> x) {
          double log_density, gradient[2], laplacian;
          mixture.at(1, x.data(), log_density, gradient, laplacian);
          at_one[static_cast<std::size_t>(i)] =
              log_density + std::log(2 * std::numbers::pi * p * p) + 0.5 * (x[0] * x[0] + x[1] * x[1]) / (p * p);
        });
    for (std::int64_t i = 0; i < 60; ++i) {
      double x[2], log_density, gradient[2], laplacian;
      point(i, x);
      mixture.at(s.eps, x, log_density, gradient, laplacian);
      const auto n = static_cast<std::size_t>(i);
      EXPECT_NEAR(results[n].nats - at_one[n], -log_density, 1e-4) << s.name;
      EXPECT_LT(std::abs(at_one[n]), 5e-2) << s.name;
    }
  }
}

TEST(Mixture, TheBoundLiesJustAboveTheExactDensity) {
  const Mixture mixture{{.kind = SdeKind::vp}};
  const auto pixel = [](std::int64_t i, std::size_t d) {
    return static_cast<std::uint8_t>(60 + (d == 0 ? 37 * i : 53 * i + 11) % 130);
  };
  const auto terms = bound(mixture.score(), images_of(400, 2, pixel),
                           {.sde = mixture.sde, .seed = 9, .passes = 150, .bound_times = 200});
  std::vector<double> gaps;
  for (const auto& t : terms) {
    double exact = 0;  // averaged over the pixels' cell
    for (int k = 0; k < 64; ++k) {
      const double x[] = {(pixel(t.index, 0) + (k / 8 + 0.5) / 8) / 128 - 1,
                          (pixel(t.index, 1) + (k % 8 + 0.5) / 8) / 128 - 1};
      double log_density, gradient[2], laplacian;
      mixture.at(0, x, log_density, gradient, laplacian);
      exact += bits_per_dim(-log_density, 2) / 64;
    }
    gaps.push_back(t.total() - exact);
  }
  const Summary gap = summarise(gaps);
  EXPECT_GT(gap.mean, -3 * gap.standard_error);
  EXPECT_LT(gap.mean, 0.01);
  EXPECT_LT(gap.standard_error, 0.006);
}

}  // namespace
}  // namespace core::likelihood::tests
