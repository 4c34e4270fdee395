// 1x1 convolutions as products of matrices against their definition, with the kernels of every kind that any CPU can
// run and with this CPU's.
#include "kernels/matrix_conv.h"

#include "kernels/vector_kernels_table.h"
#include "tests/kernels/arena.h"

namespace kernels::matrix_conv {
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

/// Sums a product over all pixels and channels: of x, weights and y two are read and the third is added to.
template <typename X, typename W, typename Y, typename F>
void convolve(const ConvSize& s, X* x, W* w, Y* y, const F& add) {
  for (std::int64_t p = 0; p < s.n * s.h * s.w; ++p)
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t c = 0; c < s.c; ++c) add(x[p * s.c + c], w[k * s.c + c], y[p * s.k + k]);
}

// An odd number of pixels, and more of them than a block; several panels; more outputs than a part, the last one short.
constexpr ConvSize sizes[] = {{1, 3, 5, 16, 16, 1}, {2, 7, 9, 48, 80, 1}, {1, 4, 4, 96, 160, 1}};

class MatrixConv : public ::testing::TestWithParam<const VectorKernels*> {
 protected:
  /// Both operands of a product may be rounded to 2^-9 of themselves.
  double tolerance() const { return GetParam()->values == 2 ? 0x1p-7 : 2e-6; }
  template <typename Make>
  static void run(const Make& make) {
    ScratchLayout layout;
    const auto step = make(layout);
    Floats scratch(layout.bytes() / 4 + 16, std::numeric_limits<float>::quiet_NaN());
    step(Memory{{}, reinterpret_cast<std::byte*>(scratch.data())});
    for (std::size_t i = layout.bytes() / 4; i < scratch.size(); ++i) ASSERT_TRUE(std::isnan(scratch[i]));
  }
  static RowSource rows(const Floats& image, const ConvSize& s, std::int64_t channels) {
    return [&image, s, channels](std::int64_t n, std::int64_t row, float*) {
      return image.data() + (n * s.h + row) * s.w * channels;
    };
  }
};

TEST_P(MatrixConv, AgreesWithItsDefinition) {
  for (const ConvSize& s : sizes) {
    SCOPED_TRACE(fmt::format("{} {}x{} {}->{}", s.n, s.h, s.w, s.c, s.k));
    ASSERT_TRUE(serves(*GetParam(), s));
    const Floats x = uniform(s.n * s.h * s.w * s.c, 1), w = uniform(s.k * s.c, 2),
                 dy = uniform(s.n * s.h * s.w * s.k, 3);
    Values wanted_y(dy.size()), wanted_dx(x.size()), wanted_dw(w.size());
    convolve(s, x.data(), w.data(), wanted_y.data(), [](float a, float b, double& y) { y += double{a} * b; });
    convolve(s, wanted_dx.data(), w.data(), dy.data(), [](double& a, float b, float y) { a += double{b} * y; });
    convolve(s, x.data(), wanted_dw.data(), dy.data(), [](float a, double& b, float y) { b += 0.5 * a * y; });
    for (std::size_t i = 0; i < w.size(); ++i) wanted_dw[i] += w[i];
    Floats first_y, first_dx, first_dw;
    for (const int threads : {1, 3}) {
      Floats y(dy.size()), dx(x.size()), dw = w;
      run([&](ScratchLayout& layout) {
        return [&, step = convolution(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(rows(x, s, s.c), w.data(), y.data(), {}, memory);
        };
      });
      run([&](ScratchLayout& layout) {
        return [&, step = data_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(rows(dy, s, s.k), w.data(), dx.data(), {}, memory);
        };
      });
      run([&](ScratchLayout& layout) {
        return [&, step = weight_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(rows(x, s, s.c), dy.data(), 0.5f, true, dw.data(), memory);
        };
      });
      test::expect_close(Values(y.begin(), y.end()), wanted_y, tolerance(), "y");
      test::expect_close(Values(dx.begin(), dx.end()), wanted_dx, tolerance(), "dx");
      test::expect_close(Values(dw.begin(), dw.end()), wanted_dw, tolerance(), "dweight");
      if (first_y.empty()) first_y = y, first_dx = dx, first_dw = dw;
      EXPECT_TRUE(y == first_y && dx == first_dx && dw == first_dw) << "the bits differ with " << threads << " threads";
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<const VectorKernels*>& at) {
  constexpr const char* names[] = {"Avx2", "Wide", "OfThisCpu", "Avx2Bf16", "WideBf16", "OfThisCpuBf16"};
  return names[at.index];
}

INSTANTIATE_TEST_SUITE_P(Kernels, MatrixConv,
                         ::testing::Values(&avx2_kernels, &wide_kernels, &vector_kernels(), &avx2_bf16_kernels,
                                           &wide_bf16_kernels, &bf16_vector_kernels()),
                         name_of);

}  // namespace
}  // namespace kernels::matrix_conv
