#include "kernels/perturb.h"

#include <numeric>

#include <algorithm>

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

std::vector<std::int64_t> positions_from(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

struct Moments {
  double mean = 0, variance = 0, fourth = 0;
};
Moments moments(const Values& values) {
  Moments m;
  const auto n = static_cast<double>(values.size());
  for (double v : values) m.mean += v / n;
  for (double v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  for (double v : values) m.fourth += std::pow((v - m.mean), 4) / n;
  return m;
}

/// Dequantises pixels that are all `level`; `mirrored` is filled where it is given.
Values dequantised(const std::vector<std::int64_t>& positions, std::uint8_t level, Flip flip = Flip::never,
                   bool ramp = false, Values* mirrored = nullptr) {
  Arena arena(1);
  const auto n = static_cast<std::int64_t>(positions.size());
  const Shape shape{n, 8, 8, 3};
  const Dequantise op{
      .pixels = arena.bytes(shape, [&](std::size_t i) { return ramp ? static_cast<std::uint8_t>(i / 3 % 8) : level; }),
      .positions = arena.integers(positions),
      .seed = 9,
      .flip = flip,
      .x = arena.uniform(shape),
      .mirrored = mirrored ? arena.uniform({n, 1}) : Tensor()};
  arena.run(op);
  if (mirrored) *mirrored = arena.values(op.mirrored);
  return arena.values(op.x);
}

TEST(Dequantise, SpreadsEachLevelEvenlyOverItsCell) {
  for (std::uint8_t level : {0, 100, 255}) {
    Values u = dequantised(positions_from(0, 500), level);
    for (double& x : u) {
      x = (x + 1) * 128 - level;
      ASSERT_GE(x, -1e-5);
      ASSERT_LE(x, 1 + 1e-5);
    }
    const Moments m = moments(u);
    const double n = static_cast<double>(u.size());
    EXPECT_NEAR(m.mean, 0.5, 4 * std::sqrt(1.0 / 12 / n));
    EXPECT_NEAR(m.variance, 1.0 / 12, 4 * std::sqrt(1.0 / 180 / n));
  }
}

TEST(Dequantise, DependsOnThePositionAndNotOnTheBatch) {
  const Values together = dequantised({4, 5, 6}, 10), alone = dequantised({5}, 10);
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + 192));
  EXPECT_FALSE(std::equal(alone.begin(), alone.end(), together.begin()));
}

TEST(Dequantise, TakesTheImagesThatItIsTold) {
  const Shape shape{3, 4, 4, 3}, all{5, 4, 4, 3};
  const std::vector<std::int64_t> samples{4, 0, 4};
  const auto pixel = [](std::size_t i) { return static_cast<std::uint8_t>(i * 37 % 256); };
  const auto run = [&](Arena& arena, Dequantise op) {
    op.positions = arena.integers({7, 8, 9});
    op.seed = 9;
    op.flip = Flip::random;
    op.x = arena.uniform(shape);
    arena.run(op);
    return arena.values(op.x);
  };
  Arena in_order(1), told(1);
  const Values wanted = run(in_order, {.pixels = in_order.bytes(shape, [&](std::size_t i) {
                              return pixel(static_cast<std::size_t>(samples[i / 48]) * 48 + i % 48);
                            })});
  EXPECT_EQ(run(told, {.pixels = told.bytes(all, pixel), .samples = told.integers(samples)}), wanted);
}

TEST(Dequantise, MirrorsHalfOfTheImages) {
  Values told;
  const Values x = dequantised(positions_from(0, 2000), 0, Flip::random, true, &told);
  int mirrored = 0;
  for (std::size_t n = 0; n < 2000; ++n) {
    const double first = (x[n * 192] + 1) * 128;  // of the first row: level 0, or 7 where mirrored
    ASSERT_TRUE(first < 1.001 || first > 6.999);
    const bool flipped = first > 6;
    mirrored += flipped;
    EXPECT_EQ(told[static_cast<std::size_t>(n)], flipped ? 1 : 0);
    for (std::size_t column = 0; column < 8; ++column) {
      const double level = std::floor((x[n * 192 + 3 * column] + 1) * 128 + 1e-4 - 1e-3);
      ASSERT_NEAR(level, flipped ? 7.0 - static_cast<double>(column) : static_cast<double>(column), 1.01);
    }
  }
  EXPECT_NEAR(mirrored, 1000, 4 * std::sqrt(500));
}

