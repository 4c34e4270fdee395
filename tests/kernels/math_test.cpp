#include "kernels/math.h"

#include <gtest/gtest.h>

#include <limits>

namespace kernels {
namespace {

/// Error of `got` in units of the last place of the float nearest to `wanted`.
double error_in_ulp(float got, double wanted) {
  int exponent = 0;
  std::frexp(wanted, &exponent);
  return std::abs(got - wanted) / std::ldexp(1.0, exponent - 24);
}

TEST(FastExp, IsWithinOneUlpWhereTheResultIsNormal) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits <= 0xffffffffu; bits += 1009) {  // all exponents, both signs
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (x > -87.33f && x < 88.72f) worst = std::max(worst, error_in_ulp(fast_exp(x), std::exp(double{x})));
  }
  EXPECT_LT(worst, 1.0);
  EXPECT_GT(worst, 0.5);  // no float function does better: the loop has looked at something
}

TEST(FastExp, KeepsItsValueBeyondTheNormalRange) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(fast_exp(88.73f), infinity);
  EXPECT_EQ(fast_exp(infinity), infinity);
  EXPECT_EQ(fast_exp(-infinity), 0.0f);
  EXPECT_EQ(fast_exp(-105.0f), 0.0f);
  EXPECT_NEAR(fast_exp(-95.0f), std::exp(-95.0), std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(std::isnan(fast_exp(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Silu, AgreesWithItsDefinitionAndItsDerivativeWithTheClosedForm) {
  for (double x = -120; x <= 120; x += 0.0625) {
    const auto f = static_cast<float>(x);
    const double s = 1 / (1 + std::exp(-x));
    EXPECT_NEAR(sigmoid(f), s, 2e-7 * s + 1e-38);
    EXPECT_NEAR(silu(f), x * s, 2e-7 * std::abs(x * s) + 1e-36);
    EXPECT_NEAR(silu_derivative(f), s * (1 + x * (1 - s)), 3e-7 * (1 + std::abs(x) * s));
  }
}

}  // namespace
}  // namespace kernels
