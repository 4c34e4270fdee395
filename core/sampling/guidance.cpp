#include "core/sampling/guidance.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace core::sampling {

likelihood::Score guided(likelihood::Score conditional, likelihood::Score unconditional, double weight) {
  const std::int64_t dims = conditional.dims, batch = std::min(conditional.batch, unconditional.batch);
  return {.dims = dims,
          .batch = batch,
          .value =
              [conditional = std::move(conditional), unconditional = std::move(unconditional), weight](
                  std::span<const double> t, std::span<const double> x, std::span<double> score) {
                std::vector<double> of_class(score.size());
                conditional.value(t, x, of_class);
                unconditional.value(t, x, score);
                for (std::size_t i = 0; i < score.size(); ++i) score[i] += weight * (of_class[i] - score[i]);
              },
          .with_trace = {}};
}

}  // namespace core::sampling
