#include "kernels/resample.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

/// dy[j]/dx[i] along one axis, from Resample's table.
double weight(Resample resample, std::int64_t j, std::int64_t i) {
  constexpr double k[] = {1, 3, 3, 1};
  const auto tap = [&](std::int64_t a) { return a >= 0 && a < 4 ? k[a] : 0; };
  switch (resample) {
    case Resample::up:
      return j / 2 == i;
    case Resample::down:
      return i / 2 == j ? 0.5 : 0;
    case Resample::fir_up:
      return tap(2 * i - j + 2) / 4;
    default:
      return tap(i - 2 * j + 1) / 8;
  }
}

constexpr Resample all[] = {Resample::up, Resample::down, Resample::fir_up, Resample::fir_down};

struct Problem {
  Resample resample;
  std::int64_t n = 2, h = 6, w = 10, c = 3;
  std::int64_t out(std::int64_t extent) const {
    return resample == Resample::up || resample == Resample::fir_up ? 2 * extent : extent / 2;
  }
  Shape small() const { return {n, h, w, c}; }
  Shape resized() const { return {n, out(h), out(w), c}; }

  Values resize(const Values& x) const {
    Values y(static_cast<std::size_t>(resized().elements()));
    for (std::size_t o = 0; o < y.size(); ++o) {
      const auto i = static_cast<std::int64_t>(o);
      const std::int64_t channel = i % c, column = i / c % out(w), row = i / c / out(w) % out(h),
                         image = i / c / out(w) / out(h);
      for (std::int64_t a = 0; a < h; ++a)
        for (std::int64_t b = 0; b < w; ++b)
          y[o] += weight(resample, row, a) * weight(resample, column, b) *
                  x[static_cast<std::size_t>(((image * h + a) * w + b) * c + channel)];
    }
    return y;
  }
};

TEST(Resize, AgreesWithItsDefinition) {
  for (Resample resample : all) {
    const Problem p{resample};
    Arena arena(1);
    const Resize op{.x = arena.uniform(p.small()), .resample = resample, .y = arena.uniform(p.resized())};
    arena.run(op);
    expect_close(arena.values(op.y), p.resize(arena.values(op.x)), 1e-6, "y");
  }
}

TEST(Resize, KeepsAConstantImageAwayFromTheBorder) {
  for (Resample resample : all) {
    const Problem p{resample, 1, 12, 12, 1};
    Arena arena(1);
    const Resize op{.x = arena.of(p.small(), Values(144, 0.75)), .resample = resample, .y = arena.uniform(p.resized())};
    arena.run(op);
    const Values y = arena.values(op.y);
    const std::int64_t extent = p.out(12);
    for (std::int64_t row = 1; row + 1 < extent; ++row)
      for (std::int64_t column = 1; column + 1 < extent; ++column)
        EXPECT_NEAR(y[static_cast<std::size_t>(row * extent + column)], 0.75, 1e-6);
  }
}

TEST(ResizeGradient, AgreesWithFiniteDifferences) {
  for (Resample resample : all) {
    const Problem p{resample};
    Arena arena(2);
    const ResizeGradient op{.dy = arena.uniform(p.resized()), .resample = resample, .dx = arena.uniform(p.small())};
    arena.run(op);
    const Values dy = arena.values(op.dy);
    const auto loss = [&](const Values& x) {
      const Values y = p.resize(x);
      double sum = 0;
      for (std::size_t i = 0; i < y.size(); ++i) sum += dy[i] * y[i];
      return sum;
    };
    expect_gradient(loss, arena.values(arena.uniform(p.small())), arena.values(op.dx), 2e-6, "dx");
  }
}

}  // namespace
}  // namespace kernels::test
