#include "kernels/conv.h"

#include "tests/kernels/conv_definition.h"

namespace kernels::test {
namespace {

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
