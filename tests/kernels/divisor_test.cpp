#include "kernels/divisor.h"

#include <gtest/gtest.h>

#include <limits>

namespace kernels {
namespace {

TEST(Divisor, AgreesWithDivision) {
  constexpr int largest = std::numeric_limits<int>::max();
  for (int d : {1,           2,      3,     5,     7,     9,       10,
                16,          25,     31,    32,    33,    641,     1023,
                1024,        1025,   65535, 65536, 46341, 1 << 30, (1 << 30) + 1,
                largest - 1, largest}) {
    const Divisor divisor(d);
    EXPECT_EQ(divisor.value, d);
    const auto expect = [&](int n) {
      ASSERT_EQ(divisor.quotient(n), n / d) << n << " / " << d;
      ASSERT_EQ(divisor.remainder(n), n % d) << n << " % " << d;
    };
    for (int n = 0; n < 5000; ++n) expect(n), expect(largest - n);
    // Around multiples, where a quotient that is rounded wrongly shows.
    for (std::int64_t multiple = d; multiple <= largest; multiple += std::int64_t{d} * (1 + largest / d / 1000))
      for (const std::int64_t n : {multiple - 1, multiple, multiple + 1})
        if (n <= largest) expect(static_cast<int>(n));
  }
}

}  // namespace
}  // namespace kernels
