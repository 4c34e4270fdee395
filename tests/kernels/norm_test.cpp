#include "kernels/norm.h"

#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

struct NormCase {
  std::int64_t n, h, w, c0, c1, groups;
  std::size_t c() const { return static_cast<std::size_t>(c0 + c1); }
  std::size_t pixels() const { return static_cast<std::size_t>(h * w); }
  Shape source(std::int64_t channels) const { return {n, h, w, channels}; }
};

constexpr NormCase cases[] = {{1, 4, 4, 6, 0, 2},    {2, 7, 7, 5, 0, 1},   {3, 6, 4, 5, 7, 4},   {2, 1, 1, 8, 4, 3},
                              {1, 16, 16, 20, 4, 6}, {2, 10, 3, 3, 3, 6},  {1, 4, 6, 33, 0, 11}, {2, 3, 2, 16, 8, 6},
                              {19, 1, 2, 3, 1, 2},   {1, 2, 1, 280, 0, 35}};

/// Offset of channel c of a pixel, counted over all images, in the source that has it.
std::size_t offset_in_source(const NormCase& s, std::size_t pixel, std::size_t c) {
  const auto c0 = static_cast<std::size_t>(s.c0), c1 = static_cast<std::size_t>(s.c1);
  return c < c0 ? pixel * c0 + c : pixel * c1 + c - c0;
}

Values concatenate(const NormCase& s, const Values& x0, const Values& x1) {
  Values x(static_cast<std::size_t>(s.n) * s.pixels() * s.c());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % s.c();
    x[i] = (c < static_cast<std::size_t>(s.c0) ? x0 : x1)[offset_in_source(s, i / s.c(), c)];
  }
  return x;
}

struct GroupNorm {
  Values statistics, xhat;
};

/// Group norm of concatenated x[n,h,w,c] straight from its definition.
GroupNorm group_norm(const NormCase& s, const Values& x, double epsilon) {
  const auto groups = static_cast<std::size_t>(s.groups), images = static_cast<std::size_t>(s.n);
  const auto group_of = [&](std::size_t i) { return i / s.c() / s.pixels() * groups + i % s.c() / (s.c() / groups); };
  const double elements = static_cast<double>(s.pixels() * s.c() / groups);
  Values mean(images * groups), variance(images * groups);
  for (std::size_t i = 0; i < x.size(); ++i) mean[group_of(i)] += x[i] / elements;
  for (std::size_t i = 0; i < x.size(); ++i) variance[group_of(i)] += std::pow(x[i] - mean[group_of(i)], 2) / elements;
  GroupNorm result;
  for (std::size_t g = 0; g < mean.size(); ++g) {
    result.statistics.push_back(mean[g]);
    result.statistics.push_back(1 / std::sqrt(variance[g] + epsilon));
  }
  for (std::size_t i = 0; i < x.size(); ++i)
    result.xhat.push_back((x[i] - mean[group_of(i)]) * result.statistics[2 * group_of(i) + 1]);
  return result;
}

/// Mean and variance [n,c,2] of each channel of one source.
Values moments(const NormCase& s, const Values& x, std::int64_t channels) {
  const auto c = static_cast<std::size_t>(channels);
  Values result(static_cast<std::size_t>(s.n) * c * 2);
  const auto at = [&](std::size_t i) { return 2 * (i / c / s.pixels() * c + i % c); };
  for (std::size_t i = 0; i < x.size(); ++i) result[at(i)] += x[i] / static_cast<double>(s.pixels());
  for (std::size_t i = 0; i < x.size(); ++i)
    result[at(i) + 1] += std::pow(x[i] - result[at(i)], 2) / static_cast<double>(s.pixels());
  return result;
}

/// 1 + scale and shift of channel c of an image, from modulation[n,2c]; 1 and 0 where there is none.
double factor(const NormCase& s, const Values& modulation, std::size_t image, std::size_t c) {
  return modulation.empty() ? 1 : 1 + modulation[image * 2 * s.c() + c];
}
double shift(const NormCase& s, const Values& modulation, std::size_t image, std::size_t c) {
  return modulation.empty() ? 0 : modulation[image * 2 * s.c() + s.c() + c];
}

