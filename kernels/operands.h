// What the operands of small products are: floats, or words of two bf16 that are neighbours of the product's depth. A
// type of operands has lanes, the values in a word, and how words are multiplied and, of bf16, rounded.
#pragma once

#include "kernels/bf16.h"
#include "kernels/simd.h"

namespace kernels {

/// Which neighbours of an operand lie side by side in memory: those of the depth, or its rows (the right one's
/// columns).
enum class Adjacent : std::uint8_t { depth, rows };

template <int lanes_>
struct FloatOperands {
  static constexpr int lanes = lanes_, values = 1;
  using Vector = typename Simd<lanes>::Vector;
  [[gnu::always_inline]] static Vector add_product(Vector sum, float left, Vector right) { return sum + left * right; }
};

/// As any CPU computes with them; those with instructions for it have their own, which round sums otherwise and take
/// subnormal values for 0, so that bits differ between the two.
template <int lanes_>
struct Bf16Operands {
  static constexpr int lanes = lanes_, values = 2;
  using Vector = typename Simd<lanes>::Vector;
  using Words = typename Simd<lanes>::Words;
  using Halves = typename Simd<lanes>::Halves;
  /// sum + both halves of `left` times those of each word of `right`.
  [[gnu::always_inline]] static Vector add_product(Vector sum, float left, Vector right) {
    const Words l = Words{} + __builtin_bit_cast(std::uint32_t, left), r = reinterpret_cast<Words>(right);
    return sum + reinterpret_cast<Vector>(l << 16) * reinterpret_cast<Vector>(r << 16) +
           reinterpret_cast<Vector>(l & 0xffff0000u) * reinterpret_cast<Vector>(r & 0xffff0000u);
  }
  [[gnu::always_inline, gnu::flatten]] static Halves round(Vector x) {
    Halves rounded;
    for (int i = 0; i < lanes; ++i) rounded[i] = narrow(x[i]).bits;
    return rounded;
  }
};

/// Stores a vector of values from `column` on of one row of an operand in memory, whose rows (of words) are `stride`
/// apart. With Adjacent::rows the depth goes from one row to the next, and two of them share a row of words: an even
/// one must be stored before the one after it.
template <typename Operands, Adjacent adjacent>
[[gnu::always_inline]] inline void put(float* operand, std::int64_t stride, std::int64_t row, std::int64_t column,
                                       typename Operands::Vector value) {
  using S = Simd<Operands::lanes>;
  if constexpr (Operands::values == 1) {
    S::store(operand + row * stride + column, value);
  } else if constexpr (adjacent == Adjacent::depth) {
    S::store_halves(operand + row * stride, column, Operands::round(value));
  } else {
    using Words = typename S::Words;
    float* const to = operand + row / 2 * stride + column;
    const Words half = __builtin_convertvector(Operands::round(value), Words);
    S::store(to, reinterpret_cast<typename S::Vector>(
                     row % 2 == 0 ? half : reinterpret_cast<Words>(S::load(to)) | half << 16));
  }
}

/// Floats from[rows,columns] to an operand.
template <typename Operands, Adjacent adjacent>
void pack(const float* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns, float* to,
          std::int64_t to_stride) {
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t column = 0; column < columns; column += Operands::lanes)
      put<Operands, adjacent>(to, to_stride, row, column,
                              Simd<Operands::lanes>::load(from + row * from_stride + column));
}

}  // namespace kernels
