// The transforms of Winograd's F(4x4,3x3) on vectors of channels (Lavin and Gray 2016), with the interpolation points
// 0, +-5/8, +-3/2 and infinity, which round less than the usual integers.
#pragma once

#include "kernels/simd.h"

namespace kernels::winograd {

constexpr int tile = 4, patch = tile + 2, coefficients = patch * patch;  // output pixels, input pixels, products
constexpr int taps = 9;

constexpr float p = 0.625f, q = 1.5f, pp = p * p, qq = q * q;
// Reciprocals of the products of differences between the points, at 0, +-p and +-q.
constexpr float at_0 = 1 / (pp * qq), at_p = 1 / (2 * pp * (pp - qq)), at_q = 1 / (2 * qq * (qq - pp));

// Each transform reads x[0], x[xs], x[2 xs], ... and writes y[0], y[ys], ...

/// Six input pixels to six coefficients (B^T).
struct InputTransform {
  template <typename Vector>
  [[gnu::always_inline]] static void apply(const Vector* x, int xs, Vector* y, int ys) {
    const Vector even_p = x[4 * xs] - qq * x[2 * xs], odd_p = x[3 * xs] - qq * x[xs];
    const Vector even_q = x[4 * xs] - pp * x[2 * xs], odd_q = x[3 * xs] - pp * x[xs];
    y[0] = pp * qq * x[0] + (x[4 * xs] - (pp + qq) * x[2 * xs]);
    y[ys] = even_p + p * odd_p;
    y[2 * ys] = even_p - p * odd_p;
    y[3 * ys] = even_q + q * odd_q;
    y[4 * ys] = even_q - q * odd_q;
    y[5 * ys] = pp * qq * x[xs] + (x[5 * xs] - (pp + qq) * x[3 * xs]);
  }
};

/// Six coefficients to four output pixels (A^T).
struct OutputTransform {
  template <typename Vector>
  [[gnu::always_inline]] static void apply(const Vector* x, int xs, Vector* y, int ys) {
    const Vector sum_p = x[xs] + x[2 * xs], difference_p = x[xs] - x[2 * xs];
    const Vector sum_q = x[3 * xs] + x[4 * xs], difference_q = x[3 * xs] - x[4 * xs];
    y[0] = x[0] + sum_p + sum_q;
    y[ys] = p * difference_p + q * difference_q;
    y[2 * ys] = pp * sum_p + qq * sum_q;
    y[3 * ys] = p * pp * difference_p + (q * qq * difference_q + x[5 * xs]);
  }
};

/// Four pixels of the output's gradient to six coefficients (A).
struct OutputGradientTransform {
  template <typename Vector>
  [[gnu::always_inline]] static void apply(const Vector* x, int xs, Vector* y, int ys) {
    const Vector even_p = x[0] + pp * x[2 * xs], odd_p = x[xs] + pp * x[3 * xs];
    const Vector even_q = x[0] + qq * x[2 * xs], odd_q = x[xs] + qq * x[3 * xs];
    y[0] = x[0];
    y[ys] = even_p + p * odd_p;
    y[2 * ys] = even_p - p * odd_p;
    y[3 * ys] = even_q + q * odd_q;
    y[4 * ys] = even_q - q * odd_q;
    y[5 * ys] = x[3 * xs];
  }
};

/// Three weights to six coefficients (G).
struct WeightTransform {
  template <typename Vector>
  [[gnu::always_inline]] static void apply(const Vector* x, int xs, Vector* y, int ys) {
    const Vector even_p = at_p * (x[0] + pp * x[2 * xs]), odd_p = at_p * p * x[xs];
    const Vector even_q = at_q * (x[0] + qq * x[2 * xs]), odd_q = at_q * q * x[xs];
    y[0] = at_0 * x[0];
    y[ys] = even_p + odd_p;
    y[2 * ys] = even_p - odd_p;
    y[3 * ys] = even_q + odd_q;
    y[4 * ys] = even_q - odd_q;
    y[5 * ys] = x[2 * xs];
  }
};

/// Six coefficients of a weight gradient to its three taps (G^T).
struct WeightGradientTransform {
  template <typename Vector>
  [[gnu::always_inline]] static void apply(const Vector* x, int xs, Vector* y, int ys) {
    const Vector sum_p = at_p * (x[xs] + x[2 * xs]), difference_p = at_p * p * (x[xs] - x[2 * xs]);
    const Vector sum_q = at_q * (x[3 * xs] + x[4 * xs]), difference_q = at_q * q * (x[3 * xs] - x[4 * xs]);
    y[0] = at_0 * x[0] + (sum_p + sum_q);
    y[ys] = difference_p + difference_q;
    y[2 * ys] = pp * sum_p + (qq * sum_q + x[5 * xs]);
  }
};

/// The transform along the columns and then the rows of x[from][from], to y[to][to].
template <typename Transform, int from, int to, typename Vector>
[[gnu::always_inline]] inline void transform(const Vector* x, Vector* y) {
  Vector columns[to * from];
#pragma GCC unroll 8
  for (int j = 0; j < from; ++j) Transform::apply(x + j, from, columns + j, from);
#pragma GCC unroll 8
  for (int i = 0; i < to; ++i) Transform::apply(columns + i * from, 1, y + i * to, 1);
}

}  // namespace kernels::winograd
