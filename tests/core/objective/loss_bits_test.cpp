#include "core/objective/loss_bits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace core::objective {
namespace {

using kernels::TimeLaw;
using kernels::TimeSampling;
using kernels::Weighting;

/// |noise error|^2 per dimension of some network.
double residual(const TimeLaw& law, double t) {
  const double lambda = kernels::log_snr(law.sde, t);
  return 1 / (1 + std::exp(0.3 * lambda));
}

TEST(LossBits, AreTheDiffusionTermHoweverTimesAreDrawnAndWeighted) {
  for (kernels::SdeKind kind : {kernels::SdeKind::vp, kernels::SdeKind::sub_vp, kernels::SdeKind::ve}) {
    TimeLaw law{.sde = {.kind = kind}, .smallest_time = 1e-2};
    const double high = kernels::log_snr(law.sde, law.smallest_time), low = kernels::log_snr(law.sde, 1.0);
    double integral = 0;  // 1/2 int residual dlambda, bits
    const int n = 200000;
    for (int i = 0; i < n; ++i) {
      const double lambda = low + (high - low) * (i + 0.5) / n;
      integral += 0.5 / (1 + std::exp(0.3 * lambda)) * (high - low) / n / std::numbers::ln2;
    }
    for (TimeSampling sampling : {TimeSampling::uniform, TimeSampling::importance}) {
      for (Weighting weighting : {Weighting::simple, Weighting::likelihood}) {
        law.sampling = sampling;
        law.weighting = weighting;
        LossBits bits;
        for (int i = 0; i < n; ++i) {
          const double t = kernels::sample_time(law, (i + 0.5) / n);
          bits.add(law, t, kernels::training_weight(law, t) * residual(law, t));
        }
        EXPECT_NEAR(bits.mean() / integral, 1, 1e-4);
        EXPECT_EQ(bits.images(), n);
        double mean = 0;
        for (int bin = 0; bin < LossBits::bins; ++bin) mean += bits.by_log_snr(bin) / LossBits::bins;
        EXPECT_NEAR(mean / integral, 1, 0.02);
        EXPECT_GT(bits.by_log_snr(LossBits::bins - 1), bits.by_log_snr(0));  // the last bin is the noisiest
      }
    }
  }
}

TEST(LossBits, AddUpOverRanks) {
  const TimeLaw law{};
  LossBits all, first, second;
  for (int i = 0; i < 10; ++i) {
    const double t = 0.05 + 0.09 * i;
    all.add(law, t, i);
    (i < 4 ? first : second).add(law, t, i);
  }
  first.add(LossBits(second.numbers()));
  EXPECT_DOUBLE_EQ(first.mean(), all.mean());
  EXPECT_EQ(first.images(), 10);
}

}  // namespace
}  // namespace core::objective
