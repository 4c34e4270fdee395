#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

#include "tests/kernels/simt/devices.h"

namespace kernels::test {
namespace {

namespace probe = emulated::probe;

std::vector<Bf16> random_matrix(std::size_t elements, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Bf16> values(elements);
  for (Bf16& value : values) value = narrow(std::normal_distribution<float>()(random));
  return values;
}

TEST(Tile, MultipliesFragmentsAsTheyAreDescribed) {
  const auto a = random_matrix(256, 1), b = random_matrix(128, 2);
  in_every_order([&](void* stream) {
    std::vector<float> c(128);
    probe::multiply(stream, a.data(), b.data(), c.data());
    for (std::size_t row = 0; row < 16; ++row) {
      for (std::size_t column = 0; column < 8; ++column) {
        double wanted = 0;
        for (std::size_t k = 0; k < 16; ++k)
          wanted += static_cast<double>(widen(a[16 * row + k])) * static_cast<double>(widen(b[16 * column + k]));
        EXPECT_NEAR(c[8 * row + column], wanted, 1e-5);
      }
    }
  });
}

// Element e of row r of matrix m is the number 64 m + 8 r + e.
TEST(Tile, LoadsFragmentsOfRowsAndOfColumns) {
  std::vector<Bf16> rows(256);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = {static_cast<std::uint16_t>(i)};
  in_every_order([&](void* stream) {
    for (bool transposed : {false, true}) {
      std::vector<unsigned> words(128);
      probe::load_fragments(stream, transposed, rows.data(), words.data());
      for (unsigned lane = 0; lane < 32; ++lane) {
        for (unsigned m = 0; m < 4; ++m) {
          const unsigned row = lane / 4, pair = 2 * (lane % 4);
          const unsigned low = 64 * m + (transposed ? 8 * pair + row : 8 * row + pair);
          const unsigned high = low + (transposed ? 8 : 1);
          ASSERT_EQ(words[4 * lane + m], low | high << 16);
        }
      }
    }
  });
}

TEST(Tile, NeedsAFullWarpAndStraightRows) {
  expect_mistake(probe::multiply_with_half_a_warp,
                 {"kernel half_a_warp: tile.cu:40: a matrix instruction needs all 32 lanes of a warp"});
  expect_mistake(probe::load_from_a_crooked_row,
                 {"kernel crooked: tile.cu:46: a row of ldmatrix is not at a multiple of 16 bytes"});
}

TEST(AsynchronousCopy, LandsWhenItIsWaitedForAndFillsWithZeros) {
  alignas(16) float x[64];
  std::iota(x, x + 64, 1.0f);
  in_every_order([&](void* stream) {
    for (unsigned valid : {16u, 5u, 0u}) {
      std::vector<float> y(64);
      probe::copy_asynchronously(stream, probe::Wait::for_all, valid, x, y.data());
      for (unsigned i = 0; i < 64; ++i) ASSERT_EQ(y[i], i < 4 * valid ? x[i] : 0);
    }
  });
}

TEST(AsynchronousCopy, ShowsAMissingWait) {
  alignas(16) float x[64];
  std::iota(x, x + 64, 1.0f);
  const auto missing = [&](simt::Options options, probe::Wait wait, unsigned begin, unsigned end) {
    simt::Device device(options);
    std::vector<float> y(64);
    probe::copy_asynchronously(&device, wait, 16, x, y.data());
    return std::count_if(y.begin() + begin, y.begin() + end, [](float value) { return std::isnan(value); });
  };
  for (const simt::Options& options : orders()) {
    const bool random = options.order == simt::Order::random;  // there some land at once
    EXPECT_EQ(missing(options, probe::Wait::for_all_but_one, 0, 32), 0);
    const auto late = missing(options, probe::Wait::for_all_but_one, 32, 64);
    EXPECT_TRUE(random ? late > 0 && late < 32 : late == 32) << late;
    const auto never = missing(options, probe::Wait::never, 0, 64);
    EXPECT_TRUE(random ? never > 0 && never < 64 : never == 64) << never;
  }
}

TEST(Bf16, IsTheNearestAndOfTwoTheEvenOne) {
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    const Bf16 exact{static_cast<std::uint16_t>(upper)};
    const float value = widen(exact);
    if (std::isnan(value)) {
      EXPECT_EQ(narrow(value).bits, 0x7fff);
      continue;
    }
    ASSERT_EQ(narrow(value).bits, upper);
    if (std::isinf(value)) continue;
    const auto next = [&](std::uint32_t lower) { return narrow(std::bit_cast<float>(upper << 16 | lower)).bits; };
    ASSERT_EQ(next(0x7fff), upper);
    ASSERT_EQ(next(0x8000), upper + upper % 2);
    ASSERT_EQ(next(0x8001), upper + 1);
  }
}

}  // namespace
}  // namespace kernels::test
