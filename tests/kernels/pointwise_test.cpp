#include "kernels/pointwise.h"

#include <cmath>

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;
constexpr std::int64_t sizes[] = {1, 7, 130, 40000};

double silu_of(double x) {
  return x / (1 + std::exp(-x));
}

TEST(Silu, AgreesWithItsDefinition) {
  for (std::int64_t size : sizes) {
    Arena arena(1);
    const Silu op{.x = arena.uniform({size}, -20, 20), .y = arena.uniform({size})};
    arena.run(op);
    Values wanted = arena.values(op.x);
    for (double& value : wanted) value = silu_of(value);
    expect_close(arena.values(op.y), wanted, 3e-7, "y");
  }
}

TEST(SiluGradient, AgreesWithFiniteDifferences) {
  for (Mode mode : {Mode::overwrite, Mode::accumulate}) {
    Arena arena(2);
    const SiluGradient op{
        .x = arena.uniform({50}, -5, 5), .dy = arena.uniform({50}), .dx = arena.uniform({50}), .mode = mode};
    const Values x = arena.values(op.x), dy = arena.values(op.dy),
                 before = mode == Mode::accumulate ? arena.values(op.dx) : Values(50);
    arena.run(op);
    const auto loss = [&](const Values& point) {
      double sum = 0;
      for (std::size_t i = 0; i < point.size(); ++i) sum += dy[i] * silu_of(point[i]);
      return sum;
    };
    expect_gradient(loss, x, difference(arena.values(op.dx), before), 1e-5, "dx");
  }
}

TEST(AddScaled, ReadsARangeOfChannels) {
  for (Mode mode : {Mode::overwrite, Mode::accumulate}) {
    for (std::int64_t rows : {1, 5, 700}) {
      for (std::int64_t part : {1, 8}) {  // of channels
        Arena arena(3);
        const AddScaled op{.x = arena.uniform({rows, 2, 3, 7 * part}),
                           .y = arena.uniform({rows, 2, 3, 4 * part}),
                           .scale = -1.5f,
                           .first_channel = 2 * part,
                           .mode = mode};
        const Values x = arena.values(op.x);
        Values wanted = arena.values(op.y);
        arena.run(op);
        const auto p = static_cast<std::size_t>(part);
        for (std::size_t i = 0; i < wanted.size(); ++i)
          wanted[i] = (mode == Mode::accumulate ? wanted[i] : 0) - 1.5 * x[i / (4 * p) * 7 * p + 2 * p + i % (4 * p)];
        expect_close(arena.values(op.y), wanted, 3e-7, "y");
      }
    }
  }
}

TEST(Affine, AgreesWithItsDefinition) {
  for (std::int64_t size : sizes) {
    Arena arena(7);
    const Affine op{.x = arena.uniform({size}), .scale = 2, .shift = -1, .y = arena.uniform({size})};
    arena.run(op);
    Values wanted = arena.values(op.x);
    for (double& value : wanted) value = 2 * value - 1;
    expect_close(arena.values(op.y), wanted, 2e-7, "y");
  }
}

TEST(ScaleImages, MultipliesEachImageByItsFactor) {
  for (std::int64_t width : {4, 5}) {
    Arena arena(8);
    const Shape shape{5, 3, width, 2};
    const ScaleImages op{.x = arena.uniform(shape), .factor = arena.uniform({5}, -3, 3), .y = arena.uniform(shape)};
    arena.run(op);
    Values wanted = arena.values(op.x);
    const Values factor = arena.values(op.factor);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] *= factor[i / (wanted.size() / 5)];
    expect_close(arena.values(op.y), wanted, 1e-7, "y");
  }
}

TEST(TimeEmbedding, AgreesWithItsDefinition) {
  Arena arena(4);
  const Values labels = {0, 0.001, 1, 57.3, 998.9};
  const TimeEmbedding op{.label = arena.of({5}, labels), .y = arena.uniform({5, 34})};
  arena.run(op);
  const Values y = arena.values(op.y);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    for (std::size_t k = 0; k < 17; ++k) {
      const double angle = labels[n] * std::pow(10000.0, -static_cast<double>(k) / 16);
      // Labels and frequencies are floats: the angle is known to about 1e-7 of itself.
      EXPECT_NEAR(y[n * 34 + k], std::sin(angle), 1e-6 + 2e-7 * angle);
      EXPECT_NEAR(y[n * 34 + 17 + k], std::cos(angle), 1e-6 + 2e-7 * angle);
    }
  }
}

