// oneDNN behind four calls of our own; onednn.cpp is the only file that knows the library.
#pragma once

#include "kernels/conv_engine.h"

namespace kernels::onednn {

/// A prepared convolution: two arrays in, one out, which it overwrites. All are plain, as in ConvSize; reorders of the
/// weights to and from oneDNN's own layout are part of the call.
struct ConvCall {
  std::function<void(const float* first, const float* second, float* result, std::byte* scratch)> run;
  std::size_t scratch_bytes = 0;
};

/// y from (x, weight), dx from (dy, weight) and dweight from (x, dy). Each throws InputError where oneDNN refuses.
ConvCall convolution(const ConvSize& size, int threads);
ConvCall convolution_data_gradient(const ConvSize& size, int threads);
ConvCall convolution_weight_gradient(const ConvSize& size, int threads);

enum class Transpose : std::uint8_t { no, yes };

/// A row-major matrix, `stride` elements from row to row, used as it is or transposed.
struct Matrix {
  const float* data;
  std::int64_t stride;
  Transpose transpose = Transpose::no;
};

/// result[rows,columns] = alpha a b + beta result, with a[rows,depth] and b[depth,columns] after transposition. With
/// several threads the bits depend on their number; inside parallel_for there is one.
void multiply(std::int64_t rows, std::int64_t columns, std::int64_t depth, float alpha, const Matrix& a,
              const Matrix& b, float beta, float* result, std::int64_t result_stride);

}  // namespace kernels::onednn
