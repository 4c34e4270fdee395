#include "kernels/conv.h"

#include "kernels/philox.h"
#include "tests/kernels/arena.h"

namespace kernels::test {
namespace {

using Values = std::vector<double>;

/// What Dropout's definition multiplies one element of an image by.
double dropout_factor(const Dropout& dropout, std::int64_t position, std::int64_t element) {
  const Words words = philox(dropout.seed, Stream::dropout, static_cast<std::uint64_t>(position),
                             static_cast<std::uint32_t>(element / 4), dropout.site);
  return (words.word[element % 4] >> 8) < dropout.rate * 0x1p24 ? 0 : 1 / (1 - double{dropout.rate});
}

struct Extents {
  std::int64_t n, h, w, c0, c1, k, r, groups;
  std::int64_t c() const { return c0 + c1; }
};

struct ConvCase {
  Extents at;
  bool norm;
  Activation activation;
  bool dropout;
  Resample resample;
  unsigned operands;  // bits: bias, embedding, residual, moments; Mode::accumulate in the gradient
  float scale;
};

/// One axis of Resample's table, as it stands there: u has `extent` pixels, v `v_extent`, and the convolution steps by
/// `step` from the tap at v[step o + r - padding].
struct Axis {
  Axis(Resample resample, std::int64_t extent_of_u) : resample_(resample), extent(extent_of_u) {
    switch (resample) {
      case Resample::none:
        v_extent = output = extent;
        break;
      case Resample::up:
      case Resample::fir_up:
        v_extent = output = 2 * extent;
        break;
      case Resample::down:
      case Resample::fir_down:
        v_extent = output = extent / 2;
        break;
      case Resample::stride:
        v_extent = extent, output = extent / 2, step = 2, padding = 0;
        break;
      case Resample::fir_stride:
        v_extent = extent + 1, output = extent / 2, step = 2, padding = 0;
        break;
      case Resample::fir_transpose:
        v_extent = 2 * extent + 2, output = 2 * extent, padding = 0;
        break;
    }
  }
  /// dv[j]/du[i].
  double weight(std::int64_t j, std::int64_t i) const {
    const auto k = [](std::int64_t a) { return a == 0 || a == 3 ? 1.0 : a == 1 || a == 2 ? 3.0 : 0.0; };
    switch (resample_) {
      case Resample::none:
      case Resample::stride:
        return i == j;
      case Resample::up:
        return i == j / 2;
      case Resample::down:
        return i / 2 == j ? 0.5 : 0;
      case Resample::fir_up:
        return k(2 * i - j + 2) / 4;
      case Resample::fir_down:
        return k(i - 2 * j + 1) / 8;
      case Resample::fir_stride:
        return k(i - j + 2) / 8;
      case Resample::fir_transpose:
        return k(2 * i - j + 3) / 4;
    }
    return 0;
  }
  Resample resample_;
  std::int64_t extent, v_extent = 0, output = 0, step = 1, padding = 1;
};

/// One case with its tensors, and the same computation in double by its definition.
struct Problem {
  explicit Problem(const ConvCase& what)
      : s(what),
        at(what.at),
        rows(s.resample, at.h),
        columns(s.resample, at.w),
        h(rows.output),
        w(columns.output),
        arena(static_cast<unsigned>(at.n * 100 + at.k)) {
    x0 = arena.uniform({at.n, at.h, at.w, at.c0});
    if (at.c1) x1 = arena.uniform({at.n, at.h, at.w, at.c1});
    weight = arena.uniform({at.k, at.r, at.r, at.c()});
    if (s.norm) {
      prologue.coefficients = arena.uniform({at.n, at.c(), 2}, -2, 2);
      prologue.statistics = arena.uniform({at.n, at.groups, 2}, 0.25, 1);
    }
    prologue.activation = s.activation;
    if (s.dropout) {
      prologue.dropout = {.rate = 0.375f, .seed = 0x123456789abcdefull, .site = 3};
      positions = {5, 7'000'000'000, 0};
      positions.resize(static_cast<std::size_t>(at.n));
      prologue.positions = arena.integers(positions);
    }
    prologue.resample = s.resample;
  }

  std::size_t source_index(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
    return static_cast<std::size_t>(((n * at.h + y) * at.w + x) * at.c() + c);
  }
  Shape source_shape() const { return {at.n, at.h, at.w, at.c()}; }
  Shape output_shape() const { return {at.n, h, w, at.k}; }

  Values source() {
    const Values first = arena.values(x0), second = arena.values(x1);
    Values x;
    for (std::int64_t p = 0; p < at.n * at.h * at.w; ++p) {
      x.insert(x.end(), first.begin() + p * at.c0, first.begin() + (p + 1) * at.c0);
      x.insert(x.end(), second.begin() + p * at.c1, second.begin() + (p + 1) * at.c1);
    }
    return x;
  }

  Values z() {
    Values z = source();
    const Values coefficients = arena.values(prologue.coefficients);
    for (std::size_t i = 0; s.norm && i < z.size(); ++i) {
      const std::size_t image = i / static_cast<std::size_t>(at.h * at.w * at.c()),
                        c = i % static_cast<std::size_t>(at.c());
      const std::size_t pair = 2 * (image * static_cast<std::size_t>(at.c()) + c);
      z[i] = coefficients[pair] * z[i] + coefficients[pair + 1];
    }
    return z;
  }

  Values v(const Values& z) const {
    Values u(z.size());
    for (std::int64_t n = 0; n < at.n; ++n)
      for (std::int64_t i = 0; i < at.h * at.w * at.c(); ++i) {
        const auto j = static_cast<std::size_t>(n * at.h * at.w * at.c() + i);
        u[j] = s.activation == Activation::silu ? z[j] / (1 + std::exp(-z[j])) : z[j];
        if (s.dropout) u[j] *= dropout_factor(prologue.dropout, positions[static_cast<std::size_t>(n)], i);
      }
    Values v(static_cast<std::size_t>(at.n * rows.v_extent * columns.v_extent * at.c()));
    for (std::size_t i = 0; i < v.size(); ++i) {
      const auto o = static_cast<std::int64_t>(i);
      const std::int64_t c = o % at.c(), column = o / at.c() % columns.v_extent,
                         row = o / at.c() / columns.v_extent % rows.v_extent,
                         image = o / at.c() / columns.v_extent / rows.v_extent;
      for (std::int64_t y = 0; y < at.h; ++y) {
        if (rows.weight(row, y) == 0) continue;
        for (std::int64_t x = 0; x < at.w; ++x)
          v[i] += rows.weight(row, y) * columns.weight(column, x) * u[source_index(image, y, x, c)];
      }
    }
    return v;
  }

  /// The bare convolution of v with weights [k,r,r,c].
  Values convolve(const Values& v, const Values& weights) const {
    Values y(static_cast<std::size_t>(output_shape().elements()));
    const std::int64_t c = at.c(), padding = at.r == 3 ? rows.padding : 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto o = static_cast<std::int64_t>(i);
      const std::int64_t k = o % at.k, column = o / at.k % w, row = o / at.k / w % h, image = o / at.k / w / h;
      double sum = 0;
      for (std::int64_t a = 0; a < at.r; ++a)
        for (std::int64_t b = 0; b < at.r; ++b) {
          const std::int64_t from_row = rows.step * row + a - padding, from_column = rows.step * column + b - padding;
          if (from_row < 0 || from_row >= rows.v_extent || from_column < 0 || from_column >= columns.v_extent) continue;
          const double* in =
              &v[static_cast<std::size_t>(((image * rows.v_extent + from_row) * columns.v_extent + from_column) * c)];
          const double* by = &weights[static_cast<std::size_t>(((k * at.r + a) * at.r + b) * c)];
          for (std::int64_t j = 0; j < c; ++j) sum += in[j] * by[j];
        }
      y[i] = sum;
    }
    return y;
  }