TEST(DrawTime, TakesOneTimeFromEachStratumOfTheGlobalBatch) {
  const std::int64_t batch = 24;
  for (TimeSampling sampling : {TimeSampling::uniform, TimeSampling::importance}) {
    const TimeLaw law{.sampling = sampling};
    std::vector<Values> times;
    for (std::int64_t part : {24, 6, 1}) {  // however the global batch is cut
      Values all;
      for (std::int64_t first = 48; first < 72; first += part) {
        Arena arena(1);
        const auto vector = [&] { return arena.uniform({part}); };
        const DrawTime op{.positions = arena.integers(positions_from(first, part)),
                          .seed = 3,
                          .global_batch = batch,
                          .law = law,
                          .time = vector(),
                          .mean = vector(),
                          .deviation = vector(),
                          .label = vector(),
                          .weight = vector()};
        arena.run(op);
        const Values time = arena.values(op.time), mean = arena.values(op.mean), deviation = arena.values(op.deviation),
                     label = arena.values(op.label), weight = arena.values(op.weight);
        for (std::size_t i = 0; i < time.size(); ++i) {
          EXPECT_NEAR(mean[i], mean_coefficient(law.sde, time[i]), 1e-6);
          EXPECT_NEAR(deviation[i] / standard_deviation(law.sde, time[i]), 1, 1e-6);
          EXPECT_NEAR(label[i] / (999 * time[i]), 1, 1e-6);
          EXPECT_NEAR(weight[i] / training_weight(law, time[i]), 1, 1e-5);
        }
        all.insert(all.end(), time.begin(), time.end());
      }
      times.push_back(all);
    }
    EXPECT_EQ(times[0], times[1]);
    EXPECT_EQ(times[0], times[2]);
    std::vector<int> strata(static_cast<std::size_t>(batch));
    const double high = log_snr(law.sde, law.smallest_time), low = log_snr(law.sde, 1.0);
    for (double t : times[0]) {
      const double u = sampling == TimeSampling::uniform ? (t - law.smallest_time) / (1 - law.smallest_time)
                                                         : (high - log_snr(law.sde, t)) / (high - low);
      ++strata[static_cast<std::size_t>(
          std::clamp(u * static_cast<double>(batch), 0.0, static_cast<double>(batch) - 1e-9))];
    }
    EXPECT_EQ(std::count(strata.begin(), strata.end(), 1), batch);
  }
}

TEST(Perturb, AddsStandardNormalNoise) {
  Arena arena(1);
  const std::int64_t n = 64;
  const Shape shape{n, 8, 8, 3};
  const Perturb op{.x = arena.uniform(shape),
                   .mean = arena.uniform({n}, 0.1f, 1),
                   .deviation = arena.uniform({n}, 0.1f, 1),
                   .positions = arena.integers(positions_from(100, n)),
                   .seed = 5,
                   .xt = arena.uniform(shape),
                   .noise = arena.uniform(shape)};
  arena.run(op);
  const Values x = arena.values(op.x), noise = arena.values(op.noise), mean = arena.values(op.mean),
               deviation = arena.values(op.deviation);
  Values wanted(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) wanted[i] = mean[i / 192] * x[i] + deviation[i / 192] * noise[i];
  expect_close(arena.values(op.xt), wanted, 3e-7, "xt");
  const Moments m = moments(noise);
  const double count = static_cast<double>(noise.size());
  EXPECT_NEAR(m.mean, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(m.variance, 1, 4 * std::sqrt(2 / count));
  EXPECT_NEAR(m.fourth, 3, 4 * std::sqrt(96 / count));
  double neighbours = 0, images = 0;
  for (std::size_t i = 0; i + 192 < noise.size(); ++i) {
    neighbours += noise[i] * noise[i + 1] / count;
    images += noise[i] * noise[i + 192] / count;
  }
  EXPECT_NEAR(neighbours, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(images, 0, 4 / std::sqrt(count));
}

TEST(Perturb, NoiseDependsOnThePositionAndNotOnTheBatch) {
  const auto noise_at = [](const std::vector<std::int64_t>& positions) {
    Arena arena(1);
    const auto n = static_cast<std::int64_t>(positions.size());
    const Shape shape{n, 5, 5, 1};
    const Perturb op{.x = arena.uniform(shape),
                     .mean = arena.uniform({n}),
                     .deviation = arena.uniform({n}),
                     .positions = arena.integers(positions),
                     .seed = 5,
                     .xt = arena.uniform(shape),
                     .noise = arena.uniform(shape)};
    arena.run(op);
    return arena.values(op.noise);
  };
  const Values together = noise_at({7, 8, 9}), alone = noise_at({8});
  EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + 25));
}

TEST(DropLabels, DropsItsShareByPositionAlone) {
  constexpr std::size_t images = 4096;
  std::vector<std::int64_t> labels(images), positions(images);
  for (std::size_t i = 0; i < images; ++i)
    labels[i] = static_cast<std::int64_t>(i % 10), positions[i] = 5'000'000'000 + static_cast<std::int64_t>(i);
  Arena arena(9);
  DropLabels op{.labels = arena.integers(labels),
                .positions = arena.integers(positions),
                .seed = 77,
                .null_label = 10,
                .rate = 0.25f,
                .y = arena.integers(labels)};
  arena.run(op);
  double dropped = 0;
  std::vector<std::int64_t> first(arena.data<std::int64_t>(op.y), arena.data<std::int64_t>(op.y) + images);
  for (std::size_t i = 0; i < images; ++i) {
    EXPECT_TRUE(first[i] == labels[i] || first[i] == 10);
    dropped += first[i] == 10;
  }
  EXPECT_NEAR(dropped / images, 0.25, 0.03);  // four standard deviations

  // The same positions in another order are dropped alike; another seed drops others; a rate of 0 none.
  std::reverse(positions.begin(), positions.end());
  std::copy(positions.begin(), positions.end(), arena.data<std::int64_t>(op.positions));
  arena.run(op);
  for (std::size_t i = 0; i < images; ++i)
    EXPECT_EQ(arena.data<std::int64_t>(op.y)[images - 1 - i] == 10, first[i] == 10) << i;
  op.seed = 78;
  arena.run(op);
  double both = 0;
  for (std::size_t i = 0; i < images; ++i)
    both += arena.data<std::int64_t>(op.y)[images - 1 - i] == 10 && first[i] == 10;
  EXPECT_NEAR(both / images, 0.0625, 0.016);
  op.rate = 0;
  arena.run(op);
  for (std::size_t i = 0; i < images; ++i) EXPECT_EQ(arena.data<std::int64_t>(op.y)[i], labels[i]);
}

}  // namespace
}  // namespace kernels::test
