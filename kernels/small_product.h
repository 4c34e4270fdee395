// Products of small matrices that lie in the cache: the inner loop of convolutions.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "kernels/operands.h"

namespace kernels {

/// c[rows,columns] (+)= a[rows,depth] b[depth,columns]; depth and strides are counted in words, which hold one float or
/// two bf16. A stride leads from row to row; that of `a`, with Adjacent::rows, from one word of the depth to the next.
struct Product {
  const float* a;
  std::int64_t a_stride;
  const float* b;
  std::int64_t b_stride;
  float* c;
  std::int64_t c_stride;
  std::int64_t depth;
  bool accumulate;
};

/// A product of `rows` rows and `vectors` vectors of columns, whose sums stay in registers.
template <typename Isa, int rows, int vectors, Adjacent adjacent>
void multiply_rows(const Product& at) {
  constexpr int lanes = Isa::lanes;
  using S = Simd<lanes>;
  typename S::Vector sums[rows][vectors] = {};
  constexpr int per_pointer = 3;  // x86 addresses base, base + stride and base + 2 stride
  constexpr int pointers = adjacent == Adjacent::rows ? 1 : (rows + per_pointer - 1) / per_pointer;
  const std::int64_t a_stride = at.a_stride, b_stride = at.b_stride;
  const float* a[pointers];
#pragma GCC unroll 8
  for (int i = 0; i < pointers; ++i) a[i] = at.a + i * per_pointer * a_stride;
  const float* b = at.b;
#pragma GCC unroll 4
  for (std::int64_t k = 0; k < at.depth; ++k) {
    typename S::Vector right[vectors];
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) right[j] = S::load(b + j * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const float left = adjacent == Adjacent::rows ? a[0][r] : a[r / per_pointer][r % per_pointer * a_stride];
#pragma GCC unroll 4
      for (int j = 0; j < vectors; ++j) sums[r][j] = Isa::add_product(sums[r][j], left, right[j]);
    }
    b += b_stride;
#pragma GCC unroll 8
    for (int i = 0; i < pointers; ++i) a[i] += adjacent == Adjacent::rows ? a_stride : 1;
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int j = 0; j < vectors; ++j) {
      float* const c = at.c + r * at.c_stride + j * lanes;
      S::store(c, at.accumulate ? S::load(c) + sums[r][j] : sums[r][j]);
    }
}

/// A product of any number of rows and 1 or 2 vectors of columns. Isa has lanes and, by the number of vectors,
/// most_rows whose sums fit the registers.
template <typename Isa, Adjacent adjacent>
class Multiply {
  using Kernel = void (*)(const Product&);
  template <int vectors, std::size_t... i>
  static constexpr auto table(std::index_sequence<i...>) {
    return std::array<Kernel, sizeof...(i)>{multiply_rows<Isa, int(i) + 1, vectors, adjacent>...};
  }
  template <int vectors>
  static void run(Product at, std::int64_t rows) {
    constexpr int most = Isa::most_rows[vectors];
    static constexpr auto kernels = table<vectors>(std::make_index_sequence<most>());
    const std::int64_t parts = (rows + most - 1) / most;
    for (std::int64_t part = 0; part < parts; ++part) {  // of equal heights, as near as can be
      const std::int64_t height = (rows + parts - 1 - part) / parts;
      kernels[static_cast<std::size_t>(height - 1)](at);
      at.a += height * (adjacent == Adjacent::rows ? 1 : at.a_stride);
      at.c += height * at.c_stride;
    }
  }

 public:
  static void run(const Product& at, std::int64_t rows, int vectors) {
    vectors == 2 ? run<2>(at, rows) : run<1>(at, rows);
  }
};

}  // namespace kernels
