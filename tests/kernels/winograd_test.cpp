// Winograd's engine against the definition of a convolution, with this CPU's kernels and with those for vectors of 16
// floats as any CPU can run them.
#include "kernels/winograd.h"

#include <atomic>

#include "kernels/parallel.h"
#include "kernels/vector_kernels_table.h"
#include "tests/kernels/arena.h"

namespace kernels::winograd {
namespace {

struct Wide : FloatOperands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
};
struct WideBf16 : Bf16Operands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
};
const VectorKernels wide_kernels = vector_kernels_for<Wide>(), wide_bf16_kernels = vector_kernels_for<WideBf16>();

using Floats = std::vector<float>;
using Values = std::vector<double>;

Floats uniform(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  Floats values(static_cast<std::size_t>(count));
  for (float& value : values) value = std::uniform_real_distribution<float>(-1, 1)(random);
  return values;
}

/// Calls f(output pixel, source pixel, tap) for each tap that falls inside the image.
template <typename F>
void for_each_tap(const ConvSize& s, const F& f) {
  for (std::int64_t pixel = 0; pixel < s.n * s.h * s.w; ++pixel)
    for (std::int64_t tap = 0; tap < 9; ++tap) {
      const std::int64_t row = pixel / s.w % s.h + tap / 3 - 1, column = pixel % s.w + tap % 3 - 1;
      if (row >= 0 && row < s.h && column >= 0 && column < s.w)
        f(pixel, pixel + (tap / 3 - 1) * s.w + tap % 3 - 1, tap);
    }
}

/// Sums a product over all taps and channels: of x, y and weights two are read and the third is added to.
template <typename X, typename W, typename Y, typename F>
void convolve(const ConvSize& s, X* x, W* w, Y* y, const F& add) {
  for_each_tap(s, [&](std::int64_t to, std::int64_t from, std::int64_t tap) {
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t c = 0; c < s.c; ++c) add(x[from * s.c + c], w[(k * 9 + tap) * s.c + c], y[to * s.k + k]);
  });
}

struct Problem {
  explicit Problem(const ConvSize& size)
      : s(size),
        x(uniform(s.n * s.h * s.w * s.c, 1)),
        w(uniform(s.k * 9 * s.c, 2)),
        dy(uniform(s.n * s.h * s.w * s.k, 3)) {}

  RowSource rows(const Floats& image, std::int64_t channels) const {
    return [this, &image, channels](std::int64_t n, std::int64_t row, float*) {
      return image.data() + (n * s.h + row) * s.w * channels;
    };
  }

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

/// Makes a step and runs it with scratch of NaN between guards.
template <typename Make>
void run(const Make& make) {
  ScratchLayout layout;
  const auto step = make(layout);
  Floats scratch(layout.bytes() / 4 + 48, std::numeric_limits<float>::quiet_NaN());
  const std::size_t shift = 16 - reinterpret_cast<std::uintptr_t>(scratch.data()) / 4 % 16,
                    end = shift + 16 + layout.bytes() / 4;
  step(Memory{{}, reinterpret_cast<std::byte*>(scratch.data() + shift + 16)});
  for (std::size_t i = 0; i < scratch.size(); ++i) {
    const bool guard = i < shift + 16 || i >= end;
    ASSERT_TRUE(!guard || std::isnan(scratch[i])) << "written beyond the scratch";
  }
}

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

INSTANTIATE_TEST_SUITE_P(
    Kernels, Winograd, ::testing::Values(&vector_kernels(), &wide_kernels, &bf16_vector_kernels(), &wide_bf16_kernels),
    [](const auto& at) {
      return std::string(at.param == &wide_kernels || at.param == &wide_bf16_kernels ? "Wide" : "OfThisCpu") +
             (at.param->values == 2 ? "Bf16" : "");
    });

}  // namespace
}  // namespace kernels::winograd