void check_coefficients(const NormCase& s, bool adaptive) {
  SCOPED_TRACE(fmt::format("n{} {}x{} {}+{} groups {} {}", s.n, s.h, s.w, s.c0, s.c1, s.groups, adaptive));
  Arena arena(3);
  const Values x0 = arena.values(arena.uniform(s.source(s.c0), 2, 4)), x1 = arena.values(arena.uniform(s.source(s.c1)));
  NormCoefficients op;
  op.moments0 = arena.of({s.n, s.c0, 2}, moments(s, x0, s.c0));
  if (s.c1) op.moments1 = arena.of({s.n, s.c1, 2}, moments(s, x1, s.c1));
  op.gamma = arena.uniform({s.c0 + s.c1});
  op.beta = arena.uniform({s.c0 + s.c1});
  if (adaptive) op.modulation = arena.uniform({s.n, 2 * (s.c0 + s.c1)});
  op.epsilon = 0.01f;
  op.coefficients = arena.uniform({s.n, s.c0 + s.c1, 2});
  op.statistics = arena.uniform({s.n, s.groups, 2});
  arena.run(op);

  const Values x = concatenate(s, x0, x1), gamma = arena.values(op.gamma), beta = arena.values(op.beta);
  const GroupNorm norm = group_norm(s, x, op.epsilon);
  expect_close(arena.values(op.statistics), norm.statistics, 1e-6, "statistics");
  const Values coefficients = arena.values(op.coefficients), modulation = arena.values(op.modulation);
  Values got, wanted;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % s.c(), image = i / s.c() / s.pixels(), pair = 2 * (image * s.c() + c);
    got.push_back(coefficients[pair] * x[i] + coefficients[pair + 1]);
    wanted.push_back(factor(s, modulation, image, c) * (gamma[c] * norm.xhat[i] + beta[c]) +
                     shift(s, modulation, image, c));
  }
  expect_close(got, wanted, 2e-6, "a x + b");
}

TEST(NormCoefficients, MakeGroupNormAnAffineMap) {
  for (const NormCase& s : cases) check_coefficients(s, false);
}

TEST(NormCoefficients, WithModulationAreAdaptive) {
  for (const NormCase& s : cases) check_coefficients(s, true);
}

/// Which of NormGradient's operands are there, and how they are written.
struct Choice {
  bool dx0, dx1, dgamma, dbeta;
  Mode mode0, mode1, parameter_mode;
  bool adaptive = false;
};

