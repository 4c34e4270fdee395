#include "core/likelihood/score.h"

#include <cmath>

#include "kernels/check.h"

namespace core::likelihood {

void refuse_score(std::int64_t image, double t, std::string_view why) {
  throw kernels::RunError(
      fmt::format("image {} at t = {:.6g}: {}: no likelihood and no sample follow from such a network; use an earlier "
                  "checkpoint, or train again with a smaller optimizer.learning_rate",
                  image, t, why),
      score_status);
}

void require_finite(std::span<const double> score, std::int64_t image, double t) {
  for (double value : score) {
    if (!std::isfinite(value)) refuse_score(image, t, fmt::format("the score is {}", value));
  }
}

}  // namespace core::likelihood
