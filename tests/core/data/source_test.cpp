// Built-in sources against their stated distributions, and the order of the images.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/config/load.h"
#include "core/data/dataset.h"
#include "core/data/loader.h"

namespace core::data {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Permutation, VisitsEveryImageOncePerEpochInAnotherOrder) {
  for (std::int64_t size : {1, 2, 3, 10, 257, 1000}) {
    const Permutation first(1, 0, size), second(1, 1, size);
    std::set<std::int64_t> seen;
    std::int64_t same = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      ASSERT_TRUE(first(i) >= 0 && first(i) < size);
      seen.insert(first(i));
      same += first(i) == second(i);
    }
    EXPECT_EQ(std::ssize(seen), size);
    EXPECT_TRUE(size < 257 || same < 10) << same;
  }
}

config::RunConfig synthetic(const std::string& source, int size, int channels) {
  return config::load_valid("quickstart",
                            {"data { image_size: " + std::to_string(size) + " channels: " + std::to_string(channels) +
                             " training { " + source + " } } model { attention_sizes: " + std::to_string(size) + " }"},
                            {"configs"});
}

TEST(Loader, GivesTheSameImagesHoweverABatchIsCut) {
  const auto config = synthetic("uniform_pixels { images: 100 }", 4, 1);
  const Dataset dataset = open(config, config.data().training());
  const Loader loader(dataset, 5, 24);
  std::vector<std::int64_t> order;
  for (std::int64_t step = 0; step < 50; ++step) {
    Bytes whole(24 * 16), part(6 * 16);
    std::vector<std::int64_t> samples(24), positions(24), some(6), some_positions(6);
    loader.fill(step, 0, 24, whole, samples, positions);
    for (std::int64_t first = 0; first < 24; first += 6) {
      loader.fill(step, first, 6, part, some, some_positions);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + first * 16));
      EXPECT_TRUE(std::equal(some.begin(), some.end(), samples.begin() + first));
      EXPECT_EQ(some_positions[0], step * 24 + first);
    }
    order.insert(order.end(), samples.begin(), samples.end());
  }
  for (std::size_t epoch = 0; epoch < 12; ++epoch) {
    const std::set<std::int64_t> seen(order.begin() + static_cast<std::ptrdiff_t>(100 * epoch),
                                      order.begin() + static_cast<std::ptrdiff_t>(100 * (epoch + 1)));
    EXPECT_EQ(seen.size(), 100u) << "epoch " << epoch;
  }
}

TEST(FixedSubset, IsFixedSortedAndWithoutRepeats) {
  const auto some = fixed_subset(3, 1000, 50);
  EXPECT_EQ(some, fixed_subset(3, 1000, 50));
  EXPECT_NE(some, fixed_subset(4, 1000, 50));
  EXPECT_EQ(std::set(some.begin(), some.end()).size(), 50u);
  EXPECT_TRUE(std::is_sorted(some.begin(), some.end()));
  EXPECT_EQ(fixed_subset(3, 10, 99).size(), 10u);
}

TEST(GaussianField, HasTheCovarianceThatItSays) {
  const auto config = synthetic(
      "gaussian_field { images: 4000 mean: 120 standard_deviation: 20 correlation: 0.8 channel_correlation: 0.5 }", 4,
      3);
  const Dataset dataset = open(config, config.data().training());
  const std::size_t d = 48;
  std::vector<double> mean(d), covariance(d * d);
  Bytes pixels(d);
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    dataset.read(i, pixels);
    for (std::size_t a = 0; a < d; ++a) {
      mean[a] += pixels[a] / 4000.0;
      for (std::size_t b = 0; b < d; ++b) covariance[a * d + b] += (pixels[a] - 120.0) * (pixels[b] - 120.0) / 4000.0;
    }
  }
  for (std::size_t a = 0; a < d; ++a) {
    EXPECT_NEAR(mean[a], 120, 5 * 20 / std::sqrt(4000.0));
    for (std::size_t b = 0; b < d; ++b) {
      const int pa = static_cast<int>(a / 3), pb = static_cast<int>(b / 3);
      const double expected =
          400 * std::pow(0.8, std::abs(pa / 4 - pb / 4) + std::abs(pa % 4 - pb % 4)) * (a % 3 == b % 3 ? 1 : 0.5) +
          (a == b ? 1.0 / 12 : 0);
      EXPECT_NEAR(covariance[a * d + b], expected, 5 * 400 * std::sqrt(2 / 4000.0));
    }
  }
}

TEST(GaussianField, EntropyIsTheLogDeterminant) {
  const GaussianField field{.seed = 1,
                            .images = 1,
                            .first = 0,
                            .mean = 128,
                            .standard_deviation = 20,
                            .correlation = 0.7,
                            .channel_correlation = 0.3,
                            .shape = {3, 4, 3}};
  const int d = 36;
  for (double added : {0.0, 1.0 / 12}) {
    std::vector<std::vector<double>> a(d, std::vector<double>(d));
    for (int i = 0; i < d; ++i) {
      for (int j = 0; j < d; ++j) {
        const int pi = i / 3, pj = j / 3;
        a[i][j] =
            400 * std::pow(0.7, std::abs(pi / 4 - pj / 4) + std::abs(pi % 4 - pj % 4)) * (i % 3 == j % 3 ? 1 : 0.3) +
            (i == j ? added : 0);
      }
    }
    double log_determinant = 0;  // by elimination
    for (int k = 0; k < d; ++k) {
      log_determinant += std::log2(a[k][k]);
      for (int i = k + 1; i < d; ++i) {
        for (int j = d - 1; j >= k; --j) a[i][j] -= a[i][k] / a[k][k] * a[k][j];
      }
    }
    EXPECT_NEAR(field.gaussian_entropy(added), 0.5 * std::log2(2 * M_PI * std::exp(1.0)) + log_determinant / (2 * d),
                1e-10);
  }
}

TEST(UniformPixels, TakeEveryValueEquallyOften) {
  const auto config = synthetic("uniform_pixels { images: 1000 }", 8, 3);
  const Dataset dataset = open(config, config.data().training());
  std::vector<double> counts(256);
  Bytes pixels(192);
  for (std::int64_t i = 0; i < 1000; ++i) {
    dataset.read(i, pixels);
    for (auto pixel : pixels) ++counts[pixel];
  }
  double chi2 = 0;
  for (double count : counts) chi2 += (count - 750) * (count - 750) / 750;
  EXPECT_NEAR(chi2, 255, 5 * std::sqrt(2 * 255.0));
  EXPECT_EQ(dataset.entropy()->bits_per_dim, 8);
}

TEST(FiniteSet, RepeatsItsImages) {
  const auto config = synthetic("finite_set { images: 12 distinct: 4 }", 8, 1);
  const Dataset dataset = open(config, config.data().training());
  std::set<Bytes> different;
  for (std::int64_t i = 0; i < 10; ++i) {
    Bytes pixels(64);
    dataset.read(i, pixels);
    different.insert(pixels);
  }
  EXPECT_EQ(different.size(), 4u);
  EXPECT_DOUBLE_EQ(dataset.entropy()->bits_per_dim, 2.0 / 64);
}

}  // namespace
}  // namespace core::data
