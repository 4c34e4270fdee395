// The batched integrator step for step against Boost.Odeint's.
#include <gtest/gtest.h>

#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <cmath>
#include <vector>

#include "core/likelihood/dormand_prince.h"
#include "core/likelihood/estimate.h"
#include "tests/core/likelihood/mixture.h"

namespace core::likelihood {
namespace {

using State = std::vector<double>;
constexpr double tolerance = 1e-6;

/// Odeint's own rules with our norm of the error.
template <double (*norm)(const State& x, const State& dxdt, const State& error, double h)>
struct OurNorm {
  using value_type = double;
  template <typename... Ignored>
  explicit OurNorm(Ignored&&...) {}
  template <typename Algebra>
  double error(Algebra&, const State& x, const State& dxdt, State& error, double h) const {
    return norm(x, dxdt, error, h);
  }
  template <typename Algebra>
  double error(const State& x, const State& dxdt, State& error, double h) const {
    return norm(x, dxdt, error, h);
  }
};

double root_mean_square(const State& x, const State& dxdt, const State& error, double h) {
  return rms_error(x, dxdt, error, h, tolerance);
}

/// Of a likelihood: the largest of the image's root mean square and the log-density's own.
double of_image_and_density(const State& x, const State& dxdt, const State& error, double h) {
  const std::size_t d = x.size() - 1;
  double sum = 0;
  for (std::size_t i = 0; i < d; ++i)
    sum += std::pow(error[i] / (tolerance * (1 + std::abs(x[i]) + std::abs(h * dxdt[i]))), 2);
  return std::max(std::sqrt(sum / static_cast<double>(d)),
                  std::abs(error[d]) / (tolerance * (static_cast<double>(d) + std::abs(x[d]))));
}

/// Boost's solution from x on, in place; returns the number of evaluations.
template <double (*norm)(const State& x, const State& dxdt, const State& error, double h), typename Slope>
std::int64_t solve_with_odeint(const Slope& slope, State& x, double from, double to, double first) {
  namespace odeint = boost::numeric::odeint;
  odeint::controlled_runge_kutta<odeint::runge_kutta_dopri5<State>, OurNorm<norm>> stepper{OurNorm<norm>()};
  double t = from, h = first;
  std::int64_t n = 1;  // the first slope
  while (to - t > 1e-12 * (to - from)) {
    h = std::min(h, to - t);
    stepper.try_step(slope, x, t, h);
    n += 6;
  }
  return n;
}

/// A stiffness that varies, different for every problem.
void slope(std::int64_t problem, double t, const double* x, double* dxdt) {
  const double k = 1 + static_cast<double>(problem);
  dxdt[0] = -k * (x[0] - std::sin(3 * t)) + 0.3 * x[1];
  dxdt[1] = std::cos(k * t) - x[0] * x[1];
  dxdt[2] = x[0] - 2 * x[2] + 0.1 * k;
}

TEST(DormandPrince, TakesTheStepsOfOdeint) {
  const double from = 0, to = 4, first = 0.01;
  const std::int64_t count = 7;

  std::vector<State> ours(static_cast<std::size_t>(count));
  std::vector<std::int64_t> evaluations(static_cast<std::size_t>(count));
  integrate(
      count, 3, 3, {from, to}, {first, 10'000},
      [](auto problems, auto t, auto x, auto dxdt) {
        for (std::size_t i = 0; i < problems.size(); ++i) slope(problems[i], t[i], &x[3 * i], &dxdt[3 * i]);
      },
      [](auto x, auto dxdt, auto error, double h) { return rms_error(x, dxdt, error, h, tolerance); },
      [](std::int64_t i, std::span<double> x) { x[0] = 1, x[1] = 0.5 * static_cast<double>(i), x[2] = -1; },
      [&](std::int64_t i, auto x, std::int64_t n) {
        ours[static_cast<std::size_t>(i)].assign(x.begin(), x.end());
        evaluations[static_cast<std::size_t>(i)] = n;
      });

  for (std::int64_t problem = 0; problem < count; ++problem) {
    State x = {1, 0.5 * static_cast<double>(problem), -1};
    const std::int64_t n = solve_with_odeint<root_mean_square>(
        [&](const State& y, State& dydt, double s) { slope(problem, s, y.data(), dydt.data()); }, x, from, to, first);
    for (std::size_t d = 0; d < 3; ++d)
      EXPECT_NEAR(ours[static_cast<std::size_t>(problem)][d], x[d], 1e-12 * (1 + std::abs(x[d]))) << problem;
    EXPECT_EQ(evaluations[static_cast<std::size_t>(problem)], n) << problem;
  }
}

// The likelihood of single images, with the flow written down once more, for VP in tau = -log-SNR: a^2 = 1/(1 + e^tau),
// s^2 = 1 - a^2, dx/dtau = -s^2/2 (x + score), and t from B = log(1 + e^tau).
TEST(OdeLikelihood, OfSingleImagesTakesTheStepsOfOdeint) {
  const kernels::Sde sde{};
  const double b0 = sde.beta_min, b1 = sde.beta_max, smallest_time = 1e-4;
  const tests::Mixture mixture{sde};
  const auto slope = [&](const State& x, State& dxdt, double tau) {
    const double big_b = std::log1p(std::exp(tau)), s2 = 1 / (1 + std::exp(-tau));
    const double t = 2 * big_b / (b0 + std::sqrt(b0 * b0 + 2 * (b1 - b0) * big_b));
    double log_density, score[2], trace;
    mixture.at(t, x.data(), log_density, score, trace);
    for (std::size_t i : {0, 1}) dxdt[i] = -s2 / 2 * (x[i] + score[i]);
    dxdt[2] = -s2 / 2 * (2 + trace);
  };
  const auto tau_at = [&](double t) { return std::log(std::expm1(b0 * t + (b1 - b0) * t * t / 2)); };
  const double from = tau_at(smallest_time), to = tau_at(1), first = (to - from) / 100;

  const std::vector<State> images = {{0.1, 0.2}, {-0.5, -0.3}, {0.9, -0.7}, {0.6, 0.4}, {-2, 2}};
  const auto found = ode_continuous(
      mixture.score(), {.sde = sde, .smallest_time = smallest_time, .ode_tolerance = tolerance}, std::ssize(images),
      [&](std::int64_t i, std::span<double> x, std::span<double> probe) {
        std::ranges::copy(images[static_cast<std::size_t>(i)], x.begin());
        std::ranges::fill(probe, 1);
      },
      {});
  for (std::size_t i = 0; i < images.size(); ++i) {
    State x = {images[i][0], images[i][1], 0};
    const std::int64_t evaluations = solve_with_odeint<of_image_and_density>(slope, x, from, to, first);
    const double nats = std::log(2 * std::numbers::pi) + (x[0] * x[0] + x[1] * x[1]) / 2 - x[2];
    EXPECT_EQ(found[i].evaluations, evaluations) << i;
    EXPECT_NEAR(found[i].nats, nats, 1e-9 * (1 + std::abs(nats))) << i;
    EXPECT_GT(evaluations, 100) << i;
  }
}

TEST(DormandPrince, IsOfFifthOrder) {
  const auto solve = [](double step) {
    double result = 0;
    integrate(
        1, 1, 1, {0, 1}, {step, 10'000}, [](auto, auto t, auto x, auto dxdt) { dxdt[0] = x[0] * std::cos(t[0]); },
        [](auto, auto, auto, double) { return 0.9; }, [](auto, auto x) { x[0] = 1; },
        [&](auto, auto x, auto) { result = x[0]; });
    return std::abs(result - std::exp(std::sin(1.0)));
  };
  EXPECT_NEAR(std::log2(solve(0.1) / solve(0.05)), 5, 0.5);
}

}  // namespace
}  // namespace core::likelihood
