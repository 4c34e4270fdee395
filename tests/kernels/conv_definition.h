// A convolution with its prologue and epilogue by its definition, in double precision.
#pragma once

#include <string>
#include <vector>

#include "kernels/conv.h"
#include "kernels/philox.h"
#include "tests/kernels/arena.h"

namespace kernels::test {

using Values = std::vector<double>;

/// What Dropout's definition multiplies one element of an image by.
inline double dropout_factor(const Dropout& dropout, std::int64_t position, std::int64_t element) {
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

inline double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace kernels::test