  ConvCase s;
  Extents at;
  Axis rows, columns;
  std::int64_t h, w;
  Arena arena;
  Tensor x0, x1, weight;
  Prologue prologue;
  std::vector<std::int64_t> positions;
};

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Every combination of the prologue's options with sizes and epilogues taken in turn.
std::vector<ConvCase> all_cases() {
  constexpr Extents sizes[] = {{2, 4, 4, 5, 3, 7, 3, 4},      {1, 6, 4, 7, 2, 3, 3, 3},   {3, 4, 6, 3, 9, 5, 1, 2},
                               {2, 10, 6, 1, 4, 1, 3, 5},     {1, 2, 2, 24, 9, 33, 3, 3}, {1, 16, 16, 16, 8, 16, 3, 6},
                               {2, 12, 14, 16, 16, 16, 3, 4}, {2, 4, 6, 16, 32, 48, 1, 4}};
  std::vector<ConvCase> cases;
  unsigned turn = 0;
  for (bool norm : {false, true})
    for (Activation activation : {Activation::none, Activation::silu})
      for (bool dropout : {false, true})
        for (Resample resample : {Resample::none, Resample::up, Resample::down})
          for (bool second : {false, true})
            for (unsigned repeat = 0; repeat < 2; ++repeat, ++turn) {
              Extents at = sizes[turn % std::size(sizes)];
              if (!second) at.c1 = 0, at.groups = 1;
              cases.push_back({at, norm, activation, dropout, resample, turn * 7 % 16, turn % 3 ? 0.7f : 1.0f});
            }
  turn = 0;
  for (Resample resample :
       {Resample::fir_up, Resample::fir_down, Resample::stride, Resample::fir_stride, Resample::fir_transpose})
    for (unsigned prologue = 0; prologue < 16; ++prologue, ++turn) {
      Extents at = sizes[turn % std::size(sizes)];
      if (resample >= Resample::stride) at.r = 3;
      if (prologue & 8) at.c1 = 0, at.groups = 1;
      cases.push_back({at, (prologue & 1) != 0, prologue & 2 ? Activation::silu : Activation::none, (prologue & 4) != 0,
                       resample, turn * 7 % 16, turn % 3 ? 0.7f : 1.0f});
    }
  constexpr Extents odd[] = {{2, 3, 5, 16, 8, 24, 3, 3},
                             {3, 1, 1, 8, 8, 8, 3, 4},
                             {1, 9, 15, 8, 0, 16, 3, 2},
                             {2, 5, 3, 3, 2, 6, 3, 5},
                             {1, 7, 5, 8, 16, 3, 3, 6}};  // and more pixels than a tile's rows
  for (unsigned operands = 0; operands < 16; ++operands)
    for (unsigned which : {operands, operands + 2})
      cases.push_back({odd[which % std::size(odd)], operands % 3 == 0,
                       operands & 4 ? Activation::silu : Activation::none, operands % 7 == 0, Resample::up, operands,
                       operands % 2 ? 0.7f : 1.0f});
  for (unsigned operands = 0; operands < 16; ++operands)  // and the epilogue's, on odd images and on a single pixel
    for (const Extents& at :
         {Extents{3, 7, 7, 3, 0, 5, 3, 3}, Extents{2, 1, 1, 6, 3, 4, 1, 3}, Extents{1, 4, 4, 1, 0, 32, 3, 1},
          Extents{2, 7, 9, 16, 0, 48, 3, 1}, Extents{3, 5, 13, 32, 0, 16, 1, 2}})
      for (float scale : {1.0f, 0.5f})
        cases.push_back({at, operands % 3 == 0, Activation::none, false, Resample::none, operands, scale});
  return cases;
}

std::string text(const ConvCase& s) {
  return fmt::format(
      "n{} {}x{} {}+{}->{} r{} groups {} norm {} activation {} dropout {} resample {} operands {} scale {}", s.at.n,
      s.at.h, s.at.w, s.at.c0, s.at.c1, s.at.k, s.at.r, s.at.groups, s.norm, int(s.activation), s.dropout,
      int(s.resample), s.operands, s.scale);
}

TEST(Conv, AgreesWithItsDefinition) {
  for (const ConvCase& s : all_cases()) {
    SCOPED_TRACE(text(s));
    Problem p(s);
    Conv op;
    op.x0 = p.x0;
    op.x1 = p.x1;
    op.weight = p.weight;
    op.prologue = p.prologue;
    op.scale = s.scale;
    op.y = p.arena.uniform(p.output_shape());
    if (s.operands & 1) op.bias = p.arena.uniform({s.at.k});
    if (s.operands & 2) op.embedding = p.arena.uniform({s.at.n, s.at.k});
    if (s.operands & 4) op.residual = p.arena.uniform(p.output_shape());
    if (s.operands & 8) op.moments = p.arena.uniform({s.at.n, s.at.k, 2});
    p.arena.run(op);

    const Values bias = p.arena.values(op.bias), embedding = p.arena.values(op.embedding),
                 residual = p.arena.values(op.residual);
    Values wanted = p.convolve(p.v(p.z()), p.arena.values(p.weight));
    Values moments(static_cast<std::size_t>(s.at.n * s.at.k * 2));
    const auto k = static_cast<std::size_t>(s.at.k), pixels = static_cast<std::size_t>(p.h * p.w);
    const auto each = [&](auto&& f) {
      for (std::size_t i = 0; i < wanted.size(); ++i) f(wanted[i], i, i % k, i / k / pixels);
    };
    each([&](double& y, std::size_t i, std::size_t c, std::size_t image) {
      y = s.scale * (y + (op.bias ? bias[c] : 0) + (op.embedding ? embedding[image * k + c] : 0) +
                     (op.residual ? residual[i] : 0));
      moments[2 * (image * k + c)] += y / static_cast<double>(pixels);
    });
    each([&](double& y, std::size_t, std::size_t c, std::size_t image) {
      const double deviation = y - moments[2 * (image * k + c)];
      moments[2 * (image * k + c) + 1] += deviation * deviation / static_cast<double>(pixels);
    });
    expect_close(p.arena.values(op.y), wanted, 2e-6, "y");
    if (op.moments) expect_close(p.arena.values(op.moments), moments, 2e-6, "moments");
  }
}

TEST(Conv, MomentsOfALargeMeanKeepASmallVariance) {
  Arena arena(1);
  Conv op;
  op.x0 = arena.uniform({1, 16, 16, 1}, 1000, 1000.5f);
  op.weight = arena.of({1, 1, 1, 1}, {1});
  op.y = arena.uniform({1, 16, 16, 1});
  op.moments = arena.uniform({1, 1, 2});
  arena.run(op);
  const Values x = arena.values(op.x0);
  double mean = 0, variance = 0;
  for (double value : x) mean += value / 256;
  for (double value : x) variance += (value - mean) * (value - mean) / 256;
  EXPECT_NEAR(arena.values(op.moments)[1], variance, 1e-6 * variance);
}

TEST(Conv, DropsItsShareOfElementsDifferentlyByImageAndSite) {
  Arena arena(1);
  Conv op;
  op.x0 = arena.of({2, 32, 32, 4}, Values(8192, 1));
  op.weight = arena.of({4, 1, 1, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1});
  op.prologue.dropout = {.rate = 0.25f, .seed = 9, .site = 0};
  op.prologue.positions = arena.integers({0, 1});
  op.y = arena.uniform(op.x0.shape);
  arena.run(op);
  const Values first = arena.values(op.y);
  op.prologue.dropout.site = 1;
  arena.run(op);
  const Values second = arena.values(op.y);
  double kept = 0, kept_in_both_images = 0, kept_at_both_sites = 0;
  for (std::size_t i = 0; i < 4096; ++i) {
    EXPECT_TRUE(first[i] == 0 || std::abs(first[i] - 4.0 / 3) < 1e-6);
    kept += first[i] > 0;
    kept_in_both_images += first[i] > 0 && first[4096 + i] > 0;
    kept_at_both_sites += first[i] > 0 && second[i] > 0;
  }
  EXPECT_NEAR(kept / 4096, 0.75, 0.03);  // four standard deviations
  EXPECT_NEAR(kept_in_both_images / 4096, 0.5625, 0.03);
  EXPECT_NEAR(kept_at_both_sites / 4096, 0.5625, 0.03);
}

TEST(ConvDataGradient, AgreesWithFiniteDifferences) {
  for (const ConvCase& s : all_cases()) {
    SCOPED_TRACE(text(s));
    Problem p(s);
    ConvDataGradient op;
    op.dy = p.arena.uniform(p.output_shape());
    op.weight = p.weight;
    if (s.norm || s.activation != Activation::none) op.x0 = p.x0, op.x1 = p.x1;
    op.prologue = p.prologue;
    op.scale = s.scale;
    op.dz = p.arena.uniform(p.source_shape());
    if (s.norm) op.sums = p.arena.uniform({s.at.n, s.at.c(), 2});
    p.arena.run(op);

    const Values dy = p.arena.values(op.dy), weights = p.arena.values(p.weight), dz = p.arena.values(op.dz);
    expect_gradient([&](const Values& z) { return s.scale * dot(dy, p.convolve(p.v(z), weights)); }, p.z(), dz, 3e-6,
                    "dz");
    if (!s.norm) continue;
    const Values x = p.source(), statistics = p.arena.values(p.prologue.statistics);
    Values sums(static_cast<std::size_t>(s.at.n * s.at.c() * 2));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto channels = static_cast<std::size_t>(s.at.c()), groups = static_cast<std::size_t>(s.at.groups);
      const std::size_t c = i % channels, image = i / channels / static_cast<std::size_t>(s.at.h * s.at.w);
      const std::size_t group = 2 * (image * groups + c / (channels / groups));
      sums[2 * (image * channels + c)] += dz[i];
      sums[2 * (image * channels + c) + 1] += dz[i] * (x[i] - statistics[group]) * statistics[group + 1];
    }
    expect_close(p.arena.values(op.sums), sums, 2e-6, "sums");
  }
}

TEST(ConvWeightGradient, AgreesWithFiniteDifferences) {
  for (const ConvCase& s : all_cases()) {
    SCOPED_TRACE(text(s));
    Problem p(s);
    ConvWeightGradient op;
    op.dy = p.arena.uniform(p.output_shape());
    op.x0 = p.x0;
    op.x1 = p.x1;
    op.prologue = p.prologue;
    op.scale = s.scale;
    op.mode = s.operands & 8 ? Mode::accumulate : Mode::overwrite;
    op.dweight = p.arena.uniform(p.weight.shape);
    if (s.operands & 1) op.dbias = p.arena.uniform({s.at.k});
    if (s.operands & 2) op.dembedding = p.arena.uniform({s.at.n, s.at.k});
    const auto before = [&](const Tensor& tensor) {
      Values values = p.arena.values(tensor);
      if (op.mode == Mode::overwrite) values.assign(values.size(), 0);
      return values;
    };
    const Values weight_before = before(op.dweight), bias_before = before(op.dbias);
    p.arena.run(op, ThreadBits::may_differ);

    const Values v = p.v(p.z()), dy = p.arena.values(op.dy);
    expect_gradient([&](const Values& weights) { return s.scale * dot(dy, p.convolve(v, weights)); },
                    p.arena.values(p.weight), difference(p.arena.values(op.dweight), weight_before), 3e-6, "dweight");
    const auto k = static_cast<std::size_t>(s.at.k), pixels = static_cast<std::size_t>(p.h * p.w);
    Values bias(k), embedding(k * static_cast<std::size_t>(s.at.n));
    for (std::size_t i = 0; i < dy.size(); ++i) {
      bias[i % k] += s.scale * dy[i];
      embedding[i / k / pixels * k + i % k] += s.scale * dy[i];
    }
    if (op.dbias) expect_close(difference(p.arena.values(op.dbias), bias_before), bias, 2e-6, "dbias");
    if (op.dembedding) expect_close(p.arena.values(op.dembedding), embedding, 2e-6, "dembedding");
  }
}

}  // namespace
}  // namespace kernels::test
