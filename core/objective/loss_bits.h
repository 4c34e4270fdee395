// The training loss in the unit that people compare: bits per dimension of the bound's diffusion term.
#pragma once

#include <array>
#include <span>

#include "kernels/check.h"
#include "kernels/sde.h"

namespace core::objective {

/// Sums over images; mean() and by_log_snr() are estimates of the diffusion term (ScoreFlow, Theorem 3, collapsed
/// form), bits/dim.
class LossBits {
 public:
  static constexpr int bins = 10;  // equal parts of the log-SNR range, bin 0 at the smallest time

  LossBits() = default;
  /// The sums that numbers() gave, from here or added over ranks.
  explicit LossBits(std::span<const double> numbers);

  /// One image: its training loss (weighted squared residual per dimension) at its time.
  void add(const kernels::TimeLaw& law, double time, double loss);
  void add(const LossBits& other);
  std::span<const double> numbers() const { return numbers_; }

  double images() const { return numbers_[0]; }
  double mean() const { return numbers_[1] / numbers_[0]; }
  /// What the term would be if every time had the mean residual of this bin: the mean over bins is the term. NaN where
  /// no image fell into the bin.
  double by_log_snr(int bin) const { return numbers_[bin_sum(bin)] / numbers_[bin_images(bin)]; }

 private:
  static constexpr std::size_t bin_sum(int bin) { return 2 + static_cast<std::size_t>(bin); }
  static constexpr std::size_t bin_images(int bin) { return 2 + bins + static_cast<std::size_t>(bin); }
  std::array<double, 2 + 2 * bins> numbers_{};  // images, sum of bits, then per bin sums and images
};

}  // namespace core::objective
