// The algebra of samplers on a Gaussian, where every sampler is affine: golden moments, orders of convergence,
// identities.
#include "core/sampling/step.h"

#include <gtest/gtest.h>

#include "tests/core/sampling/oracle.h"

namespace core::sampling::tests {
namespace {

/// What steps make of the prior N(0, p^2) where the data are N(0.3, 0.25), the last one without noise.
Moments moments_of(const Sde& sde, const std::vector<double>& times, const std::function<Step(std::size_t i)>& step) {
  Moments m{0, std::pow(kernels::prior_deviation(sde), 2)};
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double a = kernels::mean_coefficient(sde, times[i]), s = kernels::standard_deviation(sde, times[i]),
                 v = a * a * deviation * deviation + s * s;
    const Step c = step(i);
    const double slope = c.x - c.score / v;
    m.mean = slope * m.mean + c.score * a * mean / v;
    m.variance = slope * slope * m.variance + (i + 1 < times.size() ? c.noise * c.noise : 0);
  }
  return m;
}

TEST(Golden, SamplersOfOneEvaluationOnTheReferencesGrid) {
  // 1000 times from 1 to 1e-3, dt = 1/1000, beta_i = linspace(0.1, 20)/1000.
  std::vector<double> times, beta;
  for (int i = 0; i < 1000; ++i) {
    times.push_back(1 - i * 0.999 / 999);
    beta.push_back((20 - i * 19.9 / 999) / 1000);
  }
  const Sde& sde = all[0];
  const auto chain = [&](std::size_t i) { return Transition{.alpha = std::sqrt(1 - beta[i]), .variance = beta[i]}; };
  const Moments em = moments_of(sde, times, [&](std::size_t i) {
    return euler_maruyama(sde, level_at(sde, times[i]), {.t = times[i] - 1e-3, .a = 0, .s = 0, .log_snr = 0});
  });
  EXPECT_NEAR(em.mean, 0.300177, 5e-7);
  EXPECT_NEAR(em.variance, 0.250233, 5e-7);
  const Moments rd = moments_of(sde, times, [&](std::size_t i) { return reverse_diffusion(chain(i)); });
  EXPECT_NEAR(rd.mean, 0.299804, 5e-7);
  EXPECT_NEAR(rd.variance, 0.251891, 5e-7);
  const Moments an = moments_of(sde, times, [&](std::size_t i) { return ancestral(chain(i), sde.kind); });
  EXPECT_NEAR(an.mean, 0.299962, 5e-7);
  EXPECT_NEAR(an.variance, 0.251260, 5e-7);
}

Settings flow_settings(Sampler sampler, std::int64_t steps) {
  return {.sde = all[0],
          .smallest_time = 1e-4,
          .seed = 1,
          .sampler = sampler,
          .spacing = Spacing::uniform_log_snr,
          .finish = Finish::noise_free,
          .steps = steps,
          .progress = {}};
}
const PredictorCorrector deterministic{.predictor = Predictor::ddim};

TEST(Golden, SolversOfTheFlow) {
  const Moments limit = affine_moments(flow_settings(ProbabilityFlow{.tolerance = 1e-10}, 1));
  EXPECT_NEAR(limit.mean, 0.2990127, 1e-7);
  EXPECT_NEAR(limit.variance, 0.2500157, 1e-7);
  EXPECT_NEAR(affine_moments(flow_settings(deterministic, 20)).variance, 0.1909716, 5e-8);
  EXPECT_NEAR(affine_moments(flow_settings(deterministic, 160)).variance, 0.2417366, 5e-8);
  EXPECT_NEAR(affine_moments(flow_settings(DpmSolver2M{}, 20)).variance, 0.2581561, 5e-8);
  EXPECT_NEAR(affine_moments(flow_settings(DpmSolver2M{}, 160)).variance, 0.2501572, 5e-8);
}

Settings edm(std::int64_t steps, double sigma_min) {
  return {.sde = {.kind = SdeKind::ve, .sigma_min = sigma_min, .sigma_max = 80},
          .smallest_time = 1e-13,
          .seed = 1,
          .sampler = Heun{},
          .spacing = Spacing::rho,
          .steps = steps,
          .progress = {}};
}

TEST(Golden, Heun) {
  const Moments coarse = affine_moments(edm(18, 0.002)), limit = affine_moments(edm(10000, 2e-5));
  EXPECT_NEAR(coarse.mean, 0.2980214, 5e-8);
  EXPECT_NEAR(coarse.variance, 0.2783878, 5e-8);
  EXPECT_NEAR(limit.mean, 0.2981250, 2e-7);
  EXPECT_NEAR(limit.variance, 0.2499902, 2e-7);
  EXPECT_EQ(draw(gaussian_score(edm(18, 0.002).sde, mean, deviation, 1, 2), first(2), edm(18, 0.002)).evaluations,
            2 * 35);
}

TEST(Order, OfSolversOfTheFlow) {
  for (const Sde& sde : all) {
    const auto order = [&](Sampler sampler, Spacing spacing) {
      const auto at = [&](std::int64_t steps) {
        Settings settings = flow_settings(sampler, steps);
        settings.sde = sde;
        settings.smallest_time = 1e-2;
        settings.spacing = spacing;
        return std::sqrt(affine_moments(settings).variance);
      };
      const double truth = [&] {  // the flow's closed form
        const auto total = [&](double t) {
          return std::pow(kernels::mean_coefficient(sde, t) * deviation, 2) +
                 std::pow(kernels::standard_deviation(sde, t), 2);
        };
        return kernels::prior_deviation(sde) * std::sqrt(total(1e-2) / total(1));
      }();
      return std::log2(std::abs(at(320) - truth) / std::abs(at(640) - truth));
    };
    for (Spacing spacing : {Spacing::uniform_log_snr, Spacing::rho}) {
      EXPECT_NEAR(order(deterministic, spacing), 1, 0.1);
      EXPECT_NEAR(order(DpmSolver2M{}, spacing), 2, 0.15);
      EXPECT_NEAR(order(Heun{}, spacing), 2, 0.15);
    }
  }
}

TEST(Order, OfTheReverseSdesSamplersIsOne) {
  for (const Sde& sde : all) {
    const auto error = [&](auto&& step, std::int64_t steps) {
      const std::vector<Level> grid = levels({.sde = sde,
                                              .smallest_time = 0.01,
                                              .spacing = Spacing::uniform_log_snr,
                                              .finish = Finish::noise_free,
                                              .steps = steps,
                                              .progress = {}});
      std::vector<double> times;
      for (std::size_t i = 0; i + 1 < grid.size(); ++i) times.push_back(grid[i].t);
      const Level& end = grid.back();
      Moments m = moments_of(sde, times, [&](std::size_t i) { return step(grid[i], grid[i + 1]); });
      const Step last = step(grid[grid.size() - 2], end);  // with its noise it ends at the marginal
      return m.variance + last.noise * last.noise - (end.a * end.a * deviation * deviation + end.s * end.s);
    };
    const auto expect_one = [&](auto&& step) {
      const double order = std::log2(std::abs(error(step, 1000) / error(step, 2000)));
      EXPECT_GT(order, 0.9);
      // On VE the first-order error of Euler-Maruyama is so small that these steps do not see it yet.
      if (sde.kind != SdeKind::ve) {
        EXPECT_LT(order, 1.1);
      }
    };
    expect_one([&](auto& from, auto& to) { return euler_maruyama(sde, from, to); });
    expect_one([&](auto& from, auto& to) { return reverse_diffusion(transition(from, to)); });
    expect_one([&](auto& from, auto& to) { return ancestral(transition(from, to), sde.kind); });
    expect_one([&](auto& from, auto& to) { return ddim(from, to, 1); });
  }
}

TEST(Step, OfTheFieldsFormulas) {
  const double t = 0.6, r = 0.55;
  for (const Sde& sde : all) {
    const Level from = level_at(sde, t), to = level_at(sde, r);
    const Transition move = transition(from, to);
    const Step back = reverse_diffusion(move), anc = ancestral(move, sde.kind);
    if (sde.kind == SdeKind::vp) {
      const double b = 1 - std::exp(kernels::integrated_beta(sde, r) - kernels::integrated_beta(sde, t));
      EXPECT_NEAR(back.x, 2 - std::sqrt(1 - b), 1e-12);
      EXPECT_NEAR(back.score, b, 1e-12);
      EXPECT_NEAR(back.noise, std::sqrt(b), 1e-12);
      EXPECT_NEAR(anc.x, 1 / std::sqrt(1 - b), 1e-12);
      EXPECT_NEAR(anc.score, b / std::sqrt(1 - b), 1e-12);
      EXPECT_NEAR(anc.noise, std::sqrt(b), 1e-12);
    }
    if (sde.kind == SdeKind::ve) {
      const double g2 = from.s * from.s - to.s * to.s;
      EXPECT_NEAR(back.x, 1, 1e-12);
      EXPECT_NEAR(back.score, g2, 1e-12);
      EXPECT_NEAR(back.noise, std::sqrt(g2), 1e-12);
      EXPECT_NEAR(anc.noise, std::sqrt(to.s * to.s * g2 / (from.s * from.s)), 1e-12);
    }
    if (sde.kind == SdeKind::sub_vp) {  // Kingma et al. 2021: (a_s/a_t)(x - s_t c e) + s_s sqrt(c) z, e = -s_t S
      const double c = -std::expm1(from.log_snr - to.log_snr);
      EXPECT_NEAR(anc.x, to.a / from.a, 1e-12);
      EXPECT_NEAR(anc.score, to.a / from.a * from.s * c * from.s, 1e-12);
      EXPECT_NEAR(anc.noise, to.s * std::sqrt(c), 1e-12);
    }
    const Step d = ddim(from, to, 0.7);
    const double w2 = 0.49 * to.s * to.s * -std::expm1(from.log_snr - to.log_snr);
    EXPECT_NEAR(d.x, to.a / from.a, 1e-12);
    EXPECT_NEAR(d.score, from.s * (to.a / from.a * from.s - std::sqrt(to.s * to.s - w2)), 1e-12);
    EXPECT_NEAR(d.noise, std::sqrt(w2), 1e-12);
    // DDIM with eta 1 is the chain with the posterior's variance.
    EXPECT_NEAR(ddim(from, to, 1).score, move.variance / move.alpha, 1e-9 * (1 + move.variance));
    EXPECT_NEAR(ddim(from, to, 1).noise, std::sqrt(move.posterior), 1e-12);
  }
}

TEST(Transition, IsTheForwardSdes) {
  for (const Sde& sde : all) {
    const Level a = level_at(sde, 0.7), b = level_at(sde, 0.4), c = level_at(sde, 0.1);
    const Transition whole = transition(a, c), late = transition(a, b), early = transition(b, c);
    EXPECT_NEAR(whole.alpha, late.alpha * early.alpha, 1e-12);
    EXPECT_NEAR(whole.variance, late.alpha * late.alpha * early.variance + late.variance, 1e-10 * whole.variance);
    const double dt = 1e-6, t = 0.3;
    const Transition brief = transition(level_at(sde, t + dt), level_at(sde, t));
    EXPECT_NEAR(brief.variance / dt, kernels::diffusion_squared(sde, t), 1e-4 * kernels::diffusion_squared(sde, t));
    EXPECT_NEAR((brief.alpha - 1) / dt, kernels::drift_coefficient(sde, t), 1e-4);
  }
}

TEST(Ddim, IsTheSameInTheCoordinatesOfVe) {
  const Sde& sde = all[0];
  double x = 0.8, y = x / level_at(sde, 1).a;
  const auto grid = levels(flow_settings(deterministic, 30));
  for (std::size_t i = 0; i + 1 < grid.size(); ++i) {
    const Level &from = grid[i], &to = grid[i + 1];
    const auto exploding = [](const Level& l) { return Level{.t = l.t, .a = 1, .s = l.s / l.a, .log_snr = l.log_snr}; };
    const double score = std::sin(3 * x) - x;  // a function of the same point in both
    const Step vp = ddim(from, to, 0), ve = ddim(exploding(from), exploding(to), 0);
    x = vp.x * x + vp.score * score;
    y = ve.x * y + ve.score * from.a * score;
    EXPECT_NEAR(y * to.a, x, 1e-12);
  }
}

TEST(DpmSolver, TakesDdimsStepFirst) {
  for (const Sde& sde : all) {
    Settings one = flow_settings(deterministic, 1), other = flow_settings(DpmSolver2M{}, 1);
    one.sde = other.sde = sde;
    const auto score = likelihood::tests::untrained_score(sde, 5, 2);
    const Samples expected = draw(score, first(2), one), found = draw(score, first(2), other);
    for (std::size_t n : {0, 1}) {
      for (std::size_t i = 0; i < 5; ++i)
        EXPECT_NEAR(found.x[n][i], expected.x[n][i], 1e-12 * (1 + std::abs(expected.x[n][i])));
    }
  }
}

TEST(Grid, EndsWhereItShouldAndIsSpacedAsItSays) {
  for (const Sde& sde : all) {
    for (Spacing spacing : {Spacing::uniform_time, Spacing::uniform_log_snr, Spacing::rho}) {
      for (Finish finish : {Finish::noise_free, Finish::tweedie}) {
        const auto grid = levels(
            {.sde = sde, .smallest_time = 0.02, .spacing = spacing, .finish = finish, .steps = 7, .progress = {}});
        ASSERT_EQ(grid.size(), finish == Finish::tweedie ? 7u : 8u);
        EXPECT_EQ(grid.front().t, 1);
        EXPECT_EQ(grid.back().t, 0.02);
        const auto place = [&](const Level& l) {
          return spacing == Spacing::uniform_time      ? l.t
                 : spacing == Spacing::uniform_log_snr ? std::log(l.a / l.s)
                                                       : std::pow(l.s / l.a, 1.0 / 7);
        };
        const double width = place(grid[1]) - place(grid[0]);
        for (std::size_t i = 1; i < grid.size(); ++i)
          EXPECT_NEAR(place(grid[i]) - place(grid[i - 1]), width, 1e-9 * std::abs(width));
      }
    }
    EXPECT_EQ(levels({.sde = sde, .finish = Finish::tweedie, .steps = 1, .progress = {}}).size(), 1u);
  }
}

}  // namespace
}  // namespace core::sampling::tests
