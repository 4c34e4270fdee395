#include "kernels/linear.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

struct LinearCase {
  std::int64_t m, c, k;
};

constexpr LinearCase cases[] = {{1, 1, 1},      {3, 5, 7},       {2, 33, 24},   {17, 64, 5},
                                {64, 128, 256}, {16, 1100, 130}, {1, 130, 600}, {600, 2, 9}};
constexpr Mode modes[] = {Mode::overwrite, Mode::accumulate};

std::string text(const LinearCase& s) {
  return fmt::format("m{} c{} k{}", s.m, s.c, s.k);
}

Values linear(const LinearCase& s, const Values& x, const Values& weight, const Values& bias) {
  Values y(static_cast<std::size_t>(s.m * s.k));
  const auto c = static_cast<std::size_t>(s.c), k = static_cast<std::size_t>(s.k);
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = bias.empty() ? 0 : bias[i % k];
    for (std::size_t j = 0; j < c; ++j) y[i] += x[i / k * c + j] * weight[i % k * c + j];
  }
  return y;
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Values kept(Values values, Mode mode) {
  if (mode == Mode::overwrite) values.assign(values.size(), 0);
  return values;
}

TEST(Linear, AgreesWithItsDefinition) {
  for (const LinearCase& s : cases)
    for (bool with_bias : {false, true}) {
      SCOPED_TRACE(text(s));
      Arena arena(1);
      Linear op;
      op.x = arena.uniform({s.m, s.c});
      op.weight = arena.uniform({s.k, s.c});
      if (with_bias) op.bias = arena.uniform({s.k});
      op.y = arena.uniform({s.m, s.k});
      arena.run(op);
      expect_close(arena.values(op.y), linear(s, arena.values(op.x), arena.values(op.weight), arena.values(op.bias)),
                   2e-6, "y");
    }
}

TEST(LinearDataGradient, AgreesWithFiniteDifferences) {
  for (const LinearCase& s : cases)
    for (Mode mode : modes) {
      SCOPED_TRACE(text(s));
      Arena arena(2);
      LinearDataGradient op;
      op.dy = arena.uniform({s.m, s.k});
      op.weight = arena.uniform({s.k, s.c});
      op.dx = arena.uniform({s.m, s.c});
      op.mode = mode;
      const Values before = kept(arena.values(op.dx), mode), dy = arena.values(op.dy), weight = arena.values(op.weight);
      arena.run(op);
      expect_gradient([&](const Values& x) { return dot(dy, linear(s, x, weight, {})); }, Values(before.size(), 0.5),
                      difference(arena.values(op.dx), before), 3e-6, "dx");
    }
}

TEST(LinearWeightGradient, AgreesWithFiniteDifferences) {
  for (const LinearCase& s : cases)
    for (Mode mode : modes)
      for (bool with_bias : {false, true}) {
        SCOPED_TRACE(text(s));
        Arena arena(3);
        LinearWeightGradient op;
        op.dy = arena.uniform({s.m, s.k});
        op.x = arena.uniform({s.m, s.c});
        op.dweight = arena.uniform({s.k, s.c});
        if (with_bias) op.dbias = arena.uniform({s.k});
        op.mode = mode;
        const Values weight_before = kept(arena.values(op.dweight), mode),
                     bias_before = kept(arena.values(op.dbias), mode);
        const Values dy = arena.values(op.dy), x = arena.values(op.x), bias(static_cast<std::size_t>(s.k), 0.5);
        arena.run(op);
        expect_gradient([&](const Values& weight) { return dot(dy, linear(s, x, weight, {})); },
                        Values(weight_before.size(), 0.5), difference(arena.values(op.dweight), weight_before), 3e-6,
                        "dweight");
        if (!with_bias) continue;
        const Values weight(weight_before.size());
        expect_gradient([&](const Values& b) { return dot(dy, linear(s, x, weight, b)); }, bias,
                        difference(arena.values(op.dbias), bias_before), 3e-6, "dbias");
      }
}

}  // namespace
}  // namespace kernels::test
