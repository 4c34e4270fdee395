// Matrix products by a library, as the kernels know it: without any header of CUDA.
#pragma once

#include <functional>

#include "kernels/tensor.h"

namespace kernels {

enum class Stored : std::uint8_t { as_it_is, transposed };

/// c[m,n] = scale a[m,k] b[k,n] + keep before[m,n] + bias[n], each a matrix of rows in memory. `before` may be c; bias
/// is read where has_bias says so, `before` where keep is not 0. All sums are in float, none by less than float where
/// the operands are float; c is rounded once.
struct BlasProduct {
  std::int64_t m, n, k;
  Stored a = Stored::as_it_is, b = Stored::as_it_is;
  Element operands = Element::f32, result = Element::f32;  // of a and b; of c, before and bias
  std::int64_t a_stride, b_stride, c_stride;               // elements from row to row, as stored; c's are before's too
  float scale = 1, keep = 0;
  bool has_bias = false;
};

/// Aligned to 16 bytes.
struct BlasArrays {
  const void *a, *b, *before, *bias;
  void* c;
  std::byte* workspace;  // as many bytes as the plan asked for
};

/// The same bits on each run; it may be captured in a graph.
struct BlasPlan {
  std::function<void(const BlasArrays&)> run;  // empty: the library has nothing for this product
  std::size_t workspace_bytes = 0;
};

/// Plans a product for the stream of its device; empty: there is no library.
using Blas = std::function<BlasPlan(const BlasProduct&)>;

}  // namespace kernels
