#include "core/likelihood/dormand_prince.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

namespace core::likelihood {
namespace {

constexpr int stages = 7;
// Dormand and Prince 1980. The last row gives the step, and its point is the first stage of the next one.
constexpr double nodes[stages] = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
constexpr double coefficients[stages][6] = {{},
                                            {1.0 / 5},
                                            {3.0 / 40, 9.0 / 40},
                                            {44.0 / 45, -56.0 / 15, 32.0 / 9},
                                            {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
                                            {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
                                            {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
constexpr double error_weights[stages] = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                                          -17253.0 / 339200, 22.0 / 525, -1.0 / 40};
constexpr double error_order = 4, step_order = 5;

/// One problem on its way.
struct Lane {
  std::int64_t problem;
  double t, h;
  std::int64_t evaluations = 0;
  bool started = false;  // k[0] is known
  std::vector<double> x, next, k[stages];
};

/// The length of the next try, by Odeint's rules.
double adjusted(double h, double error) {
  if (error > 1) return h * std::max(0.9 * std::pow(error, -1 / (error_order - 1)), 0.2);
  if (error < 0.5) return h * 0.9 * std::pow(std::max(std::pow(5.0, -step_order), error), -1 / step_order);
  return h;
}

class Integration {
 public:
  Integration(std::int64_t width, const Interval& interval, const Steps& steps, const Derivative& derivative,
              const ErrorNorm& norm)
      : width_(static_cast<std::size_t>(width)),
        interval_(interval),
        steps_(steps),
        derivative_(derivative),
        norm_(norm) {}

  Lane begin(std::int64_t problem) const {
    Lane lane{.problem = problem,
              .t = interval_.from,
              .h = steps_.first,
              .x = std::vector<double>(width_),
              .next = {},
              .k = {}};
    lane.next = lane.x;
    for (auto& k : lane.k) k = lane.x;
    return lane;
  }

  /// One try of every lane: six evaluations; a lane that has just begun uses the first to find its slope.
  void try_step(std::vector<Lane>& lanes) {
    std::vector<Lane*> fresh, going;
    for (Lane& lane : lanes) {
      (lane.started ? going : fresh).push_back(&lane);
      lane.h = std::min(lane.h, interval_.to - lane.t);
    }
    for (int stage = 1; stage < stages; ++stage) {
      std::vector<Lane*> called = going;
      for (Lane* lane : going) combine(*lane, stage);
      if (stage == 1) {
        called.insert(called.end(), fresh.begin(), fresh.end());
        for (Lane* lane : fresh) lane->next = lane->x;
      }
      if (!called.empty()) evaluate(called, stage);
    }
    for (Lane* lane : fresh) {
      lane->k[0] = lane->k[1];
      lane->started = true;
    }
    for (Lane* lane : going) decide(*lane);
  }

 private:
  /// next = x + h sum_j a[stage][j] k_j.
  void combine(Lane& lane, int stage) const {
    for (std::size_t i = 0; i < width_; ++i) {
      double sum = 0;
      for (int j = 0; j < stage; ++j) sum += coefficients[stage][j] * lane.k[j][i];
      lane.next[i] = lane.x[i] + lane.h * sum;
    }
  }

  void evaluate(const std::vector<Lane*>& lanes, int stage) {
    problems_.clear();
    times_.clear();
    states_.clear();
    for (Lane* lane : lanes) {
      problems_.push_back(lane->problem);
      times_.push_back(lane->started ? lane->t + nodes[stage] * lane->h : lane->t);
      states_.insert(states_.end(), lane->next.begin(), lane->next.end());
      ++lane->evaluations;
    }
    slopes_.resize(states_.size());
    derivative_(problems_, times_, states_, slopes_);
    for (std::size_t i = 0; i < lanes.size(); ++i)
      std::copy_n(slopes_.begin() + static_cast<std::ptrdiff_t>(i * width_), width_, lanes[i]->k[stage].begin());
  }

  void decide(Lane& lane) {
    error_.resize(width_);
    bool finite = true;
    for (std::size_t i = 0; i < width_; ++i) {
      double sum = 0;
      for (int j = 0; j < stages; ++j) sum += error_weights[j] * lane.k[j][i];
      error_[i] = lane.h * sum;
      finite = finite && std::isfinite(error_[i]);
    }
    const double error = finite ? norm_(lane.x, lane.k[0], error_, lane.h) : std::numeric_limits<double>::infinity();
    const double h = lane.h;
    lane.h = adjusted(h, error);
    if (error <= 1) {
      const bool last = interval_.to - (lane.t + h) <= 1e-12 * (interval_.to - interval_.from);
      lane.t = last ? interval_.to : lane.t + h;
      lane.x.swap(lane.next);
      lane.k[0].swap(lane.k[stages - 1]);
    } else if (!(lane.h > 1e-10 * (interval_.to - interval_.from))) {
      throw Unsolvable(finite ? Obstacle::steps_too_small : Obstacle::not_finite, lane.problem, lane.t);
    }
    if (lane.t < interval_.to && lane.evaluations + stages - 1 > steps_.max_evaluations)
      throw Unsolvable(Obstacle::too_many_evaluations, lane.problem, lane.t);
  }

  std::size_t width_;
  Interval interval_;
  Steps steps_;
  const Derivative& derivative_;
  const ErrorNorm& norm_;
  std::vector<std::int64_t> problems_;
  std::vector<double> times_, states_, slopes_, error_;
};

}  // namespace

Unsolvable::Unsolvable(Obstacle obstacle_, std::int64_t problem_, double t_)
    : std::runtime_error(fmt::format("problem {} cannot be solved beyond {:.6g}", problem_, t_)),
      obstacle(obstacle_),
      problem(problem_),
      t(t_) {}

double rms_error(std::span<const double> x, std::span<const double> dxdt, std::span<const double> error, double h,
                 double tolerance) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double scaled = error[i] / (tolerance * (1 + std::abs(x[i]) + std::abs(h * dxdt[i])));
    sum += scaled * scaled;
  }
  return std::sqrt(sum / static_cast<double>(x.size()));
}

void integrate(
    std::int64_t count, std::int64_t batch, std::int64_t width, const Interval& interval, const Steps& steps,
    const Derivative& derivative, const ErrorNorm& norm,
    const std::function<void(std::int64_t problem, std::span<double> x)>& start,
    const std::function<void(std::int64_t problem, std::span<const double> x, std::int64_t evaluations)>& finish) {
  Integration integration(width, interval, steps, derivative, norm);
  std::vector<Lane> lanes;
  std::int64_t waiting = 0;  // the next problem that has no lane yet
  while (true) {
    std::erase_if(lanes, [&](const Lane& lane) {
      if (lane.t < interval.to) return false;
      finish(lane.problem, lane.x, lane.evaluations);
      return true;
    });
    for (; waiting < count && std::ssize(lanes) < batch; ++waiting) {
      lanes.push_back(integration.begin(waiting));
      start(waiting, lanes.back().x);
    }
    if (lanes.empty()) return;
    integration.try_step(lanes);
  }
}

}  // namespace core::likelihood
