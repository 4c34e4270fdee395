// The batched integrator step for step against Boost.Odeint's.
#include <gtest/gtest.h>

#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <cmath>
#include <vector>

#include "core/likelihood/dormand_prince.h"

namespace core::likelihood {
namespace {

using State = std::vector<double>;
constexpr double tolerance = 1e-6;

/// Odeint's own rules with our norm of the error.
struct OurNorm {
  using value_type = double;
  template <typename... Ignored>
  explicit OurNorm(Ignored&&...) {}
  template <typename Algebra>
  double error(Algebra&, const State& x, const State& dxdt, State& error, double h) const {
    return rms_error(x, dxdt, error, h, tolerance);
  }
  template <typename Algebra>
  double error(const State& x, const State& dxdt, State& error, double h) const {
    return rms_error(x, dxdt, error, h, tolerance);
  }
};

/// A stiffness that varies, different for every problem.
void slope(std::int64_t problem, double t, const double* x, double* dxdt) {
  const double k = 1 + static_cast<double>(problem);
  dxdt[0] = -k * (x[0] - std::sin(3 * t)) + 0.3 * x[1];
  dxdt[1] = std::cos(k * t) - x[0] * x[1];
  dxdt[2] = x[0] - 2 * x[2] + 0.1 * k;
}

TEST(DormandPrince, TakesTheStepsOfOdeint) {
  namespace odeint = boost::numeric::odeint;
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
    using Stepper = odeint::runge_kutta_dopri5<State>;
    odeint::controlled_runge_kutta<Stepper, OurNorm> stepper{OurNorm()};
    State x = {1, 0.5 * static_cast<double>(problem), -1};
    double t = from, h = first;
    std::int64_t n = 1;  // the first slope
    while (t < to) {
      h = std::min(h, to - t);
      stepper.try_step([&](const State& y, State& dydt, double s) { slope(problem, s, y.data(), dydt.data()); }, x, t,
                       h);
      n += 6;
    }
    for (std::size_t d = 0; d < 3; ++d)
      EXPECT_NEAR(ours[static_cast<std::size_t>(problem)][d], x[d], 1e-12 * (1 + std::abs(x[d]))) << problem;
    EXPECT_EQ(evaluations[static_cast<std::size_t>(problem)], n) << problem;
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
