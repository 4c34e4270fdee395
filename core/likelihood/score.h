// What the likelihood and the samplers need of a model: its score, for a batch of images each at its own time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace core::likelihood {

/// Any score, a network's or an analytic one. t[n] in [0,1], x and score [n,dims], n at most `batch`.
struct Score {
  std::int64_t dims = 0;
  std::int64_t batch = 0;  // most images per call
  /// score = grad_x log p_t(x).
  std::function<void(std::span<const double> t, std::span<const double> x, std::span<double> score)> value;
  /// Also trace[n] = v^T (d score/dx) v for the probes v[n,dims] (Skilling 1989, Hutchinson 1990).
  std::function<void(std::span<const double> t, std::span<const double> x, std::span<const double> probe,
                     std::span<double> score, std::span<double> trace)>
      with_trace;
};

/// The exit status of a score that nothing can be computed with.
inline constexpr int score_status = 5;

/// Throws RunError with score_status, naming the image and its time.
[[noreturn]] void refuse_score(std::int64_t image, double t, std::string_view why);

/// refuse_score unless every value of one image's score is finite.
void require_finite(std::span<const double> score, std::int64_t image, double t);

}  // namespace core::likelihood
