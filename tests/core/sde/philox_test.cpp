#include "kernels/philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace kernels {
namespace {

TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  // kat_vectors of the Random123 distribution, philox4x32 with 10 rounds; they also fix how the counter is packed.
  const auto expect = [](const Words& w, std::vector<std::uint32_t> expected) {
    EXPECT_EQ(std::vector<std::uint32_t>(w.word, w.word + 4), expected);
  };
  expect(philox(0, Stream{0}, 0, 0), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  expect(philox(~0ull, Stream{0xff}, ~0ull, ~0u, 0xffffff), {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  expect(philox(0x299f31d0a4093822, Stream{0x44}, 0x85a308d3243f6a88, 0x13198a2e, 0x037073),
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST(Philox, EveryArgumentMatters) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed : {1ull, 1ull << 40}) {
    for (Stream stream : {Stream::noise, Stream::time, Stream::probe, Stream::sampling}) {
      for (std::uint64_t image : {0ull, 5ull, 5ull << 32}) {
        for (std::uint32_t block : {0u, 5u}) {
          for (std::uint32_t site : {0u, 1u, 70000u}) seen.insert(philox(seed, stream, image, block, site).word[0]);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), 2u * 4 * 3 * 2 * 3);
}

TEST(Uniform, StaysBelowOne) {
  EXPECT_EQ(uniform_float(0), 0.0f);
  EXPECT_EQ(uniform_float(~0u), 1 - 0x1p-24f);
  EXPECT_EQ(uniform_double(0, 0), 0.0);
  EXPECT_EQ(uniform_double(~0u, ~0u), 1 - 0x1p-53);
  EXPECT_EQ(uniform_double(0, 1u << 11), 0x1p-53);
  EXPECT_EQ(uniform_double(1, 0), 0x1p-32);
}

/// Largest distance of the sample's distribution from the standard normal one (Kolmogorov and Smirnov).
double distance_from_normal(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = 0.5 * std::erfc(-values[i] / std::sqrt(2.0)), rank = static_cast<double>(i);
    worst = std::max({worst, p - rank / n, (rank + 1) / n - p});
  }
  return worst;
}

TEST(Normal, IsNormalAndItsPairsAreIndependent) {
  std::vector<double> floats, doubles;
  double product = 0, square_product = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const Words w = philox(3, Stream::noise, static_cast<std::uint64_t>(i), 0);
    float a[2];
    double b[2];
    normal_pair(w.word[0], w.word[1], a[0], a[1]);
    normal_pair(w, b[0], b[1]);
    floats.insert(floats.end(), a, a + 2);
    doubles.insert(doubles.end(), b, b + 2);
    product += b[0] * b[1] / n;
    square_product += (b[0] * b[0] - 1) * (b[1] * b[1] - 1) / n;
  }
  const double critical = 1.63 / std::sqrt(2.0 * n);  // 1% level
  EXPECT_LT(distance_from_normal(floats), critical);
  EXPECT_LT(distance_from_normal(doubles), critical);
  EXPECT_LT(std::abs(product), 3.5 / std::sqrt(n));
  EXPECT_LT(std::abs(square_product), 3.5 * 2 / std::sqrt(n));
}

TEST(Normal, IsFiniteForEveryWord) {
  for (std::uint32_t a : {0u, 1u, 255u, 256u, ~0u}) {
    for (std::uint32_t b : {0u, ~0u}) {
      float f[2];
      double d[2];
      normal_pair(a, b, f[0], f[1]);
      normal_pair({{a, a, b, b}}, d[0], d[1]);
      EXPECT_LE(std::hypot(f[0], f[1]), 5.9f);
      EXPECT_LE(std::hypot(d[0], d[1]), 8.6);
    }
  }
}

}  // namespace
}  // namespace kernels