void check_gradient(const NormCase& s, const Choice& choice) {
  constexpr double epsilon = 0.01;
  Arena arena(4);
  NormGradient op;
  op.x0 = arena.uniform(s.source(s.c0), 1, 3);
  if (s.c1) op.x1 = arena.uniform(s.source(s.c1));
  op.dz = arena.uniform(s.source(s.c0 + s.c1));
  op.gamma = arena.uniform({s.c0 + s.c1});
  if (choice.adaptive) {
    op.beta = arena.uniform({s.c0 + s.c1});
    op.modulation = arena.uniform({s.n, 2 * (s.c0 + s.c1)});
    op.dmodulation = arena.uniform(op.modulation.shape);
  }
  const Values x0 = arena.values(op.x0), x1 = arena.values(op.x1), dz = arena.values(op.dz),
               gamma = arena.values(op.gamma), beta = arena.values(op.beta), modulation = arena.values(op.modulation);
  const GroupNorm norm = group_norm(s, concatenate(s, x0, x1), epsilon);
  Values sums(static_cast<std::size_t>(s.n) * s.c() * 2), dgamma(s.c()), dbeta(s.c());
  for (std::size_t i = 0; i < dz.size(); ++i) {
    const std::size_t pair = 2 * (i / s.c() / s.pixels() * s.c() + i % s.c());
    sums[pair] += dz[i];
    sums[pair + 1] += dz[i] * norm.xhat[i];
    const double by = factor(s, modulation, i / s.c() / s.pixels(), i % s.c());
    dbeta[i % s.c()] += by * dz[i];
    dgamma[i % s.c()] += by * dz[i] * norm.xhat[i];
  }
  op.sums = arena.of({s.n, s.c0 + s.c1, 2}, sums);
  op.statistics = arena.of({s.n, s.groups, 2}, norm.statistics);
  if (choice.dx0) op.dx0 = arena.uniform(op.x0.shape);
  if (choice.dx1 && s.c1) op.dx1 = arena.uniform(op.x1.shape);
  if (choice.dgamma) op.dgamma = arena.uniform({s.c0 + s.c1});
  if (choice.dbeta) op.dbeta = arena.uniform({s.c0 + s.c1});
  op.mode0 = choice.mode0;
  op.mode1 = choice.mode1;
  op.parameter_mode = choice.parameter_mode;
  const auto before = [&](const Tensor& tensor, Mode mode) {
    Values values = arena.values(tensor);
    if (mode == Mode::overwrite) values.assign(values.size(), 0);
    return values;
  };
  const Values dx0 = before(op.dx0, op.mode0), dx1 = before(op.dx1, op.mode1);
  const Values dgamma_before = before(op.dgamma, op.parameter_mode), dbeta_before = before(op.dbeta, op.parameter_mode);
  arena.run(op);

  const auto loss = [&](const Values& first, const Values& second) {
    const Values xhat = group_norm(s, concatenate(s, first, second), epsilon).xhat;
    double sum = 0;
    for (std::size_t i = 0; i < dz.size(); ++i)
      sum += dz[i] * factor(s, modulation, i / s.c() / s.pixels(), i % s.c()) * gamma[i % s.c()] * xhat[i];
    return sum;
  };
  if (op.dx0)
    expect_gradient([&](const Values& x) { return loss(x, x1); }, x0, difference(arena.values(op.dx0), dx0), 4e-6,
                    "dx0");
  if (op.dx1)
    expect_gradient([&](const Values& x) { return loss(x0, x); }, x1, difference(arena.values(op.dx1), dx1), 4e-6,
                    "dx1");
  const auto modulated = [&](const Values& point) {
    double sum = 0;
    for (std::size_t i = 0; i < dz.size(); ++i) {
      const std::size_t image = i / s.c() / s.pixels(), c = i % s.c();
      sum += dz[i] * (factor(s, point, image, c) * (gamma[c] * norm.xhat[i] + beta[c]) + shift(s, point, image, c));
    }
    return sum;
  };
  if (op.dmodulation) expect_gradient(modulated, modulation, arena.values(op.dmodulation), 4e-6, "dmodulation");
  if (op.dgamma) expect_close(difference(arena.values(op.dgamma), dgamma_before), dgamma, 2e-6, "dgamma");
  if (op.dbeta) expect_close(difference(arena.values(op.dbeta), dbeta_before), dbeta, 2e-6, "dbeta");
}

TEST(NormGradient, AgreesWithFiniteDifferences) {
  constexpr Mode overwrite = Mode::overwrite, accumulate = Mode::accumulate;
  constexpr Choice choices[] = {{true, true, true, true, overwrite, overwrite, overwrite},
                                {true, true, true, true, accumulate, overwrite, accumulate},
                                {true, true, true, false, overwrite, accumulate, overwrite},
                                {false, true, false, true, overwrite, overwrite, accumulate},
                                {true, false, false, false, accumulate, overwrite, overwrite},
                                {false, false, true, true, overwrite, overwrite, overwrite},
                                {true, true, true, true, overwrite, accumulate, accumulate, true},
                                {false, false, false, false, overwrite, overwrite, overwrite, true}};
  for (const NormCase& s : cases)
    for (const Choice& choice : choices) {
      SCOPED_TRACE(
          fmt::format("n{} {}x{} {}+{} groups {} choice {}", s.n, s.h, s.w, s.c0, s.c1, s.groups, &choice - choices));
      check_gradient(s, choice);
    }
}

}  // namespace
}  // namespace kernels::test
