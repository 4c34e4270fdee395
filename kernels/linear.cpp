#include "kernels/linear.h"

#include <algorithm>

#include "kernels/onednn.h"
#include "kernels/parallel.h"

namespace kernels {
namespace {

using onednn::Matrix;
using onednn::Transpose;

/// result[rows,columns] (+)= a b, in blocks of columns that do not depend on the number of threads.
void multiply(int threads, std::int64_t rows, std::int64_t columns, std::int64_t depth, const Matrix& a,
              const Matrix& b, Mode mode, float* result) {
  constexpr std::int64_t width = 64;
  parallel_for(threads, (columns + width - 1) / width, [&](std::int64_t block) {
    const std::int64_t first = block * width;
    const Matrix part{b.data + (b.transpose == Transpose::yes ? first * b.stride : first), b.stride, b.transpose};
    onednn::multiply(rows, std::min(width, columns - first), depth, 1, a, part, mode == Mode::accumulate ? 1 : 0,
                     result + first, columns);
  });
}

/// Of two rows. Not a product of matrices of a library, whose rows have other bits at other places of a batch.
float dot(std::int64_t count, const float* __restrict a, const float* __restrict b) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

Step prepare(const Linear& op, const CpuContext& context) {
  const std::int64_t m = op.x.shape[0], c = op.x.shape[1], k = op.y.shape[1];
  check_linear(op.x, op.weight, op.y);
  ensure(!op.bias || op.bias.shape == Shape{k}, "Linear's bias is [k]");
  return {[=, threads = context.threads](const Memory& memory) {
    const float *const x = memory.at<float>(op.x), *const weight = memory.at<float>(op.weight);
    const float* const bias = memory.at<float>(op.bias);
    float* const y = memory.at<float>(op.y);
    parallel_for(threads, k, [&](std::int64_t j) {
      for (std::int64_t i = 0; i < m; ++i) y[i * k + j] = dot(c, x + i * c, weight + j * c) + (bias ? bias[j] : 0);
    });
  }};
}

Step prepare(const LinearDataGradient& op, const CpuContext& context) {
  const std::int64_t m = op.dx.shape[0], c = op.dx.shape[1], k = op.dy.shape[1];
  check_linear(op.dx, op.weight, op.dy);
  return {[=, threads = context.threads](const Memory& memory) {
    multiply(threads, m, c, k, Matrix{memory.at<float>(op.dy), k}, Matrix{memory.at<float>(op.weight), c}, op.mode,
             memory.at<float>(op.dx));
  }};
}

Step prepare(const LinearWeightGradient& op, const CpuContext& context) {
  const std::int64_t m = op.x.shape[0], c = op.x.shape[1], k = op.dy.shape[1];
  check_linear(op.x, op.dweight, op.dy);
  ensure(!op.dbias || op.dbias.shape == Shape{k}, "Linear's bias gradient is [k]");
  return {[=, threads = context.threads](const Memory& memory) {
    const float* const dy = memory.at<float>(op.dy);
    multiply(threads, k, c, m, Matrix{dy, k, Transpose::yes}, Matrix{memory.at<float>(op.x), c}, op.mode,
             memory.at<float>(op.dweight));
    float* const dbias = memory.at<float>(op.dbias);
    for (std::int64_t j = 0; dbias && j < k; ++j) {
      double sum = op.mode == Mode::accumulate ? dbias[j] : 0;
      for (std::int64_t i = 0; i < m; ++i) sum += dy[i * k + j];
      dbias[j] = static_cast<float>(sum);
    }
  }};
}

}  // namespace kernels
