// Mean and variance of a channel from what its parts know, for both compilers.
#pragma once

#include "kernels/portable.h"

namespace kernels {

/// What is known of a channel after some pixels: sums of y - pivot and of its square, in single precision. The pivot is
/// one of them or near their mean, so that a large mean does not drown a small variance.
struct PivotedSums {
  float pivot, sum, sum_squares;
};

/// Mean and biased variance of all pixels of some parts (Chan, Golub and LeVeque 1983).
class Moments {
 public:
  PORTABLE void add(const PivotedSums& part, double count) {
    if (count_ == 0) pivot_ = part.pivot;
    const double shift = part.pivot - pivot_;
    squares_ += part.sum_squares + shift * (2.0 * part.sum + count * shift);
    sum_ += part.sum + count * shift;
    count_ += count;
  }
  /// The same of all these pixels.
  PORTABLE PivotedSums known() const {
    const float pivot = mean();
    const double shift = pivot - pivot_;
    return {pivot, static_cast<float>(sum_ - count_ * shift),
            static_cast<float>(squares_ - shift * (2.0 * sum_ - count_ * shift))};
  }
  PORTABLE float mean() const { return static_cast<float>(pivot_ + sum_ / count_); }
  PORTABLE float variance() const {
    const double variance = (squares_ - sum_ * sum_ / count_) / count_;
    return static_cast<float>(variance < 0 ? 0 : variance);  // a NaN stays
  }

 private:
  double pivot_ = 0, sum_ = 0, squares_ = 0, count_ = 0;  // sums of y - pivot_
};

}  // namespace kernels
