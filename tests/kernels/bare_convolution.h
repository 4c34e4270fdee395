// Bare convolutions by their definition, and every kind of vector kernels that their engines are tested with: those for
// AVX2, for vectors of 16 floats as any CPU can run them, and this CPU's, of floats and of bf16.
#pragma once

#include "kernels/conv_engine.h"
#include "kernels/scratch.h"
#include "kernels/vector_kernels_table.h"
#include "tests/kernels/arena.h"

namespace kernels::test {

struct Wide : FloatOperands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
};
struct WideBf16 : Bf16Operands<16> {
  static constexpr int most_rows[] = {0, 14, 14};
};
inline const VectorKernels wide_kernels = vector_kernels_for<Wide>(),
                           wide_bf16_kernels = vector_kernels_for<WideBf16>();

inline std::vector<const VectorKernels*> every_kind() {
  return {&avx2_kernels,      &wide_kernels,      &vector_kernels(),
          &avx2_bf16_kernels, &wide_bf16_kernels, &bf16_vector_kernels()};
}
inline std::string kind(const ::testing::TestParamInfo<const VectorKernels*>& at) {
  constexpr const char* names[] = {"Avx2", "Wide", "OfThisCpu", "Avx2Bf16", "WideBf16", "OfThisCpuBf16"};
  return names[at.index];
}

using Floats = std::vector<float>;
using Values = std::vector<double>;

inline Floats uniform(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  Floats values(static_cast<std::size_t>(count));
  for (float& value : values) value = std::uniform_real_distribution<float>(-1, 1)(random);
  return values;
}

/// Calls f(output pixel, source pixel, tap) for each tap that falls inside the image.
template <typename F>
void for_each_tap(const ConvSize& s, const F& f) {
  for (std::int64_t pixel = 0; pixel < s.n * s.h * s.w; ++pixel)
    for (std::int64_t tap = 0; tap < s.r * s.r; ++tap) {
      const std::int64_t row = pixel / s.w % s.h + tap / s.r - s.before, column = pixel % s.w + tap % s.r - s.before;
      if (row >= 0 && row < s.h && column >= 0 && column < s.w)
        f(pixel, pixel + (tap / s.r - s.before) * s.w + tap % s.r - s.before, tap);
    }
}

/// Sums a product over all taps and channels: of x, y and weights two are read and the third is added to.
template <typename X, typename W, typename Y, typename F>
void convolve(const ConvSize& s, X* x, W* w, Y* y, const F& add) {
  for_each_tap(s, [&](std::int64_t to, std::int64_t from, std::int64_t tap) {
    for (std::int64_t k = 0; k < s.k; ++k)
      for (std::int64_t c = 0; c < s.c; ++c)
        add(x[from * s.c + c], w[(k * s.r * s.r + tap) * s.c + c], y[to * s.k + k]);
  });
}

/// The rows of image[n,h,w,channels].
inline RowSource rows(const ConvSize& s, const Floats& image, std::int64_t channels) {
  return [s, &image, channels](std::int64_t n, std::int64_t row, float*) {
    return image.data() + (n * s.h + row) * s.w * channels;
  };
}

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

}  // namespace kernels::test
