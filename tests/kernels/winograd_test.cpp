// Winograd's engine against the definition of a convolution, with every kind of vector kernels.
#include "kernels/winograd.h"

#include <atomic>

#include "kernels/parallel.h"
#include "tests/kernels/bare_convolution.h"

namespace kernels::winograd {
namespace {

using test::convolve;
using test::Floats;
using test::run;
using test::uniform;
using test::Values;

struct Problem {
  explicit Problem(const ConvSize& size)
      : s(size),
        x(uniform(s.n * s.h * s.w * s.c, 1)),
        w(uniform(s.k * 9 * s.c, 2)),
        dy(uniform(s.n * s.h * s.w * s.k, 3)) {}

  RowSource rows(const Floats& image, std::int64_t channels) const { return test::rows(s, image, channels); }

  ConvSize s;
  Floats x, w, dy;
};

/// Expects to be told of each block of rows once, when all of it is there.
class Blocks {
 public:
  Blocks(const ConvSize& s, const Floats& result, std::int64_t channels)
      : s_(s), result_(result), row_(s.w * channels), told_(static_cast<std::size_t>(s.n * rows_.count())) {}
  ~Blocks() {
    for (const auto& count : told_) EXPECT_EQ(count, 1) << "times that a block was told of";
  }
  BlockDone done() {
    return [this](std::int64_t image, std::int64_t block) {
      ++told_[static_cast<std::size_t>(image * rows_.count() + block)];
      const auto from = result_.begin() + (image * s_.h + rows_.begin(block)) * row_;
      EXPECT_TRUE(std::none_of(from, from + (rows_.end(block) - rows_.begin(block)) * row_,
                               [](float value) { return std::isnan(value); }));
    };
  }

 private:
  ConvSize s_;
  const Floats& result_;
  std::int64_t row_;
  RowBlocks rows_{s_.h};
  std::vector<std::atomic<int>> told_;
};

constexpr ConvSize sizes[] = {{1, 6, 6, 16, 16, 3},  {2, 7, 9, 16, 48, 3},   {3, 14, 6, 48, 16, 3},
                              {2, 8, 8, 16, 64, 3},  {1, 32, 32, 32, 32, 3}, {2, 11, 40, 64, 96, 3},
                              {1, 8, 8, 96, 160, 3}, {1, 64, 64, 64, 16, 3}};

class Winograd : public ::testing::TestWithParam<const VectorKernels*> {
 protected:
  /// As a share of the largest element. Transforms grow what rounding operands to bf16 does some five times.
  double tolerance(double of_floats) const { return GetParam()->values == 2 ? 0.04 : of_floats; }
};

TEST_P(Winograd, ConvolutionAgreesWithItsDefinition) {
  for (const ConvSize& s : sizes) {
    SCOPED_TRACE(fmt::format("{} {}x{} {}->{}", s.n, s.h, s.w, s.c, s.k));
    ASSERT_TRUE(serves(*GetParam(), s));
    const Problem p(s);
    Values wanted(p.dy.size());
    convolve(s, p.x.data(), p.w.data(), wanted.data(), [](float x, float w, double& y) { y += double{x} * w; });
    Floats first;
    for (int threads : {1, 2, 3}) {
      Floats y(p.dy.size(), std::numeric_limits<float>::quiet_NaN());
      Blocks blocks(s, y, s.k);
      run([&](ScratchLayout& layout) {
        return [&, step = convolution(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(p.rows(p.x, s.c), p.w.data(), y.data(), blocks.done(), memory);
        };
      });
      test::expect_close(Values(y.begin(), y.end()), wanted, tolerance(4e-6), "y");
      if (first.empty()) first = y;
      EXPECT_EQ(y, first) << "the bits differ with " << threads << " threads";
    }
  }
}

TEST_P(Winograd, DataGradientAgreesWithItsDefinition) {
  for (const ConvSize& s : sizes) {
    SCOPED_TRACE(fmt::format("{} {}x{} {}->{}", s.n, s.h, s.w, s.c, s.k));
    const Problem p(s);
    Values wanted(p.x.size());
    convolve(s, wanted.data(), p.w.data(), p.dy.data(), [](double& x, float w, float dy) { x += double{w} * dy; });
    Floats first;
    for (int threads : {1, 2, 3}) {
      Floats dx(p.x.size(), std::numeric_limits<float>::quiet_NaN());
      Blocks blocks(s, dx, s.c);
      run([&](ScratchLayout& layout) {
        return [&, step = data_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(p.rows(p.dy, s.k), p.w.data(), dx.data(), blocks.done(), memory);
        };
      });
      test::expect_close(Values(dx.begin(), dx.end()), wanted, tolerance(4e-6), "dx");
      if (first.empty()) first = dx;
      EXPECT_EQ(dx, first) << "the bits differ with " << threads << " threads";
    }
  }
}

TEST_P(Winograd, WeightGradientAgreesWithItsDefinition) {
  for (const ConvSize& s : sizes) {
    SCOPED_TRACE(fmt::format("{} {}x{} {}->{}", s.n, s.h, s.w, s.c, s.k));
    const Problem p(s);
    Values fresh(p.w.size());
    convolve(s, p.x.data(), fresh.data(), p.dy.data(), [](float x, double& w, float dy) { w += double{x} * dy; });
    for (bool accumulate : {false, true}) {
      Values wanted(fresh);
      for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = 0.5 * fresh[i] + (accumulate ? p.w[i] : 0);
      Floats first;
      for (int threads : {1, 2, 3}) {
        Floats dw = accumulate ? p.w : Floats(p.w.size(), std::numeric_limits<float>::quiet_NaN());
        run([&](ScratchLayout& layout) {
          return [&, step = weight_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
            step.run(p.rows(p.x, s.c), p.dy.data(), 0.5f, accumulate, dw.data(), memory);
          };
        });
        test::expect_close(Values(dw.begin(), dw.end()), wanted, tolerance(3e-6), "dweight");
        if (first.empty()) first = dw;
        EXPECT_EQ(dw, first) << "the bits differ with " << threads << " threads";
      }
    }
  }
}

TEST_P(Winograd, LeavesOtherConvolutionsToOthers) {
  EXPECT_FALSE(serves(*GetParam(), {1, 32, 32, 32, 32, 1}));
  EXPECT_FALSE(serves(*GetParam(), {1, 4, 32, 32, 32, 3}));
  EXPECT_FALSE(serves(*GetParam(), {1, 32, 32, 3, 32, 3}));
  EXPECT_FALSE(serves(*GetParam(), {1, 32, 32, 32, 36, 3}));
}

INSTANTIATE_TEST_SUITE_P(Kernels, Winograd, ::testing::ValuesIn(test::every_kind()), test::kind);

}  // namespace
}  // namespace kernels::winograd