TEST(FourierEmbedding, AgreesWithItsDefinition) {
  Arena arena(5);
  const Values labels = {0.01, 0.3, 1, 50};
  const FourierEmbedding op{
      .label = arena.of({4}, labels), .frequencies = arena.uniform({9}, -40, 40), .y = arena.uniform({4, 18})};
  arena.run(op);
  const Values y = arena.values(op.y), frequencies = arena.values(op.frequencies);
  const double pi = std::acos(-1.0);
  for (std::size_t n = 0; n < labels.size(); ++n) {
    for (std::size_t j = 0; j < 9; ++j) {
      const double angle = 2 * pi * frequencies[j] * std::log(arena.values(op.label)[n]);
      EXPECT_NEAR(y[n * 18 + j], std::sin(angle), 1e-6);
      EXPECT_NEAR(y[n * 18 + 9 + j], std::cos(angle), 1e-6);
    }
  }
}

/// One pixel's features by their definition.
Values features_of(const Values& x, int first, int count) {
  Values y = x;
  for (int e = first; e < first + count; ++e) {
    const double turn = 2 * std::acos(-1.0) * std::pow(2.0, e);
    for (double value : x) y.push_back(std::sin(turn * value));
    for (double value : x) y.push_back(std::cos(turn * value));
  }
  return y;
}

TEST(FourierFeatures, AgreesWithItsDefinition) {
  for (std::int64_t rows : {1, 7, 3000}) {
    Arena arena(8);
    const FourierFeatures op{
        .x = arena.uniform({rows, 1, 1, 3}, -3, 3), .first = 6, .count = 2, .y = arena.uniform({rows, 1, 1, 15})};
    arena.run(op);
    const Values x = arena.values(op.x);
    Values wanted;
    for (std::size_t row = 0; row < x.size(); row += 3) {
      const Values pixel = features_of({x[row], x[row + 1], x[row + 2]}, 6, 2);
      wanted.insert(wanted.end(), pixel.begin(), pixel.end());
    }
    expect_close(arena.values(op.y), wanted, 3e-7, "y");
  }
}

// Of a pixel's bin centre 2 (k + 1/2)/256 - 1, exponent 6 gives the parity of k.
TEST(FourierFeatures, SeeTheLastBitOfAPixel) {
  Arena arena(8);
  const FourierFeatures op{
      .x = arena.of({2}, {2 * 100.5 / 256 - 1, 2 * 101.5 / 256 - 1}), .first = 6, .count = 1, .y = arena.uniform({6})};
  arena.run(op);
  EXPECT_NEAR(arena.values(op.y)[2], 1, 1e-6);
  EXPECT_NEAR(arena.values(op.y)[3], -1, 1e-6);
}

TEST(FourierFeaturesGradient, AgreesWithFiniteDifferences) {
  for (int first : {-1, 1}) {
    Arena arena(9);
    const FourierFeaturesGradient op{.x = arena.uniform({5, 2}, -1, 1),
                                     .dy = arena.uniform({5, 10}),
                                     .first = first,
                                     .count = 2,
                                     .dx = arena.uniform({5, 2})};
    arena.run(op);
    const Values x = arena.values(op.x), dy = arena.values(op.dy);
    const auto loss = [&](const Values& point) {
      double sum = 0;
      for (std::size_t row = 0; row < 5; ++row) {
        const Values y = features_of({point[2 * row], point[2 * row + 1]}, first, 2);
        for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[10 * row + i];
      }
      return sum;
    };
    expect_gradient(loss, x, arena.values(op.dx), 1e-5, "dx");
  }
}

TEST(Concatenate, JoinsAlongAnyAxis) {
  for (int axis : {0, 1, 3}) {
    for (std::int64_t part : {1, 8}) {  // of the axis
      Arena arena(6);
      const auto shape = [&](std::int64_t extent) {
        extent *= part;
        return axis == 0 ? Shape{extent, 3, 4, 5} : axis == 1 ? Shape{2, extent, 4, 5} : Shape{2, 3, 4, extent};
      };
      const Concatenate op{
          .x0 = arena.uniform(shape(4)), .x1 = arena.uniform(shape(3)), .axis = axis, .y = arena.uniform(shape(7))};
      arena.run(op);
      std::int64_t inner = part;
      for (int i = axis + 1; i < 4; ++i) inner *= op.y.shape[i];
      const Values x0 = arena.values(op.x0), x1 = arena.values(op.x1);
      Values wanted;
      for (std::int64_t i = 0; i < op.y.shape.elements(); ++i) {
        const std::int64_t outer = i / inner / 7, place = i / inner % 7, rest = i % inner;
        wanted.push_back(place < 4 ? x0[static_cast<std::size_t>((outer * 4 + place) * inner + rest)]
                                   : x1[static_cast<std::size_t>((outer * 3 + place - 4) * inner + rest)]);
      }
      EXPECT_EQ(arena.values(op.y), wanted) << axis;
    }
  }
}

}  // namespace
}  // namespace kernels::test
