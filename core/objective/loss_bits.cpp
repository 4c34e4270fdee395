#include "core/objective/loss_bits.h"

#include <algorithm>
#include <numbers>

namespace core::objective {

LossBits::LossBits(std::span<const double> numbers) {
  kernels::ensure(numbers.size() == numbers_.size(), "as many sums as LossBits has");
  std::copy(numbers.begin(), numbers.end(), numbers_.begin());
}

void LossBits::add(const kernels::TimeLaw& law, double time, double loss) {
  const double range = kernels::log_snr(law.sde, law.smallest_time) - kernels::log_snr(law.sde, 1.0);
  const double residual = loss / kernels::training_weight(law, time);  // mean |noise error|^2 per dimension
  // residual is worth (1/2) dlambda: by the density that times were drawn with, or as if this were the whole range.
  const double whole_range = residual * range / (2 * std::numbers::ln2);
  const double density = law.sampling == kernels::TimeSampling::importance
                             ? 1.0
                             : (1 - law.smallest_time) * kernels::log_snr_rate(law.sde, time) / range;
  const double position = (kernels::log_snr(law.sde, law.smallest_time) - kernels::log_snr(law.sde, time)) / range;
  const int bin = std::clamp(static_cast<int>(position * bins), 0, bins - 1);
  numbers_[0] += 1;
  numbers_[1] += whole_range * density;
  numbers_[bin_sum(bin)] += whole_range;
  numbers_[bin_images(bin)] += 1;
}

void LossBits::add(const LossBits& other) {
  for (std::size_t i = 0; i < numbers_.size(); ++i) numbers_[i] += other.numbers_[i];
}

}  // namespace core::objective
