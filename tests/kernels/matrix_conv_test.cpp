// 1x1 convolutions as products of matrices against their definition, with every kind of vector kernels.
#include "kernels/matrix_conv.h"

#include "tests/kernels/bare_convolution.h"

namespace kernels::matrix_conv {
namespace {

using test::convolve;
using test::Floats;
using test::rows;
using test::run;
using test::uniform;
using test::Values;

// An odd number of pixels, and more of them than a block; several panels; more outputs than a part, the last one short.
constexpr ConvSize sizes[] = {{1, 3, 5, 16, 16, 1}, {2, 7, 9, 48, 80, 1}, {1, 4, 4, 96, 160, 1}};

class MatrixConv : public ::testing::TestWithParam<const VectorKernels*> {
 protected:
  /// Both operands of a product may be rounded to 2^-9 of themselves.
  double tolerance() const { return GetParam()->values == 2 ? 0x1p-7 : 2e-6; }
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
          step.run(rows(s, x, s.c), w.data(), y.data(), {}, memory);
        };
      });
      run([&](ScratchLayout& layout) {
        return [&, step = data_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(rows(s, dy, s.k), w.data(), dx.data(), {}, memory);
        };
      });
      run([&](ScratchLayout& layout) {
        return [&, step = weight_gradient(*GetParam(), s, threads, layout)](const Memory& memory) {
          step.run(rows(s, x, s.c), dy.data(), 0.5f, true, dw.data(), memory);
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

INSTANTIATE_TEST_SUITE_P(Kernels, MatrixConv, ::testing::ValuesIn(test::every_kind()), test::kind);

}  // namespace
}  // namespace kernels::matrix_conv
