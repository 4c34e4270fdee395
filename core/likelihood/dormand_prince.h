// Dormand and Prince's embedded Runge-Kutta method of orders 5(4) for a batch of independent problems.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>

namespace core::likelihood {

/// Problem `problem[i]` at time t[i] in state x[i,:]: its derivative into dxdt[i,:].
using Derivative = std::function<void(std::span<const std::int64_t> problem, std::span<const double> t,
                                      std::span<const double> x, std::span<double> dxdt)>;

/// The size of an error in units of what is tolerated, at most 1 for a step that is taken. `x` and `dxdt` are those
/// before a step of length h.
using ErrorNorm = std::function<double(std::span<const double> x, std::span<const double> dxdt,
                                       std::span<const double> error, double h)>;

/// Root mean square of error / (tolerance (1 + |x| + |h dxdt|)).
double rms_error(std::span<const double> x, std::span<const double> dxdt, std::span<const double> error, double h,
                 double tolerance);

struct Interval {
  double from, to;  // from < to
};

/// The length of the first step, > 0, and how many evaluations a problem may take, >= 7.
struct Steps {
  double first;
  std::int64_t max_evaluations;
};

/// Why a problem cannot be solved.
enum class Obstacle { not_finite, steps_too_small, too_many_evaluations };

/// A problem that cannot be solved, and how far it came.
struct Unsolvable : std::runtime_error {
  Unsolvable(Obstacle obstacle, std::int64_t problem, double t);
  Obstacle obstacle;
  std::int64_t problem;
  double t;
};

/// Solves problems 0..count-1 on the interval, each with its own steps: a step is accepted where the norm of its error
/// is at most 1; lengths change by the rules of Boost.Odeint's default_step_adjuster. At most `batch` problems are in
/// the hands of one call; a finished one makes room for the next. `start` fills a problem's first state, `finish` is
/// given its last one and the number of evaluations. What happens to a problem does not depend on the others. Throws
/// Unsolvable where a step becomes too small, as derivatives that are not finite make it, or evaluations too many.
void integrate(
    std::int64_t count, std::int64_t batch, std::int64_t width, const Interval& interval, const Steps& steps,
    const Derivative& derivative, const ErrorNorm& norm,
    const std::function<void(std::int64_t problem, std::span<double> x)>& start,
    const std::function<void(std::int64_t problem, std::span<const double> x, std::int64_t evaluations)>& finish);

}  // namespace core::likelihood
